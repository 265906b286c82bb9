# SPDX-License-Identifier: Apache-2.0
"""What docs/records.md cannot say with fixed bytes: an event's time against the record's arrival, tables of values."""

import pytest
from login_formats import Limits
from login_formats.countries import country_code
from login_formats.event import browser
from login_formats.native import parse
from login_formats.reasons import Reason, Rejected

NOW = 1_790_000_000_000  # 2026-09-21T14:13:20Z
DAY = 86_400_000
LIMITS = Limits(max_future=300_000, max_age=400 * DAY)


def parsed_time(timestamp: int) -> int:
    return parse(b'{"user_id":"u1","timestamp":%d}' % timestamp, NOW, LIMITS).timestamp


@pytest.mark.parametrize(
    ("last", "step", "reason"),
    [
        (NOW + 300_000, 1, Reason.TIMESTAMP_IN_FUTURE),
        (NOW - 400 * DAY, -1, Reason.TIMESTAMP_OUT_OF_RANGE),
    ],
)
def test_the_limits_of_time(last: int, step: int, reason: Reason) -> None:
    assert parsed_time(last) == last
    with pytest.raises(Rejected) as caught:
        parsed_time(last + step)
    assert caught.value.reason == reason


def test_every_reason_has_a_meaning() -> None:
    assert all(reason.meaning for reason in Reason)


@pytest.mark.parametrize("name", ["x" * 257, "é" * 129, "a" + "é" * 200, "😀" * 100, "한" * 10_000])
def test_a_browser_that_is_too_long_is_cut_and_marked(name: str) -> None:
    cut = browser(name)
    assert 250 <= len(cut.encode()) <= 256
    assert cut.endswith("…") and name.startswith(cut[:-1])
    assert browser(name[:64]) == name[:64]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The Netherlands", "NL"),
        ("the united kingdom", "GB"),
        ("Korea", "KR"),
        ("South Korea", "KR"),
        ("XK", "XK"),
        ("eu", "EU"),
        ("uk", "GB"),
        ("AN", "AN"),
        ("EN", None),
        ("XX", "XX"),
        ("OO", None),
        ("the", None),
        ("The Atlantis", None),
        ("the EN", None),
        ("ß1", None),
    ],
)
def test_countries(text: str, code: str | None) -> None:
    assert country_code(text) == code
