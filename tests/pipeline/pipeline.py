# SPDX-License-Identifier: Apache-2.0
"""The running pipeline in one hand: its host, its services, its accounts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from account import Account, Ledger
from deployment import Deployment
from elasticsearch import Elasticsearch
from testinfra.host import Host
from waiting import wait_until

JOURNAL = "login-producer@journal"
# The made-up events, and the logins to the host itself, the tests' own among them
SENDERS = ("login-producer", JOURNAL)
UNITS = ("kafka", "elasticsearch", "login-consumer", *SENDERS)
SETTINGS = "/etc/login-consumer/consumer.toml"
READY = "/run/login-consumer/ready"
CHECKPOINT = "/var/lib/login-consumer/checkpoint"


@dataclass(frozen=True)
class Pipeline:
    """What the tests do to a running pipeline, and ask of it."""

    deployment: Deployment
    host: Host
    elastic: Elasticsearch
    ledger: Ledger

    def systemctl(self, verb: str, *units: str) -> None:
        """Start, stop or restart units; wait until it is done."""
        self.host.check_output(f"systemctl {verb} {' '.join(units)}")

    def start_consumer(self) -> None:
        """Start the consumer and wait until its query runs."""
        self.systemctl("start", "login-consumer")
        wait_until(lambda: self.host.run(f"test -e {READY}").rc == 0, "the consumer's query runs", 120)

    def property(self, unit: str, name: str) -> str:
        """Return what systemd says of a unit."""
        return self.host.check_output("systemctl show --value --property=%s %s", name, unit)

    def processes(self, unit: str) -> dict[int, str]:
        """Return the process ids of a unit with their command lines."""
        lines = self.host.run(
            f"ps -ww -o pid=,args= -p $(paste -sd, /sys/fs/cgroup/system.slice/{unit}.service/cgroup.procs)"
        )
        pairs = (line.split(maxsplit=1) for line in lines.stdout.splitlines())
        return {int(pid): command for pid, command in pairs}

    def journal(self, unit: str, since: float) -> list[str]:
        """Return what a unit itself has logged since then (epoch seconds), a line each."""
        command = "journalctl --quiet --output=cat --since=@%s _SYSTEMD_UNIT=%s.service"
        return self.host.check_output(command, f"{since:.3f}", unit).splitlines()

    def clock(self) -> float:
        """Return the host's time in epoch seconds."""
        return float(self.host.check_output("date +%s.%N"))

    @contextmanager
    def settings(self, old: str, new: str) -> Iterator[None]:
        """Let a line of the consumer's settings be another, from its next start on; then as it was."""
        lines = self.host.check_output(f"cat {SETTINGS}").splitlines()
        assert lines.count(old) == 1, f"{SETTINGS} has no line {old}"
        self.host.check_output("cp -p %s %s.kept && sed -i %s %s", SETTINGS, SETTINGS, f"s/^{old}$/{new}/", SETTINGS)
        try:
            yield
        finally:
            self.host.check_output("mv %s.kept %s", SETTINGS, SETTINGS)

    def audit(self, *options: str) -> dict[str, Any]:
        """Return what `login-consumer audit` finds."""
        told = self.host.run(f"login-consumer audit --json {' '.join(options)}")
        assert told.rc in (0, 1, 5), told.stdout + told.stderr
        found = json.loads(told.stdout)
        assert found["balanced"] == (told.rc == 0), told.stdout
        assert (told.rc == 5) == bool(found["unreadable"] and not found["faults"]), told.stdout
        return dict(found)

    def wait_for_log(self, unit: str, since: float, *texts: str, seconds: float = 90) -> str:
        """Return the first line of a unit since then that holds all `texts`."""
        return wait_until(
            lambda: next((line for line in self.journal(unit, since) if all(text in line for text in texts)), ""),
            f"{unit} logs {texts}",
            seconds,
        )

    def acknowledged(self) -> int:
        """Return how many events the senders, which are stopped, have had acknowledged in their lives."""
        acked = 0
        for unit in SENDERS:
            folder = unit.replace("@", "-")
            counters = json.loads(self.host.check_output(f"cat /var/lib/{folder}/counters.json"))
            assert counters["generated"] == counters["acked"], f"{unit} has lost events at its stop"
            acked += int(counters["acked"])
        return acked

    def stand_still(self) -> tuple[Account, int]:
        """Stop all that sends by itself; return the account and how many events the senders have had acknowledged."""
        self.systemctl("stop", *SENDERS)
        return self.ledger.settled(), self.acknowledged()

    @contextmanager
    def still(self) -> Iterator[Account]:
        """Let nothing be sent; give the account; then have all services run, whatever has become of them."""
        try:
            yield self.stand_still()[0]
        finally:
            self.systemctl("start", *UNITS)
