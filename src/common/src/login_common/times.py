# SPDX-License-Identifier: Apache-2.0
"""Times as text and as milliseconds since 1970, and the options of commands that choose a time range."""

import argparse
import re
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LOCAL = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
# fromisoformat alone would take weeks, dates without a time, and more
_WITH_ZONE = re.compile(_LOCAL + r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])").fullmatch
_WITHOUT_ZONE = re.compile(_LOCAL).fullmatch
_DAY_MS = 86_400_000

END_OF_TIME = 253_402_300_800_000
"""The end of the year 9999, the last that dates can show, in milliseconds since 1970."""


class NotATime(ValueError):
    """The text is no RFC 3339 time. The text of the error says why, as far as that is known."""


class NotAZone(ValueError):
    """The name is no zone of the IANA database."""


class WithoutZone(NotATime):
    """The text would be an RFC 3339 time, but has no zone, so that its meaning would be a guess."""


def rfc3339_ms(text: str) -> int:
    """Return the milliseconds since 1970 of an RFC 3339 time; finer fractions are cut off. Raises NotATime."""
    if not _WITH_ZONE(text):
        if _WITHOUT_ZONE(text):
            raise WithoutZone("it has no Z and no offset from UTC")
        raise NotATime
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:  # such as 30 February or the year 0
        raise NotATime(str(error)) from None
    # the microseconds apart, since a float of seconds would round them
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000


def zone(name: str) -> ZoneInfo:
    """Return a zone by its name in the IANA database, such as Europe/Berlin. Raises NotAZone."""
    try:
        return ZoneInfo(name)  # keeps those it has read
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NotAZone('should be a zone of the IANA database, as in "Europe/Berlin"') from None


# Looked up and put together, a time is text in a quarter of the microsecond that it takes to format it.
_MINUTES = tuple(f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(24 * 60))
_SECONDS = tuple(f"{second:02}." for second in range(60))
_MILLISECONDS = tuple(f"{ms:03}Z" for ms in range(1000))


def iso(timestamp: int) -> str:
    """Return milliseconds since 1970 as 2026-03-01T10:00:00.000Z."""
    day, ms = divmod(timestamp, _DAY_MS)
    second = ms // 1000
    return f"{_date(day)}{_MINUTES[second // 60]}{_SECONDS[second % 60]}{_MILLISECONDS[ms % 1000]}"


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day * _DAY_MS // 1000, UTC):%Y-%m-%d}"


def moment(text: str) -> int:
    """Return the milliseconds since 1970 of a command's argument: RFC 3339 with a zone, or a date (UTC).

    Raises argparse.ArgumentTypeError, whose text argparse shows as it is.
    """
    try:
        if _DATE(text):
            return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000
        return rfc3339_ms(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r}: {str(error) or 'this is no time'}; give a date such as 2026-03-01, "
            "or a time with its zone such as 2026-03-01T10:00:00Z"
        ) from None


def add_time_options(parser: argparse.ArgumentParser, of: str) -> None:
    """Add --from and --to, kept as `start` and `end` in milliseconds or None; `of` says what the time is of."""
    times = f"{of}, as in 2026-03-01T10:00:00Z or 2026-03-01"
    parser.add_argument("--from", dest="start", metavar="TIME", type=moment, help=times)
    parser.add_argument("--to", dest="end", metavar="TIME", type=moment, help="likewise, itself excluded")
