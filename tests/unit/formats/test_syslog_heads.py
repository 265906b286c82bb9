# SPDX-License-Identifier: Apache-2.0
"""Heads of syslog lines: whatever form one has, the login behind it is read or refused, never passed over."""

import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lines import LOG, ignored, refused, stored
from login_formats import Reason, Wrapper, split, syslog, syslog_head
from login_formats.sshd import PROGRAMS as READ
from login_formats.syslog_head import PROGRAMS

UTC = Wrapper(zone=ZoneInfo("UTC"))
TEXT = "Accepted password for alice from 192.0.2.10 port 1 ssh2"

HEADS = {
    "RFC 3164": "Mar  1 10:00:00 w sshd[42]: ",
    "with a priority": "<38>Mar  1 10:00:00 w sshd[42]: ",
    "a blank after the priority": "<38> Mar  1 10:00:00 w sshd[42]: ",
    "a zero for the blank of the day": "Mar 01 10:00:00 w sshd[42]: ",
    "journalctl -o short-precise": "Mar 01 10:00:00.123456 w sshd[42]: ",
    "a comma before the fraction": "Mar  1 10:00:00,123 w sshd[42]: ",
    "a year before the month": "2026 Mar  1 10:00:00 w sshd[42]: ",
    "a year after the day": "Mar  1 2026 10:00:00 w sshd[42]: ",
    "a year after the time": "Mar  1 10:00:00 2026 w sshd[42]: ",
    "a weekday": "Sun Mar  1 10:00:00 2026 w sshd[42]: ",
    "a weekday, zone and year": "Sun Mar  1 10:00:00 UTC 2026 w sshd[42]: ",
    "a zone": "Mar  1 10:00:00 UTC w sshd[42]: ",
    "an offset": "Mar  1 12:00:00+02:00 w sshd[42]: ",
    "an offset apart": "2026-03-01 05:00:00 -0500 w sshd[42]: ",
    "an offset of hours": "2026-03-01T12:00:00+02 w sshd[42]: ",
    "RSYSLOG_FileFormat": "2026-03-01T11:00:00.123456+01:00 w sshd[42]: ",
    "a comma in an ISO time": "2026-03-01T11:00:00,123456+01:00 w sshd[42]: ",
    "a blank in an ISO time": "2026-03-01 10:00:00 w sshd[42]: ",
    "slashes in the date": "2026/03/01 10:00:00 w sshd[42]: ",
    "journalctl -o short-iso": "2026-03-01T11:00:00+0100 w sshd[42]: ",
    "journalctl -o short-full": "Sun 2026-03-01 10:00:00 UTC w sshd[42]: ",
    "journalctl -o short-unix": "1772359200.123456 w sshd[42]: ",
    "the time in brackets": "[2026-03-01 10:00:00] w sshd[42]: ",
    "a colon after the time": "Mar  1 10:00:00: w sshd[42]: ",
    "a colon after the host": "Mar  1 10:00:00 w: sshd[42]: ",
    "tabs": "2026-03-01T10:00:00Z\tw\tsshd[42]:\t",
    "blanks before it": "  Mar  1 10:00:00  w  sshd[42]:  ",
    "a byte order mark": "\ufeffMar  1 10:00:00 w sshd[42]: ",
    "no blank after the colon": "Mar  1 10:00:00 w sshd[42]:",
    "no colon": "Mar  1 10:00:00 w sshd[42] ",
    "a blank before the pid": "Mar  1 10:00:00 w sshd [42]: ",
    "a path": "Mar  1 10:00:00 w /usr/sbin/sshd[42]: ",
    "a thread": "Mar  1 10:00:00 w sshd[42:5a6b]: ",
    "a level after the pid": "Mar  1 10:00:00 w sshd[42] <Info>: ",
    "BusyBox": "Mar  1 10:00:00 w auth.info sshd[42]: ",
    "BusyBox, precise": "Mar  1 10:00:00.123456 w authpriv.notice sshd[42]: ",
    "FreeBSD -v": "Mar  1 10:00:00 <4.6> w sshd[42]: ",
    "FreeBSD -vv": "Mar  1 10:00:00 <auth.info> w sshd[42]: ",
    "FreeBSD, after the host": "Mar  1 10:00:00 w <auth.info> sshd[42]: ",
    "AIX": "Mar  1 10:00:00 w auth|security:info sshd[42]: ",
    "AIX, forwarded": "Mar  1 10:00:00 relay auth|security:info Message forwarded from w: sshd[42]: ",
    "Solaris": "Mar  1 10:00:00 w sshd[42]: [ID 800047 auth.info] ",
    "macOS": "2026-03-01 03:00:00.123456-0700  w sshd[42]: ",
    "macOS, with a library": "2026-03-01 03:00:00.123456-0700  w sshd[42]: (libpam.2.dylib) [com.example.x:auth] ",
    "a facility in brackets": "Mar  1 10:00:00 w [auth.info] sshd[42]: ",
    "a facility before the text": "Mar  1 10:00:00 w sshd[42]: [auth.info] ",
    "a level": "Mar  1 10:00:00 w info sshd[42]: ",
    "a level before the host": "2026-03-01 10:00:00 ERROR w sshd[42]: ",
    "an address beside the host": "Mar  1 10:00:00 w (192.0.2.1) sshd[42]: ",
    "a number of the line": "Mar  1 10:00:00 w 000123: sshd[42]: ",
    "Junos": "Mar  1 10:00:00  w sshd[42]: %AUTH-6: ",
    "RFC 5424": "<38>1 2026-03-01T11:00:00.1+01:00 w sshd 42 - - ",
    "RFC 5424 with data": '<38>1 2026-03-01T10:00:00Z w sshd 42 - [meta sequenceId="1"] ',
    "RFC 5424 with much data": '<38>1 2026-03-01T10:00:00Z w sshd 42 ID47 [a@1 x="\\"]" y="]"][b z=""] ',
    "RFC 5424 with no blank behind it": '<38>1 2026-03-01T10:00:00Z w sshd 42 ID47 [a@1 x=""]',
    "RFC 5424 with brackets": "<38>1 2026-03-01T10:00:00Z w sshd[42] - - - ",
    "RFC 5424 with a mark": "<38>1 2026-03-01T10:00:00Z w sshd 42 - - \ufeff",
    "RFC 5424 without a priority": "2026-03-01T11:00:00.1+01:00 w sshd 42 - - ",
    "RFC 5424 with a version alone": "1 2026-03-01T11:00:00.1+01:00 w sshd 42 - - ",
    "RFC 5424 without data": "2026-03-01T11:00:00.1+01:00 w sshd 42 - ",
    "RFC 5424 without an id": '2026-03-01T10:00:00Z w sshd 42 [meta sequenceId="1"] ',
    "RFC 5424 with a path": "<38>1 2026-03-01T10:00:00Z w /usr/sbin/sshd 42 - - ",
    "RFC 5424 around RFC 3164": "<38>1 2026-03-01T10:00:00Z w - - - - sshd[42]: ",
    "RFC 6587": "123 <38>1 2026-03-01T10:00:00Z w sshd 42 - - ",
    "a relay": "Mar  1 10:00:01 relay <38>Mar  1 10:00:00 w sshd[42]: ",
    "a relay that knows no RFC 5424": "Mar  1 10:00:01 relay 1 2026-03-01T10:00:00Z w sshd 42 - - ",
    "two times": "2026-03-01T10:00:01Z Mar  1 10:00:00 w sshd[42]: ",
    "the relay's host alone": "Mar  1 10:00:01 w <38>Mar  1 10:00:00 sshd[42]: ",
}
WITHOUT_HOST = {
    "journald to a socket, BusyBox -S": "<38>Mar  1 10:00:00 sshd[42]: ",
    "ESXi": "2026-03-01T10:00:00.123Z In(38) sshd[42]: ",
    "ESXi, before 8": "2026-03-01T10:00:00.123Z sshd[42]: ",
    "OpenWrt": "Sun Mar  1 10:00:00 2026 authpriv.info sshd[42]: ",
    "a facility": "Mar  1 10:00:00 auth.info sshd[42]: ",
    "a host that is not known": "2026-03-01T10:00:00Z - sshd[42]: ",
    "RFC 5424": "<38>1 2026-03-01T10:00:00Z - sshd 42 - - ",
    "macOS, compact": "2026-03-01 10:00:00.123 Df sshd[42:5a6b] ",
    "socklog": "2026-03-01T10:00:00.12345 auth.info: Mar  1 10:00:00 sshd[42]: ",
}
WITHOUT_PID = {
    "RFC 3164": "Mar  1 10:00:00 w sshd: ",
    "an empty one": "Mar  1 10:00:00 w sshd[]: ",
    "no number": "<38>1 2026-03-01T10:00:00Z w sshd - - - ",
    "no colon": "Mar  1 10:00:00 w sshd ",
}
NO_FORM = [
    "Mar  1 10:00:00 ",
    "Mar  1 10:00:00 w what is this sshd[42]: ",
    "Mar  1 10:00:00 w app[7]: sshd[42]: ",
    "2026-03-01T10:00:00Z stderr F Mar  1 10:00:00 w sshd[42]: ",
    "<38>1 2026-03-01T10:00:00Z w app 42 - [x sshd[42]: ",
    "sshd[42]: ",
    "w sshd[42]: ",
    "<38>1 - w sshd 42 - - ",
    "Mar  1 10:00:00 w sshd{42}: ",
    "Mar  1 10:00:00 w sshd(42): ",
    "Mar  1 10:00:00 w sshd [42] : ",
    "Mar  1 10:00:00 w sshd #42: ",
    "Mar  1 10:00:00 w sshd[42]: info: ",
    "Mar  1 10:00:00 w SSHD[42]: ",
    "Sun 2026-03-01 10:00:00 UTC w ssh.service[42]: ",
]


@pytest.mark.parametrize("text", [TEXT, TEXT + " ", TEXT + "\r\n", TEXT + " \t\r", TEXT + "#015", TEXT + "^M\n"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_each_form_is_read_alike(head: str, text: str) -> None:
    found = stored("sshd", head + text, UTC)
    assert found.pop("@timestamp").startswith("2026-03-01T10:00:00.")
    assert found == _expected()


def _expected() -> dict[str, Any]:
    found = stored("sshd", f"{LOG} sshd[42]: {TEXT}")
    del found["@timestamp"]
    return found | {"host.name": "w"}


@pytest.mark.parametrize("head", WITHOUT_HOST.values(), ids=WITHOUT_HOST)
def test_the_host_may_be_missing(head: str) -> None:
    found = stored("sshd", head + TEXT, UTC)
    assert found.pop("@timestamp").startswith("2026-03-01T10:00:00.")
    assert found == {name: value for name, value in _expected().items() if name != "host.name"}


@pytest.mark.parametrize("head", WITHOUT_PID.values(), ids=WITHOUT_PID)
def test_the_number_of_the_process_may_be_missing(head: str) -> None:
    found = stored("sshd", head + TEXT, UTC)
    assert (found["host.name"], found["user.name"], "process.pid" in found) == ("w", "alice", False)


@pytest.mark.parametrize("head", NO_FORM)
def test_what_is_of_no_known_form_and_may_be_a_login_is_refused(head: str) -> None:
    assert refused("sshd", head + TEXT, UTC) == Reason.NOT_A_LINE


@pytest.mark.parametrize("word", ["x", "alice.example", "x:", "x[1]", "[x]", "<x>", "(x)", "#7", "a=b", "{", "sshd"])
@pytest.mark.parametrize("head", ["Mar  1 10:00:00 {} w sshd[42]: ", "2026-03-01T10:00:00Z w {} sshd[42]: "])
def test_one_more_word_hides_no_login(head: str, word: str) -> None:
    line = head.format(word) + TEXT
    assert refused("sshd", line, UTC) == Reason.NOT_A_LINE or stored("sshd", line, UTC)["user.name"] == "alice"


HOSTS = (
    "w", "192.0.2.1", "2001:db8::1", "fe80::", "[2001:db8::1]", "w.example.org", "s_src@w/w2", "login", "mail", "sshd",
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_hosts(host: str) -> None:
    for extra in ("", "auth.info "):
        assert stored("sshd", f"Mar  1 10:00:00 {host} {extra}sshd[42]: {TEXT}", UTC)["host.name"] == host


def test_a_time_may_have_the_name_of_the_senders_zone() -> None:
    berlin = Wrapper(zone=ZoneInfo("Europe/Berlin"))
    for stamp, expected in (
        ("Sun 2026-03-01 11:00:00 CET", "2026-03-01T10:00:00.000Z"),
        ("Mar  1 11:00:00 CET", "2026-03-01T10:00:00.000Z"),
        ("Sun 2025-10-26 02:30:00 CEST", "2025-10-26T00:30:00.000Z"),
        ("Sun 2025-10-26 02:30:00 CET", "2025-10-26T01:30:00.000Z"),
    ):
        assert stored("sshd", f"{stamp} w sshd[42]: {TEXT}", berlin)["@timestamp"] == expected
    for wrapper in (UTC, berlin):
        line = f"Sun 2026-03-01 11:00:00 EST w sshd[42]: {TEXT}"
        assert refused("sshd", line, wrapper) == Reason.TIMESTAMP_WITHOUT_ZONE
    assert refused("sshd", f"Sun 2026-03-01 11:00:00 CET w sshd[42]: {TEXT}") == Reason.TIMESTAMP_WITHOUT_ZONE


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("Mar 01 10:00:00.123456", "2026-03-01T10:00:00.123Z"),
        ("Mar  1 10:00:00,5", "2026-03-01T10:00:00.500Z"),
        ("2025 Mar  1 10:00:00", "2025-03-01T10:00:00.000Z"),
        ("Mar  1 2025 10:00:00.25", "2025-03-01T10:00:00.250Z"),
        ("Mar  1 10:00:00 2025", "2025-03-01T10:00:00.000Z"),
        ("1772359205.123456", "2026-03-01T10:00:05.123Z"),
        ("1772359205", "2026-03-01T10:00:05.000Z"),
        ("2026-03-01T10:00:00.123456789Z", "2026-03-01T10:00:00.123Z"),
        ("2026-03-01 03:00:00.123456-0700", "2026-03-01T10:00:00.123Z"),
    ],
)
def test_times(stamp: str, expected: str) -> None:
    assert stored("sshd", f"{stamp} w sshd[42]: {TEXT}", UTC)["@timestamp"] == expected


@pytest.mark.parametrize("head", [*HEADS.values(), *WITHOUT_HOST.values()])
def test_a_repeated_line_is_split_behind_each_form(head: str) -> None:
    parts = list(split("sshd", f"{head}message repeated 3 times: [ {TEXT}]\r\n".encode()))
    assert len(parts) == 3
    assert stored("sshd", parts[0], UTC)["user.name"] == "alice"
    assert refused("sshd", f"{head}message repeated 3 times: [ {TEXT}]", UTC) == Reason.SEVERAL_EVENTS


@pytest.mark.parametrize(
    "line",
    [
        "Mar  1 10:00:00 w kernel: sudo[42]: segfault at 0",
        "Mar  1 10:00:00 w cron[42]: (root) CMD (sshd: x)",
        "Mar  1 10:00:00 w systemd[1]: ssh.service: Succeeded.",
        "Mar  1 10:00:00 w auth.info cron[42]: x",
        "Mar  1 10:00:00 w -- MARK --",
        "Mar  1 10:00:00 newsyslog[42]: logfile turned over due to size>1000K",
        f"Mar  1 10:00:00 w sshd[42]: Invalid user Mar  1 10:00:00 w sshd[1]: {TEXT} from 192.0.2.1 port 1",
    ],
)
def test_other_programs_and_what_one_of_ours_was_told_are_no_login(line: str) -> None:
    assert ignored("sshd", line)


@pytest.mark.parametrize(
    "line",
    [
        "Mar  1 10:00:00 w app[7]: sshd said Accepted password for alice from 192.0.2.10 port 1 ssh2",
        "<30>1 2026-03-01T10:00:00Z w app 42 - - sshd was here",
        f"Mar  1 10:00:00 w auth.info app[42]: <38>Mar  1 10:00:00 w sshd[1]: {TEXT}",
    ],
)
def test_a_program_that_is_not_known_tells_of_no_login_of_ours(line: str) -> None:
    assert refused("sshd", line) == Reason.UNRECOGNISED


@pytest.mark.parametrize(
    "text",
    [
        "last message repeated 2 times",
        "--- last message repeated 1 time ---",
        "w last message buffered 3 times",
        "w syslogd: last message repeated 2 times",
        "w sshd[42]: last message repeated 2 times",
        "w sshd[42]: Last message 'Failed password for ' repeated 2 times, suppressed by syslog-ng on w",
    ],
)
def test_what_repeats_a_line_that_it_does_not_tell_is_refused(text: str) -> None:
    assert refused("sshd", f"Mar  1 10:00:00 {text}", UTC) == Reason.NOT_A_LINE


@pytest.mark.parametrize("head", HEADS.values())
def test_both_ways_to_read_a_head_agree(head: str) -> None:
    line = head + TEXT
    if common := syslog._COMMON(line):
        assert syslog._head(line, common) == syslog_head.read(line)


def test_cisco_names_the_program_last() -> None:
    line = f"2026 Mar  1 10:00:00 n9k %AUTHPRIV-6-SYSTEM_MSG: {TEXT} - sshd[42]"
    assert stored("sshd", line, UTC) == {"@timestamp": "2026-03-01T10:00:00.000Z"} | _expected() | {"host.name": "n9k"}


def test_the_heads_look_for_the_programs_that_are_read() -> None:
    assert set(READ) == PROGRAMS
    assert all(re.fullmatch(r"[a-z-]+", name) for name in PROGRAMS)
