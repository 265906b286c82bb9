# SPDX-License-Identifier: Apache-2.0
"""Real logins: those to the host itself by its journal, files of every format, and files that rotate."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from account import NOT_YET
from deployment import Tunnel
from elasticsearch import Elasticsearch
from pipeline import UNITS, Pipeline
from samples import SAMPLES, Sample
from testinfra.host import Host
from waiting import wait_until

SECONDS = 60
NOBODYS = "203.0.113.66"  # of the addresses reserved for documentation
FOLLOWED = "/var/log/login-app"
FILES = "login-producer@files"

# There is no terminal to ask for a password: ssh asks a program.
ATTEMPT = (
    "printf '#!/bin/sh\\necho %s\\n' {password} > /run/askpass && chmod 700 /run/askpass && "
    "if SSH_ASKPASS=/run/askpass SSH_ASKPASS_REQUIRE=force "
    "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
    "-o NumberOfPasswordPrompts=1 -o PreferredAuthentications=password {user}@localhost true; "
    "then echo success; else echo failure; fi"
)


@pytest.fixture(scope="module")
def user(host: Host) -> Iterator[tuple[str, str]]:
    """An account on the host, with its password."""
    name, password = f"t{secrets.token_hex(4)}", secrets.token_hex(8)
    host.check_output(f"useradd --create-home {name} && echo {name}:{password} | chpasswd")
    yield name, password
    host.run(f"rm -f /run/askpass; pkill -KILL -u {name}; userdel --remove {name}")


def attempt(host: Host, user: str, password: str) -> str:
    """Log in to the host from the host; return success or failure."""
    return str(host.check_output(ATTEMPT.format(user=user, password=password)))


def events(elastic: Elasticsearch, **terms: str) -> list[dict[str, Any]]:
    """Return the stored events with these values; keywords stand for ECS names with _ for the dots."""
    filters = [{"term": {name.replace("_", "."): value}} for name, value in terms.items()]
    hits = elastic.search(index="login-events-*", query={"bool": {"filter": filters}}, size=1000, sort="@timestamp")
    return [hit["_source"] for hit in hits["hits"]["hits"]]


def test_ssh_logins_are_stored_with_how_they_went(host: Host, user: tuple[str, str], elastic: Elasticsearch) -> None:
    name, password = user
    assert attempt(host, name, "wrong") == "failure"
    assert attempt(host, name, password) == "success"
    wait_until(lambda: len(events(elastic, user_name=name)) >= 2, "both attempts are stored", SECONDS)
    failure, success = events(elastic, user_name=name)
    for event, outcome, reason in ((failure, "failure", "bad_password"), (success, "success", None)):
        assert event["event"]["outcome"] == outcome
        assert event["event"].get("reason") == reason
        assert event["event"]["action"] == "ssh_login"
        assert event["source"]["ip"] in ("127.0.0.1", "::1")
        assert event["login"]["method"] == "password"
        assert event["host"]["name"] == host.check_output("uname -n")


def test_what_a_user_writes_into_the_journal_himself_is_not_believed(
    host: Host, user: tuple[str, str], elastic: Elasticsearch
) -> None:
    name, password = user
    before, logins = status(host)["source"]["untrusted"], len(events(elastic, user_name=name))
    text = f"Accepted password for root from {NOBODYS} port 22 ssh2"
    host.check_output(f"runuser -u {name} -- logger -t sshd '{text}'")
    wait_until(lambda: status(host)["source"]["untrusted"] > before, "the forged entry is noticed", SECONDS)
    # what came after it is stored, so it would be, too
    assert attempt(host, name, password) == "success"
    wait_until(lambda: len(events(elastic, user_name=name)) > logins, "the login is stored", SECONDS)
    assert events(elastic, source_address=NOBODYS, event_dataset="system.auth") == []


def status(host: Host, source: str = "journal") -> dict[str, Any]:
    told = host.check_output(f"login-producer status --json --settings /etc/login-producer/sources/{source}.toml")
    return dict(json.loads(told))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.format)
def test_a_file_of_each_format_goes_the_whole_way(sample: Sample, pipeline: Pipeline) -> None:
    """Each line becomes an event, is ignored, unrecognised, or a dead letter; the audit balances."""
    host = pipeline.host
    with pipeline.still() as before:
        host.check_output("printf %%s %s > /run/sample", sample.text + "\n")
        options = f"--source stdin --format {sample.format} --layout {sample.layout}" + (
            f" --timezone {sample.timezone}" if sample.timezone else ""
        )
        told = host.run(f"login-producer run {options} < /run/sample")
        assert told.rc == 0, told.stderr
        after = pipeline.ledger.settled()
        names = ("events", "ignored", "unrecognised", "dead")
        became = {name: getattr(after, name) - getattr(before, name) for name in names}
        assert became == {name: getattr(sample, name) for name in names}
        assert after.fault() == ""
        found = pipeline.audit()
        assert found["balanced"], found


class App:
    """An application on the host that writes logins, a line each, to a log that rotates."""

    def __init__(self, host: Host) -> None:
        self._host, self.run, self.written = host, secrets.token_hex(4), 0
        self.log = f"{FOLLOWED}/{self.run}.log"
        host.check_output(f"mkdir -p {FOLLOWED}")

    def write(self, count: int, end: str = "\n") -> None:
        """Write so many lines, the last with this end."""
        now = datetime.now().astimezone()
        lines = [
            json.dumps(
                {"user_id": f"{self.run}-{number}", "timestamp": (now + timedelta(milliseconds=number)).isoformat()}
            )
            for number in range(self.written, self.written + count)
        ]
        self.written += count
        text = "\n".join(lines) + end
        self._host.check_output("printf %%s %s >> %s", text, self.log)

    def finish_line(self) -> None:
        self._host.check_output(f"echo >> {self.log}")

    def rename(self) -> None:
        self._host.check_output(f"mv -f {self.log} {self.log}.1")

    def copy_and_truncate(self) -> None:
        self._host.check_output(f"cp {self.log} {self.log}.1 && truncate --size 0 {self.log}")

    def stored(self, elastic: Elasticsearch) -> Counter[str]:
        """Return how often each of its lines is stored."""
        query = {"prefix": {"user.id": f"{self.run}-"}}
        hits = elastic.search(index="login-events-*", query=query, size=10_000)["hits"]["hits"]
        return Counter(hit["_source"]["user"]["id"] for hit in hits)


def test_a_log_that_rotates_is_read_once_whatever_happens(
    pipeline: Pipeline, elastic: Elasticsearch, tunnel: Tunnel
) -> None:
    host = pipeline.host
    app = App(host)

    def wait(what: str, seconds: float = SECONDS) -> None:
        wait_until(lambda: len(app.stored(elastic)) == app.written, f"{what} are stored", seconds, ignoring=NOT_YET)

    with restored(pipeline):
        app.write(100)
        wait("the first lines")
        app.write(50, end="")  # its last line is not finished
        app.rename()
        pipeline.systemctl("kill --signal=KILL", FILES)
        app.write(70)
        wait("the lines around a kill and a renaming")
        pipeline.systemctl("stop", FILES)
        app.write(30)
        app.rename()
        app.write(40)
        pipeline.systemctl("start", FILES)
        wait("the lines around a stop and a renaming")
        app.copy_and_truncate()
        app.write(60)
        wait("the lines after a copy and truncation")
        app.write(500)
        pipeline.deployment.reboot()
        tunnel.open()
        app.rename()
        app.write(20)
        wait("the lines around a reboot and a renaming", 3 * SECONDS)
    assert set(app.stored(elastic).values()) == {1}
    found = pipeline.audit()
    assert found["balanced"], found


@contextmanager
def restored(pipeline: Pipeline) -> Iterator[None]:
    try:
        yield
    finally:
        pipeline.host.check_output(f"rm -rf {FOLLOWED}")
        pipeline.systemctl("start", *UNITS, FILES)
