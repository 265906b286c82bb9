# SPDX-License-Identifier: Apache-2.0
"""Timestamps of events: RFC 3339 text with a zone, or seconds or milliseconds since 1970, to milliseconds."""

import argparse
import re
from datetime import UTC, datetime

from login_consumer.reasons import Reason, Rejected

# Below this an epoch number counts seconds (until the year 5138), from here on milliseconds (since 1973).
_FIRST_MS = 100_000_000_000
_FIRST_US = 1000 * _FIRST_MS

_LOCAL = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
# fromisoformat alone would take weeks, dates without a time, and more
_WITH_ZONE = re.compile(_LOCAL + r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])").fullmatch
_WITHOUT_ZONE = re.compile(_LOCAL).fullmatch

END_OF_TIME = 253_402_300_800_000
"""The end of the year 9999, the last that dates can show, in milliseconds since 1970."""


def epoch_ms(value: object) -> int:
    """Return the milliseconds since 1970 of `value`; finer fractions are cut off.

    Raises Rejected if it is absent, has no zone or cannot be read. The range is not judged here.
    """
    if type(value) is str:
        return _from_text(value)
    if value is None:
        raise Rejected(Reason.TIMESTAMP_MISSING)
    if type(value) is int or type(value) is float:
        if abs(value) < _FIRST_MS:
            return int(value * 1000)
        if abs(value) < _FIRST_US:
            return int(value)
        raise Rejected(Reason.TIMESTAMP_OUT_OF_RANGE, "an epoch number must count seconds or milliseconds")
    raise Rejected(Reason.TIMESTAMP_UNPARSEABLE)


def _from_text(text: str) -> int:
    if not _WITH_ZONE(text):
        raise Rejected(Reason.TIMESTAMP_WITHOUT_ZONE if _WITHOUT_ZONE(text) else Reason.TIMESTAMP_UNPARSEABLE)
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:  # such as 30 February or the year 0
        raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, str(error)) from None
    # the microseconds apart, since a float of seconds would round them
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


def moment(text: str) -> int:
    """Return the milliseconds since 1970 of a command's argument: RFC 3339 with a zone, or a date (UTC).

    Raises argparse.ArgumentTypeError, whose text argparse shows as it is.
    """
    try:
        if _DATE(text):
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000
        return _from_text(text)
    except (Rejected, ValueError, OverflowError) as error:
        why = error.detail if isinstance(error, Rejected) else str(error)
        raise argparse.ArgumentTypeError(
            f"{text!r}: {why}; give a date such as 2026-03-01, or a time with its zone such as 2026-03-01T10:00:00Z"
        ) from None


def add_time_options(parser: argparse.ArgumentParser, of: str) -> None:
    """Add --from and --to, kept as `start` and `end` in milliseconds or None; `of` says what the time is of."""
    times = f"{of}, as in 2026-03-01T10:00:00Z or 2026-03-01"
    parser.add_argument("--from", dest="start", metavar="TIME", type=moment, help=times)
    parser.add_argument("--to", dest="end", metavar="TIME", type=moment, help="likewise, itself excluded")
