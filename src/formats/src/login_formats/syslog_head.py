# SPDX-License-Identifier: Apache-2.0
"""Heads of syslog lines in all the forms that daemons and tools write: a time, a host, a program and its process.

    <86>Mar  1 10:00:00 web-1 sshd[4242]: text                              RFC 3164; the host may be missing
    <38>1 2026-03-01T10:00:00Z web-1 sshd 4242 - [meta sequenceId="1"] text RFC 5424; all before the time may be missing
    Mar  1 10:00:00 web-1 auth.info sshd[4242]: text                        BusyBox; FreeBSD: <auth.info> or <4.6>
    Mar  1 10:00:00 web-1 auth|security:info sshd[4242]: text               AIX
    Mar  1 10:00:00 web-1 sshd[4242]: [ID 800047 auth.info] text            Solaris
    2026-03-01 10:00:00.123456-0700  web-1 sshd[4242]: (libpam) [a:b] text  macOS
    Mar  1 10:00:01 relay <86>Mar  1 10:00:00 web-1 sshd[4242]: text        a relay that did not take the head apart

Between time and program stand at most a host and words of a closed list, such as a facility: an open one would let a
name that somebody chose, such as that of a process, pass for a part of the head. What is beyond it has no program here.
"""

import re
from typing import NamedTuple

from login_formats.syslog_time import STAMP, ZONE_NAME

PROGRAMS = frozenset({"sshd", "sshd-session", "sshd-auth", "dropbear", "sudo", "su", "login"})
"""The programs that tell of logins."""

_FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "security", "ftp",
    "ntp", "audit", "alert", "clock", "console", *(f"local{number}" for number in range(8)),
)  # fmt: skip
_SEVERITIES = ("emerg", "panic", "alert", "crit", "err", "error", "warning", "warn", "notice", "info", "debug")
_FACILITY, _SEVERITY = (f"(?:{'|'.join(names)})" for names in (_FACILITIES, _SEVERITIES))
_LEVEL = rf"(?:{_FACILITY}(?:\|{_FACILITY})*[.:]{_SEVERITY})"
NO_HOSTS = frozenset(
    {"UTC", "GMT", *map(str, range(1970, 2100)), *(f"{a}.{b}" for a in _FACILITIES for b in _SEVERITIES)}
)
"""What may stand where a host does, and is none: a zone, a year, a level."""
_NAMES = "|".join(sorted(PROGRAMS))

# the number that counts bytes on a stream, the priority, the version of RFC 5424, and a bracket around the time
_BEFORE = r"\ufeff?(?:[0-9]{1,7} (?=<))?(?:<[0-9]{1,4}>\s*(?:: )?)?(?:1 (?=[0-9]{4}-))?[*\[]?"
_TIME = re.compile(rf"\s*{_BEFORE}(?P<stamp>{STAMP})\]?:?(?:\s+|$)").match
_WORD = re.compile(r"(\S+)\s+").match
_ADDRESS = r"[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]+"
# what may stand before a host as well as after it
_EXTRA = re.compile(
    rf"(?:-|<(?:{_LEVEL}|[0-9]+\.[0-9]+|{_SEVERITY}|[0-9]{{1,4}})>|[\[(]?{_LEVEL}[\])]?:?"
    r"|EMERG|PANIC|ALERT|CRIT|CRITICAL|ERR|ERROR|WARNING|WARN|NOTICE|INFO|DEBUG"
    r"|[0-9]+:?"  # a number that counts the lines
    r"|(?:Em|Al|Cr|Er|Wa|No|In|Db)\([0-9]+\)|Df|Db|Er|Ft"  # ESXi; macOS, compact
    r"|0x[0-9a-f]+|Default|Info|Debug|Error|Fault"  # macOS, in columns
    r")\s+"
).match
_EXTRA_AFTER_HOST = re.compile(rf"(?:{_SEVERITY}|{_FACILITY}|[\[(]{_ADDRESS}[\])]|[\[(]{_SEVERITY}[\])])\s+").match
_FORWARDED = re.compile(r"Message forwarded from ([^\s:]+):\s+").match  # AIX
# the number of the process may have more in its brackets, and a level may follow
_TAG = re.compile(
    r"(?P<name>[^\s\[\]:<>\"={}]+)(?:\[(?P<pid>[^\]\s]*)\]| \[(?P<apart>[0-9]+)\](?=:))?(?: ?<\w+>)?"
    r"(?P<colon>:)?(?P<blank>\s+|$)?"
).match
_DATA = r"(?:\[[^\s\]=\"]+(?: +[^\s\]=\"]+=\"(?:[^\"\\]|\\.)*\")* *\])+"
_RFC5424 = re.compile(
    rf"(?P<host>\S+) +(?!{_LEVEL}\s)(?P<name>[^\s\[\]]+(?<!:)) +(?P<pid>[^\s\[]+) +[^\s\[]+ +(?:-(?!\S)|{_DATA})\s*"
).match
# the same where parts are missing
_AFTER_NAME = re.compile(rf"(?:(?P<pid>[0-9]{{1,10}}|-)(?=\s))?(?:\s*(?:-(?=\s)|{_DATA}))*\s*").match
# what daemons put between the program and its text
_DECORATION = re.compile(
    rf"(?:\ufeff|\[ID [0-9]+ {_LEVEL}\]\s+|[\[<(]{_LEVEL}[\]>)]:?\s+|<{_SEVERITY}>\s+|%[A-Z]+-[0-9](?:-[A-Z0-9_]+)?:\s+"
    r"|\([\w.+-]+\) +(?:\[[\w.-]+:[\w.-]+\] +)?)+"
).match
_DECORATED = "\ufeff[<(%"
# Cisco's NX-OS names the program last
_LAST = re.compile(r" - (?P<name>[\w/.-]+)\[(?P<pid>[0-9]+)\]\s*$").search
_NUMBER = re.compile(r"[0-9]{1,10}(?![0-9])").match
_STRANGE = re.compile(
    rf"(?<![\w.@-])(?:(?:{_NAMES})\[[0-9]+\]|(?:sshd|sshd-session|sshd-auth|dropbear|sudo):)(?=[\s:]|$)"
    r"|(?:Accepted|Failed) \S+ for "
).search
_NESTED = re.compile(rf"(?:\S+ )?(?:/\S*/)?(?:{_NAMES})\[[0-9]+\]: ").match
_OF_SSHD = re.compile(r"\S+ \S+ for .* from \S+ port [0-9]+ ssh2").match
_LONGEST, _LONGEST_LAST = 1000, 300
"""More characters no head has, and no name of a program that stands last."""


class Head(NamedTuple):
    """A head, taken apart."""

    stamp: str
    host: str | None
    program: str | None
    """None where there is none, or what stands between it and the time is not known."""
    pid: int | None
    at: int
    """Where the text begins."""
    end: int
    """Where it ends."""


def read(line: str) -> Head | None:
    """Return the head of a line, None if it begins with no time."""
    stamp, host, at = "", None, 0
    while (found := _TIME(line, at)) and at < _LONGEST and not (stamp and found["epoch"]):
        stamp, at = found["stamp"], found.end()
        begin, words = at, _Words(stamp, host)
        if found["date"] and (whole := _RFC5424(line, at)):
            words.add(whole["host"])
            if whole["name"] != "-":
                return words.head(line, whole["name"], whole["pid"], whole.end())
            at = whole.end()
        while at < _LONGEST and not ((inner := _TIME(line, at)) and not inner["epoch"]):
            if extra := _EXTRA(line, at) or (words.found and _EXTRA_AFTER_HOST(line, at)):
                at = extra.end()
            elif forwarded := _FORWARDED(line, at):
                words = _Words(stamp, forwarded[1])
                at = forwarded.end()
            elif head := _tagged(line, at, words):
                return head
            elif (word := _WORD(line, at)) and words.add(word[1]):
                at = word.end()
            else:
                return Head(stamp, None, None, None, begin, len(line))
        host = words.host
    return Head(stamp, None, None, None, at, len(line)) if stamp else None


class _Words:
    """What stands between a time and a program and is of no closed list: a host, or the name of a zone and a host."""

    def __init__(self, stamp: str, host: str | None) -> None:
        """`host` is the outer one, where a relay put a head of its own before."""
        self.stamp, self.host, self.found = stamp, host, 0

    def add(self, word: str) -> bool:
        """Take a word; return whether it can be one of these."""
        if self.found:
            if self.found > 1 or not self.host or not ZONE_NAME(self.host):
                return False
            self.stamp = f"{self.stamp} {self.host}"
        self.host, self.found = word, self.found + 1
        return True

    def head(self, line: str, name: str, pid: str | None, at: int) -> Head:
        number = _NUMBER(pid) if pid else None
        host = None if self.host == "-" else self.host
        return Head(self.stamp, host, _base(name), int(number[0]) if number else None, undecorated(line, at), len(line))


def _tagged(line: str, at: int, words: _Words) -> Head | None:
    """Return the head, if a program stands at `at`."""
    tag = _TAG(line, at)
    if not tag:
        return None
    name, pid, end = tag["name"], tag["pid"] or tag["apart"], tag.end()
    ours = _base(name) in PROGRAMS
    if ours and not tag["colon"] and pid is not None:
        rest = _AFTER_NAME(line, end)
        return words.head(line, name, pid, rest.end() if rest else end)
    if not tag["colon"] and pid is None:
        if not (ours and words.found and tag["blank"]) or _ours_at(line, end):
            return None
        rest = _AFTER_NAME(line, end)
        return words.head(line, name, rest["pid"], rest.end()) if rest else None
    if not ours and tag["blank"] is None:
        return None  # such as an address with colons
    if not ours and pid is None and not words.found and _ours_at(line, end):
        words.add(name)  # a host with a colon
        return _tagged(line, end, words)
    if name.startswith("%") and (last := _LAST(line, max(end, len(line) - _LONGEST_LAST))):
        return words.head(line, last["name"], last["pid"], end)._replace(end=last.start())
    return words.head(line, name, pid, end)


def _ours_at(line: str, at: int) -> bool:
    tag = _TAG(line, at)
    return bool(tag and (tag["colon"] or tag["pid"]) and _base(tag["name"]) in PROGRAMS)


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def undecorated(line: str, at: int) -> int:
    """Return where the program's own text begins, if what stands at `at` may not be of it."""
    found = _DECORATION(line, at) if line[at : at + 1] in _DECORATED else None
    return found.end() if found else at


def names_ours(line: str, at: int) -> bool:
    """Return whether the text from `at` on looks as if one of our programs had written it, or wrote of a login."""
    return _STRANGE(line, at) is not None


def is_disguised(line: str, at: int) -> bool:
    """Return whether at `at`, where another program's text begins, stands one of ours as in a head, or sshd's text."""
    # the first tests spare nearly all lines the second
    if line.find("]: ", at, at + _LONGEST) >= 0 and _NESTED(line, at):
        return True
    return line.startswith(("Accepted ", "Failed "), at) and _OF_SSHD(line, at) is not None
