# SPDX-License-Identifier: Apache-2.0
"""What docs/records.md cannot say with fixed bytes: an event's time against the record's arrival."""

import pytest
from login_formats import Limits
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
