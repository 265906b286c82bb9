# SPDX-License-Identifier: Apache-2.0
"""Timestamps of events: RFC 3339 text with a zone, or seconds or milliseconds since 1970, to milliseconds."""

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from login_common.times import NotATime, WithoutZone, rfc3339_ms

from login_formats.reasons import Reason, Rejected

# Below this an epoch number counts seconds (until the year 5138), from here on milliseconds (since 1973).
_FIRST_MS = 100_000_000_000
_FIRST_US = 1000 * _FIRST_MS


def epoch_ms(value: object) -> int:
    """Return the milliseconds since 1970 of `value`; finer fractions are cut off.

    Raises Rejected if it is absent, has no zone or cannot be read. The range is not judged here.
    """
    if type(value) is str:
        try:
            return rfc3339_ms(value)
        except WithoutZone:
            raise Rejected(Reason.TIMESTAMP_WITHOUT_ZONE) from None
        except NotATime as error:
            raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, str(error)) from None
    if value is None:
        raise Rejected(Reason.TIMESTAMP_MISSING)
    if type(value) is int or type(value) is float:
        if abs(value) < _FIRST_MS:
            return int(value * 1000)
        if abs(value) < _FIRST_US:
            return int(value)
        raise Rejected(Reason.TIMESTAMP_OUT_OF_RANGE, "an epoch number must count seconds or milliseconds")
    raise Rejected(Reason.TIMESTAMP_UNPARSEABLE)


def local_ms(text: str, zone: ZoneInfo | None) -> int:
    """Return the milliseconds since 1970 of RFC 3339 text; where it names no zone, it is a clock in `zone`.

    Raises Rejected.
    """
    try:
        return rfc3339_ms(text)
    except WithoutZone:
        try:
            return clock_ms(datetime.fromisoformat(text.upper()), zone)
        except ValueError as error:  # such as 30 February
            raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, str(error)) from None
    except NotATime as error:
        raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, str(error)) from None


def clock_ms(clock: datetime, zone: tzinfo | None) -> int:
    """Return the milliseconds since 1970 when a clock in `zone` showed `clock`.

    An hour that comes twice, in autumn, is taken for its first time; one that spring skips is read as if the clock
    had not been put forward. Raises Rejected without a zone.
    """
    if zone is None:
        raise Rejected(
            Reason.TIMESTAMP_WITHOUT_ZONE,
            "the time names no zone: set source.timezone of login-producer, or send the header login-timezone",
        )
    return int(clock.replace(microsecond=0, tzinfo=zone).timestamp()) * 1000 + clock.microsecond // 1000
