# SPDX-License-Identifier: Apache-2.0
"""Lines of syslog as files hold them: when, where and which program said what.

    Mar  1 10:00:00 web-1 sshd[4242]: text
    2026-03-01T11:00:05.123456+01:00 web-1 sshd[4242]: text

A priority may stand before them, as in <86>: rsyslog sends it.
The classic time has neither a year nor a zone. Its year is the latest in which it is no more than a day ahead of the
record's arrival, and of the time it was written before where a header tells that: a file of last December that is read
in March is last year's, and a clock that is a little fast does not cost a year.
"""

import re
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from itertools import repeat
from typing import NamedTuple

from login_formats.lines import AROUND, load_line
from login_formats.reasons import Reason, Rejected
from login_formats.times import clock_ms, local_ms
from login_formats.wrapper import Arrival

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_MS = 86_400_000
_LEAP_YEARS_APART = 8  # at most: 1896 and 1904

# each part ends where the next begins, so that no line takes longer than its length
_LINE = re.compile(
    r"(?:<[0-9]{1,3}>)?"
    rf"(?P<stamp>(?:{'|'.join(_MONTHS)}) +[0-9]{{1,2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}|[0-9]{{4}}-\S+)"
    r" (?P<host>\S+) (?:(?P<program>[^\s\[\]:]+)(?:\[(?P<pid>[0-9]{1,10})\])?: *)?(?P<text>.*)",
    re.DOTALL,
).fullmatch
# more than five digits are no count that a machine has kept
_REPEATED = re.compile(r"message repeated ([0-9]{1,5}) times: \[ ?(.*)\]", re.DOTALL).fullmatch
_UNKNOWN_REPEATED = re.compile(r"last message (?:buffered|repeated) [0-9]+ times?").match


class Line(NamedTuple):
    """A line, taken apart."""

    stamp: str
    host: str
    program: str
    pid: int | None
    text: str

    def time(self, arrival: Arrival) -> int:
        """Return its time in milliseconds since 1970. Raises Rejected."""
        if self.stamp[0].isdigit():
            return local_ms(self.stamp, arrival.wrapper.zone)
        written_before = arrival.wrapper.written_before
        latest = _DAY_MS + (arrival.time if written_before is None else min(written_before, arrival.time))
        name, day, clock = self.stamp.split()
        month = _MONTHS.index(name) + 1
        year = datetime.fromtimestamp(latest / 1000, UTC).year + 1  # where the zone is ahead of UTC
        for each in range(year, year - 2 - _LEAP_YEARS_APART, -1):
            try:
                moment = datetime.fromisoformat(f"{each:04}-{month:02}-{int(day):02}T{clock}")
            except ValueError:  # 29 February, in most years
                continue
            time = clock_ms(moment, arrival.wrapper.zone)
            if time <= latest:
                return time
        raise Rejected(Reason.TIMESTAMP_UNPARSEABLE, "there is no such day or hour")


def load(raw: bytes | None, programs: Container[str]) -> Line | None:
    """Return the line in `raw`, None if it is of none of `programs`.

    Bytes that are no UTF-8, which clients can put into names, become U+FFFD. Raises Rejected.
    """
    found = _LINE(load_line(raw, "replace"))
    if not found:
        raise Rejected(Reason.NOT_A_LINE, "the value is no line of syslog: a time, a host, a program and a text")
    program, text = found["program"], found["text"]
    if program is None and _UNKNOWN_REPEATED(text):
        raise Rejected(
            Reason.NOT_A_LINE, "the line repeats one that it does not tell: let syslog write repeated lines in full"
        )
    if program not in programs:
        return None
    if text.startswith("message repeated "):
        raise Rejected(
            Reason.SEVERAL_EVENTS, "the line stands for several: login-producer takes it apart, up to 99,999 times"
        )
    return Line(found["stamp"], found["host"], program, int(found["pid"]) if found["pid"] else None, text)


def split(raw: bytes) -> Iterable[bytes]:
    """Return the line as often as "message repeated 5 times: [ ... ]" says, else `raw` itself."""
    found = _LINE(raw.decode(errors="surrogateescape").strip(AROUND)) if b"message repeated " in raw else None
    repeated = found and _REPEATED(found["text"])
    if not found or not repeated:
        return (raw,)
    head = found[0][: found.start("text")]
    return repeat((head + repeated[2]).encode(errors="surrogateescape"), int(repeated[1]))
