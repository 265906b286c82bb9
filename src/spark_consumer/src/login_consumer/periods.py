# SPDX-License-Identifier: Apache-2.0
"""Indices by the span of time that their names tell, and from when on a retention keeps them."""

import re
from datetime import UTC, datetime
from typing import NamedTuple, Self

from login_consumer.counts import OffsetRange as Span
from login_consumer.documents import EVENTS, FAMILIES, Period

_DAY_MS = 86_400_000
_NAME = re.compile(rf"({'|'.join(FAMILIES)})-([0-9]{{4}})\.([0-9]{{2}})(?:\.([0-9]{{2}}))?")


class Index(NamedTuple):
    """An index of ours: its name, its family, and the times of its documents in milliseconds since 1970."""

    name: str
    family: str
    span: Span

    @classmethod
    def of(cls, name: str) -> Self | None:
        """Return what a name tells, None unless it is exactly one that the consumer gives."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        family, year, month, day = found.groups()
        period: Period = "day" if day else "month"
        if period == "day" and family != EVENTS:
            return None
        try:
            first = _ms(datetime(int(year), int(month), int(day or 1), tzinfo=UTC))
        except ValueError:  # such as a thirteenth month
            return None
        return cls(name, family, period_of(first, period))

    def is_over(self, now: int, days: int) -> bool:
        """Return whether its last moment is older than `days`."""
        return self.span.next <= now - days * _DAY_MS


def period_of(moment: int, period: Period) -> Span:
    """Return the whole month or day (UTC) that `moment` is in."""
    day = moment // _DAY_MS * _DAY_MS
    if period == "day":
        return Span(day, day + _DAY_MS)
    date = datetime.fromtimestamp(day // 1000, UTC).replace(day=1)
    year, month = (date.year, date.month + 1) if date.month < 12 else (date.year + 1, 1)
    # the month after the last one of the calendar is no date
    after = _ms(date.replace(year=year, month=month)) if year <= 9999 else _ms(date) + 31 * _DAY_MS
    return Span(_ms(date), after)


def first_kept(now: int, days: int, period: Period) -> int:
    """Return the first moment whose index is not over."""
    return period_of(max(0, now - days * _DAY_MS), period).first


def _ms(date: datetime) -> int:
    return round(date.timestamp()) * 1000
