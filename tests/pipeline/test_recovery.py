# SPDX-License-Identifier: Apache-2.0
"""Restarts of every service and a reboot of the host, while events flow: no event is lost, none counted twice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from account import NOT_YET, Account, Ledger
from deployment import Deployment, Tunnel
from kafka.errors import KafkaError
from playbook import ROOT
from testinfra.host import Host
from waiting import wait_until

UNITS = ("kafka", "elasticsearch", "login-consumer", "login-producer")


@pytest.fixture(autouse=True)
def producer_afterwards(host: Host) -> Iterator[None]:
    yield
    host.check_output("systemctl start login-producer")


def stand_still(host: Host, ledger: Ledger) -> tuple[Account, int]:
    """Stop the producer; return the account and how many events it has had acknowledged in its life."""
    host.check_output("systemctl stop login-producer")
    counters = json.loads(host.check_output("cat /var/lib/login-producer/counters.json"))
    assert counters["generated"] == counters["acked"], "the producer has lost events at its stop"
    return ledger.settled(), int(counters["acked"])


def wait_for_flow(ledger: Ledger) -> None:
    """Wait until events that did not exist at the call are documents."""
    ends = wait_until(ledger.ends, "Kafka answers", 120, ignoring=(KafkaError,))
    newer = {partition: end + 1 for partition, end in ends.items()}
    wait_until(
        lambda: any(ledger.done().get(partition, 0) >= end for partition, end in newer.items()),
        "new events arrive",
        180,
        ignoring=NOT_YET,
    )


def check_nothing_was_lost(before: tuple[Account, int], after: tuple[Account, int]) -> None:
    (old, old_acked), (new, new_acked) = before, after
    assert new_acked > old_acked
    # The producer may have sent an event twice when its connection broke; the consumer has told it by its id.
    assert (new.events - old.events) + (new.dead - old.dead) == new_acked - old_acked
    for account in (old, new):
        assert account.kafka == account.events + account.duplicates + account.ignored + account.dead
        assert account.counted == account.events


def test_restarts_lose_no_event(host: Host, ledger: Ledger) -> None:
    before = stand_still(host, ledger)
    host.check_output("systemctl start login-producer")
    for unit in UNITS:
        wait_for_flow(ledger)
        host.check_output("systemctl restart %s", unit)
    wait_for_flow(ledger)
    check_nothing_was_lost(before, stand_still(host, ledger))


def test_a_reboot_loses_no_event_and_needs_no_hand(
    host: Host, ledger: Ledger, deployment: Deployment, tunnel: Tunnel
) -> None:
    before = stand_still(host, ledger)
    host.check_output("systemctl start login-producer")
    wait_for_flow(ledger)
    boot = host.check_output("stat -c %Y /proc/1")
    subprocess.run([ROOT / "tools/testhost/testhost", "reboot", deployment.name], check=True)
    tunnel.open()
    wait_for_flow(ledger)
    assert host.check_output("stat -c %Y /proc/1") != boot
    assert host.check_output(f"systemctl is-active {' '.join(UNITS)}").split() == ["active"] * len(UNITS)
    check_nothing_was_lost(before, stand_still(host, ledger))
