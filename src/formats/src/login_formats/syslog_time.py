# SPDX-License-Identifier: Apache-2.0
"""Times at the head of syslog lines, as daemons write them, to milliseconds since 1970.

    Mar  1 10:00:00                     RFC 3164; also Mar 01, a fraction after . or , and a year at three places
    2026-03-01T11:00:05.123456+01:00    RFC 3339; also with a blank for T, / for -, and without a zone
    Sun 2026-03-01 10:00:00 CET         journalctl -o short-full
    1772359205.123456                   journalctl -o short-unix

A time that names no zone is a clock in the sender's zone. CET and the like are no zones but what a zone is called at a
time: the sender's zone must be called so then. A time without a year has the latest in which it is no more than a day
ahead of the record's arrival, and of the time it was written before where a header tells that: a file of last December
that is read in March is last year's, and a clock that is a little fast does not cost a year.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from login_common.times import NotATime, rfc3339_ms

from login_formats.reasons import Reason, Rejected
from login_formats.times import clock_ms
from login_formats.wrapper import Arrival

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_MS = 86_400_000
_LEAP_YEARS_APART = 8  # at most: 1896 and 1904

MONTH = f"(?:{'|'.join(_MONTHS)})"
_CLOCK = r"(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?"
_CLASSIC = (
    rf"(?:(?P<year>[0-9]{{4}}) +)?(?P<month>{MONTH}) +(?P<day>[0-9]{{1,2}})(?:,? +(?P<year_inside>[0-9]{{4}}))?"
    r"(?= +[0-9]{2}:)"
)
_ISO = r"(?P<date>[0-9]{4}[-/][0-9]{2}[-/][0-9]{2})(?=[Tt ])"
_OFFSET = r"[Zz]| ?[+-][0-9]{2}(?::?[0-9]{2})?| +(?:UTC|GMT)"
_YEAR_BEHIND = r"(?: +(?P<year_behind>[0-9]{4}))?"


def _stamp(zones: str) -> str:
    return (
        r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?"
        rf"(?:(?:{_CLASSIC}|{_ISO})(?:[Tt]| +){_CLOCK}(?P<zone>{zones})?{_YEAR_BEHIND}"
        r"|(?P<epoch>[0-9]{10}(?:[.,][0-9]+)?))(?![^\s\]:])"
    )


STAMP = _stamp(_OFFSET)
"""The pattern of a time; it ends before a blank, a colon or a bracket."""
_NAMED_STAMP = re.compile(_stamp(rf"{_OFFSET}| +[A-Z]{{3,5}}")).fullmatch
ZONE_NAME = re.compile(r"[A-Z]{3,5}").fullmatch
"""What may be the name of a zone."""


def stamp_ms(stamp: str, arrival: Arrival) -> int:
    """Return the milliseconds since 1970 of a text of STAMP, after which a name of a zone may stand.

    Finer fractions are cut off. Raises Rejected.
    """
    if stamp[10:11] == "T":  # most are, and it takes a third of the time
        try:
            return rfc3339_ms(stamp)
        except NotATime:
            pass
    if len(stamp) == 15 and stamp[3] == stamp[6] == " ":  # Mar  1 10:00:00
        return _latest_ms(f"-{_MONTHS.index(stamp[:3]) + 1:02}-{int(stamp[4:6]):02}T{stamp[7:]}", "", arrival)
    found = _NAMED_STAMP(stamp)
    if not found:
        raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, "the line begins with no time that is known")
    if epoch := found["epoch"]:
        seconds, _, fraction = epoch.replace(",", ".").partition(".")
        return int(seconds + f"{fraction[:3]:0<3}")
    micros = f"{(found['fraction'] or '')[:6]:0<6}"
    clock, zone = f"T{found['clock']}.{micros}", (found["zone"] or "").strip()
    if date := found["date"]:
        return _ms(_moment(date.replace("/", "-") + clock), zone, arrival)
    date = f"-{_MONTHS.index(found['month']) + 1:02}-{int(found['day']):02}"
    if year := found["year"] or found["year_inside"] or found["year_behind"]:
        return _ms(_moment(year + date + clock), zone, arrival)
    return _latest_ms(date + clock, zone, arrival)


def _latest_ms(text: str, zone: str, arrival: Arrival) -> int:
    """Return the time of a text that lacks but the year."""
    written_before = arrival.wrapper.written_before
    latest = _DAY_MS + (arrival.time if written_before is None else min(written_before, arrival.time))
    last = datetime.fromtimestamp(latest / 1000, UTC).year + 1  # where the zone is ahead of UTC
    for year in range(last, last - 2 - _LEAP_YEARS_APART, -1):
        try:
            moment = datetime.fromisoformat(f"{year:04}{text}")
        except ValueError:  # 29 February, in most years
            continue
        time = _ms(moment, zone, arrival)
        if time <= latest:
            return time
    raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, "there is no such day or hour")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:  # such as 30 February
        raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, str(error)) from None


def _ms(moment: datetime, zone: str, arrival: Arrival) -> int:
    own = arrival.wrapper.zone
    if not zone:
        return clock_ms(moment, own)
    if zone in ("Z", "z", "UTC", "GMT"):
        return clock_ms(moment, UTC)
    if zone[0] in "+-":
        return clock_ms(moment, _offset(zone))
    if own is None:
        return clock_ms(moment, None)
    for fold in (0, 1):  # the hour that autumn doubles has two names
        if moment.replace(tzinfo=own, fold=fold).tzname() == zone:
            return clock_ms(moment.replace(fold=fold), own)
    raise Rejected(Reason.TIMESTAMP_WITHOUT_ZONE, f"the sender's zone is not called {zone} at that time")


def _offset(text: str) -> tzinfo:
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:].removeprefix(":") or 0))
    try:
        return timezone(-offset if text[0] == "-" else offset)
    except ValueError as error:  # a day or more
        raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, str(error)) from None
