# SPDX-License-Identifier: Apache-2.0
"""Counters over restarts, kills and damage, and the status file."""

import json
import os
from pathlib import Path

import pytest
from login_producer import status
from login_producer.counters import CounterFile, StateError


def write(path: Path, **counts: object) -> None:
    zero = {"generated": 0, "sent": 0, "acked": 0, "resent": 0, "failed": {}}
    path.write_text(json.dumps(zero | counts))


def test_counts_go_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    first = CounterFile(path)
    first.counters.generated = first.counters.sent = 5
    first.counters.acked = 4
    first.counters.failed["too_large"] = 1
    first.save()
    del first  # frees the lock
    assert CounterFile(path).counters.as_dict() == {
        "generated": 5, "sent": 5, "acked": 4, "resent": 0, "failed": {"too_large": 1}, "untrusted": 0,
    }  # fmt: skip


def test_events_in_flight_at_a_kill_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    write(path, generated=10, sent=10, acked=6, failed={"too_large": 1})
    counters = CounterFile(path).counters
    assert counters.failed == {"too_large": 1, "interrupted": 3}
    assert json.loads(path.read_text())["failed"]["interrupted"] == 3


def test_a_damaged_file_is_kept_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "counters.json"
    path.write_text("{")
    assert CounterFile(path).counters.generated == 0
    assert (tmp_path / "counters.damaged").read_text() == "{"
    assert "counting starts at zero" in caplog.text


def test_two_producers_cannot_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    holder = CounterFile(path)
    with pytest.raises(StateError, match="another login-producer uses this file"):
        CounterFile(path)
    del holder


def test_missing_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="create the directory"):
        CounterFile(tmp_path / "none" / "counters.json")


def test_status_needs_a_running_producer(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    with pytest.raises(status.StatusError, match="no producer runs here"):
        status.read(path)
    path.write_text("{}")
    os.utime(path, (1, 1))
    with pytest.raises(status.StatusError, match="was killed or hangs"):
        status.read(path)
