# SPDX-License-Identifier: Apache-2.0
"""Timestamps of events: RFC 3339 text with a zone, or seconds or milliseconds since 1970, to milliseconds."""

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
