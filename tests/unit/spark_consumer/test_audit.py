# SPDX-License-Identifier: Apache-2.0
"""What the audit compares without a service; with services: tests/pipeline/test_audit.py."""

from collections import Counter
from typing import Any

import pytest
from login_consumer.audit import _Auditor
from login_consumer.balance import Audit, as_text
from login_consumer.documents import WindowKey
from login_consumer.settings import Settings
from login_consumer.windows import Span, between, side_by_side, widened

MINUTE = 60_000


def key(minute: int, browser: str | None = "Firefox", outcome: str = "success") -> WindowKey:
    return WindowKey(minute * MINUTE, "KR", browser, outcome)


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        ([], [], []),
        ([(key(1), 2)], [(key(1), 2)], [(key(1), 2, 2)]),
        ([(key(1), 2)], [], [(key(1), 2, 0)]),
        ([], [(key(1), 2)], [(key(1), 0, 2)]),
        (
            [(key(1), 1), (key(3), 3)],
            [(key(2), 2), (key(3), 4)],
            [(key(1), 1, 0), (key(2), 0, 2), (key(3), 3, 4)],
        ),
        (
            [(key(1, None), 1), (key(1, "Chrome"), 2)],
            [(key(1, "Chrome"), 2), (key(1, "Safari"), 3)],
            [(key(1, None), 1, 0), (key(1, "Chrome"), 2, 2), (key(1, "Safari"), 0, 3)],
        ),
    ],
)
def test_windows_meet_by_their_key(left: list[Any], right: list[Any], both: list[Any]) -> None:
    assert list(side_by_side(iter(left), iter(right))) == both


def test_whole_windows_are_compared() -> None:
    assert widened(Span(MINUTE + 1, 2 * MINUTE + 1), MINUTE) == Span(MINUTE, 3 * MINUTE)
    assert widened(Span(MINUTE, 2 * MINUTE), MINUTE) == Span(MINUTE, 2 * MINUTE)
    assert widened(None, MINUTE) is None
    assert between("@timestamp", None) == []


def test_the_balance_is_told_in_lines() -> None:
    found = Audit(batches=2, offsets=13, read=12, skipped=1, indexed=6, duplicates=1, dead=Counter(not_json=2))
    found.unrecognised, found.unrecognised_stored = 3, 2
    text = "\n".join(as_text(found))
    assert "13 = 12 read + 1 skipped" in text
    assert "12 = 6 events + 1 duplicates + 0 ignored + 3 unrecognised + 2 dead letters (not_json 2)" in text
    assert "2 of 3 unrecognised records" in text
    assert text.endswith("\nbalanced")
    found.faults.append("offsets 1 to 2 of partition 0 stand in no progress document of login-pipeline-* (id)")
    assert "\n".join(as_text(found)).endswith("FAULT          " + found.faults[0] + "\nDOES NOT BALANCE")


def test_what_is_not_compared_is_told() -> None:
    found = Audit(batches=2, since="2026-02-01T00:00:00.100Z", events_since="2025-01-01T00:00:00.000Z", too_old=3)
    text = "\n".join(as_text(found))
    assert "2 since 2026-02-01T00:00:00.100Z; older accounts are deleted" in text
    assert "0 events (3 of before 2025-01-01T00:00:00.000Z are not compared)" in text


ACCOUNT = {"@timestamp": "2026-03-01T10:00:00.000Z", "sequence": 0, "topic_id": "T1", "ranges": [], "read": 5,
           "skipped": 0, "indexed": 2, "duplicates": 1, "ignored": 1, "dead_by_reason": {"not_json": 1}}  # fmt: skip


class Letters:
    """A client whose only documents are letters."""

    def __init__(self, **reasons: int) -> None:
        self._reasons = reasons

    def search(self, aggs: Any, **_: Any) -> dict[str, Any]:
        found = [{"key": reason, "doc_count": count} for reason, count in self._reasons.items()]
        return {"hits": {"hits": []}, "aggregations": {"reasons": {"buckets": found}} if "reasons" in aggs else {}}


def faults(settings: Settings, letters: Letters, *accounts: dict[str, Any]) -> list[str]:
    auditor = _Auditor(settings, None)
    for account in accounts:
        auditor._add(account)
    found = auditor._found
    # offsets and events are not what is looked at here
    found.read, found.indexed = found.read - found.indexed, 0
    found.offsets = found.read
    auditor._check_sums()
    auditor._check_stored(letters)  # type: ignore[arg-type]
    return found.faults


def test_accounts_of_before_an_update_had_nothing_unrecognised(settings: Settings) -> None:
    new = ACCOUNT | {"read": 12, "unrecognised": 7, "unrecognised_kept": 4}
    assert faults(settings, Letters(not_json=1), ACCOUNT) == []
    assert faults(settings, Letters(not_json=2, unrecognised=4), ACCOUNT, new) == []


def test_each_unrecognised_record_is_a_term_of_the_balance(settings: Settings) -> None:
    new = ACCOUNT | {"read": 12, "unrecognised": 7, "unrecognised_kept": 4}
    (lost,) = faults(settings, Letters(not_json=1, unrecognised=3), new)
    assert lost == "the batches report 4 dead letters unrecognised, 3 are stored"
    (left_out,) = faults(settings, Letters(not_json=1, unrecognised=4), new | {"unrecognised": 6})
    assert left_out == "10 records were read, but 9 became something"
