# SPDX-License-Identifier: Apache-2.0
"""Log lines: one a record, with a priority for the journal, and no flood from the Kafka client."""

import logging

import pytest
from login_common import logs


def test_journal_line_has_priority_and_no_newline(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    logs.configure()
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("app").exception("broken")
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("<3>ERROR app: broken | Traceback")
    assert lines[0].endswith("ValueError: two | lines")


def test_plain_line_has_a_time(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    logs.configure()
    logging.getLogger("app").info("hello")
    assert capfd.readouterr().err[:2] == "20"


def test_kafka_repeats_pass_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("login_common.logs.time.monotonic", lambda: now)
    limit = logs.RepeatFilter("kafka")

    def passes(name: str, message: str, *arguments: object) -> bool:
        return limit.filter(logging.LogRecord(name, logging.WARNING, "", 0, message, arguments, None))

    assert passes("kafka.net", "failed: %s", 1)
    assert not passes("kafka.net", "failed: %s", 2)
    assert passes("kafka.net", "another")
    assert passes("app", "failed: %s", 1)
    assert passes("app", "failed: %s", 1)
    now += 61
    assert passes("kafka.net", "failed: %s", 3)
