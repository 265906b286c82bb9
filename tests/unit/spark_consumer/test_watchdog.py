# SPDX-License-Identifier: Apache-2.0
"""A query that stands still is found by durations alone; systemd's watchdog is asked for and fed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from login_consumer import watchdog
from login_consumer.watchdog import LOOK_S, Stall


class Query:
    """Batches that begin or not, and records that wait, by a clock of its own."""

    def __init__(self) -> None:
        self.now, self.begun, self.idle, self.waiting, self.looks = 0.0, 0, True, 0, 0
        self.stall = Stall(self._look, lambda: self.now)

    def _look(self) -> int:
        self.looks += 1
        return self.waiting

    def after(self, seconds: float) -> int:
        """Return what is found to wait in the end, asked each second."""
        found = 0
        for _ in range(round(seconds)):
            self.now += 1
            found = found or self.stall.records(self.begun, self.idle)
        return found


def test_records_that_wait_for_two_looks_are_told() -> None:
    query = Query()
    query.waiting = 7
    assert query.after(2 * LOOK_S - 1) == 0
    assert query.after(1) == 7


def test_nothing_waits_and_nothing_is_told() -> None:
    query = Query()
    assert query.after(100 * LOOK_S) == 0
    assert query.looks == 100, "Kafka is asked once in so long"


def test_records_that_came_just_before_a_look_are_given_time() -> None:
    query = Query()
    query.after(LOOK_S - 1)
    query.waiting = 1
    assert query.after(2) == 0
    query.begun, query.waiting = 1, 0
    assert query.after(10 * LOOK_S) == 0


def test_a_batch_that_takes_long_is_none() -> None:
    query = Query()
    query.begun, query.idle, query.waiting = 1, False, 10_000
    assert query.after(50 * LOOK_S) == 0
    assert query.looks == 0


def test_batches_that_begin_are_none() -> None:
    query = Query()
    query.waiting = 10_000
    for _ in range(10):
        query.begun += 1
        assert query.after(LOOK_S) == 0


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(abstract: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"@{tmp_path}/notify" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0"))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        watchdog.expect(150)
        watchdog.alive()
        watchdog.expect(0)
        told = [systemd.recv(100).decode() for _ in range(3)]
    assert told == ["WATCHDOG_USEC=150000000\nWATCHDOG=1", "WATCHDOG=1", "WATCHDOG_USEC=0\nWATCHDOG=1"]


def test_without_systemd_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    watchdog.alive()
