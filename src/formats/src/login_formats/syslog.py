# SPDX-License-Identifier: Apache-2.0
"""Lines of syslog as files hold them: when, where and which program said what.

    Mar  1 10:00:00 web-1 sshd[4242]: text
    2026-03-01T11:00:05.123456+01:00 web-1 sshd[4242]: text

Nearly all lines look like these, and are read by one pattern; syslog_head.py reads all other forms of their heads.
"""

import re
from collections.abc import Iterable
from itertools import repeat
from typing import NamedTuple

from login_formats import known, syslog_head
from login_formats.event import NotALogin
from login_formats.lines import AROUND, load_line
from login_formats.reasons import Reason, Rejected, unrecognised
from login_formats.syslog_head import NO_HOSTS, PROGRAMS, Head
from login_formats.syslog_time import MONTH, stamp_ms
from login_formats.wrapper import Arrival

# each part ends where the next begins, so that no line takes longer than its length
_COMMON = re.compile(
    r"(?:<[0-9]{1,3}>)?"
    rf"(?P<stamp>{MONTH} [ 0-9][0-9] [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(?:\.[0-9]{{1,9}})?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)"
    r" (?P<host>[A-Za-z0-9][\w.:%/@-]*(?<!:)) (?P<program>[A-Za-z_][\w.-]*)(?:\[(?P<pid>[0-9]{1,10})\])?:(?: +|$)"
).match
# more than five digits are no count that a machine has kept
_REPEATED = re.compile(r"message repeated ([0-9]{1,5}) times: \[ ?(.*)\]", re.DOTALL).fullmatch
_UNKNOWN_REPEATED = re.compile(r"(?:\S+\s+)?[Ll]ast message (?:'.*' )?(?:buffered|repeated) [0-9]+ times?").match
_SYSLOGS = ("syslogd", "rsyslogd", "syslog-ng", "syslog")
_LONGEST_HOST = 300
_ENDS = frozenset(" \t\v\f5M")
_RETURNS = ("#015", "^M")
"""How daemons write the carriage return of a sender."""


class Line(NamedTuple):
    """A line, taken apart."""

    stamp: str
    host: str | None
    program: str
    pid: int | None
    text: str

    def time(self, arrival: Arrival) -> int:
        """Return its time in milliseconds since 1970. Raises Rejected."""
        return stamp_ms(self.stamp, arrival)


def load(raw: bytes | None) -> Line:
    """Return the line in `raw`, which is to be of one of PROGRAMS.

    Bytes that are no UTF-8, which clients can put into names, become U+FFFD. Raises Rejected, NotALogin.
    """
    line = load_line(raw, "replace")
    if line[-1] in _ENDS:
        line = _trimmed(line)
    found = _COMMON(line)
    if found and (program := found["program"]) not in PROGRAMS:
        raise _of_another(line, program, found.end())
    head = _head(line, found)
    if head is None:
        raise Rejected(Reason.NOT_A_LINE, "the value is no line of syslog: a time, a host, a program and a text")
    if head.program is None:
        _check_repeated(line, head.at)
        if syslog_head.names_ours(line, head.at):
            raise Rejected(Reason.NOT_A_LINE, "the line may tell of a login, and its head is of no known form")
        raise _no_login(None, line[head.at :])
    if head.program not in PROGRAMS:
        raise _of_another(line, head.program, head.at)
    _check_repeated(line, head.at)
    text = line[head.at : head.end]
    if text.startswith("message repeated "):
        raise Rejected(
            Reason.SEVERAL_EVENTS, "the line stands for several: login-producer takes it apart, up to 99,999 times"
        )
    return Line(head.stamp, head.host, head.program, head.pid, text)


def split(raw: bytes) -> Iterable[bytes]:
    """Return the line as often as "message repeated 5 times: [ ... ]" says, else `raw` itself."""
    if b"message repeated " not in raw:
        return (raw,)
    line = _trimmed(raw.decode(errors="surrogateescape").strip(AROUND))
    head = _head(line, _COMMON(line))
    repeated = head and head.end == len(line) and _REPEATED(line[head.at :])
    if not head or not repeated:
        return (raw,)
    return repeat((line[: head.at] + repeated[2]).encode(errors="surrogateescape"), int(repeated[1]))


def _trimmed(line: str) -> str:
    line = line.rstrip()
    return line[: line.rindex("#" if line.endswith("#015") else "^")].rstrip() if line.endswith(_RETURNS) else line


def _head(line: str, common: re.Match[str] | None) -> Head | None:
    if common is None or common["host"] in NO_HOSTS:
        return syslog_head.read(line)
    stamp, host, program, pid = common.groups()
    at = syslog_head.undecorated(line, common.end())
    return Head(stamp, host, program, int(pid) if pid else None, at, len(line))


def _check_repeated(line: str, at: int) -> None:
    """Raise Rejected, if the line stands for others that it does not tell in full."""
    if line.find("ast message ", at, at + _LONGEST_HOST) >= 0 and _UNKNOWN_REPEATED(line, at):
        raise Rejected(
            Reason.NOT_A_LINE, "the line repeats one that it does not tell: let syslog write repeated lines in full"
        )


def _of_another(line: str, program: str, at: int) -> Exception:
    """Return what a line of a program that is not ours is. Raises Rejected, if it may hold one of ours."""
    if program in _SYSLOGS:
        _check_repeated(line, at)
    if program != "kernel" and syslog_head.is_disguised(line, at):  # the kernel tells of crashed ones
        raise Rejected(Reason.NOT_A_LINE, f"the line is of {program[:64]}, and may hold one of a program that is known")
    return _no_login(program, line[at:])


def _no_login(program: str | None, text: str) -> Exception:
    return NotALogin() if known.auth_line(program, text) else unrecognised("program", program or "")
