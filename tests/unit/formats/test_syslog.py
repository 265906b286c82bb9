# SPDX-License-Identifier: Apache-2.0
"""Lines of syslog, as the format sshd reads them: times, what is no line, and what stands for several."""

import contextlib
import time
from collections.abc import Iterator
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from lines import LOG, refused, stored
from login_common.times import rfc3339_ms
from login_formats import NotALogin, Reason, Rejected, Wrapper, split

UTC = Wrapper(zone=ZoneInfo("UTC"))
BERLIN = Wrapper(zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("stamp", "wrapper", "arrival", "expected"),
    [
        ("2026-03-01T11:00:05.123456+01:00", UTC, "2026-03-02T00:00:00Z", "2026-03-01T10:00:05.123Z"),
        ("2026-03-01T11:00:05Z", BERLIN, "2026-03-02T00:00:00Z", "2026-03-01T11:00:05.000Z"),
        ("2026-03-01T11:00:05", BERLIN, "2026-03-02T00:00:00Z", "2026-03-01T10:00:05.000Z"),
        ("Mar  1 10:00:00", UTC, "2026-03-02T00:00:00Z", "2026-03-01T10:00:00.000Z"),
        ("Mar 1 10:00:00", UTC, "2026-03-02T00:00:00Z", "2026-03-01T10:00:00.000Z"),
        ("Mar 01 10:00:00", UTC, "2026-03-02T00:00:00Z", "2026-03-01T10:00:00.000Z"),
        ("Mar  1 10:00:00", BERLIN, "2026-03-02T00:00:00Z", "2026-03-01T09:00:00.000Z"),
        # the last December, and a clock that is fast
        ("Dec 31 23:59:59", UTC, "2026-01-01T00:00:10Z", "2025-12-31T23:59:59.000Z"),
        ("Jan  1 00:01:00", UTC, "2025-12-31T23:59:00Z", "2026-01-01T00:01:00.000Z"),
        ("Mar  2 00:00:30", UTC, "2026-03-02T00:00:00Z", "2026-03-02T00:00:30.000Z"),
        ("Mar  4 00:00:00", UTC, "2026-03-02T00:00:00Z", "2025-03-04T00:00:00.000Z"),
        ("Feb 29 12:00:00", UTC, "2025-02-01T00:00:00Z", "2024-02-29T12:00:00.000Z"),
        # written long before it was read
        (
            "Mar  1 10:00:00",
            UTC._replace(written_before=rfc3339_ms("2025-03-05T00:00:00Z")),
            "2026-03-02T00:00:00Z",
            "2025-03-01T10:00:00.000Z",
        ),
        # the hour that autumn doubles: its first time; the one that spring skips: as if not put forward
        ("Oct 26 02:30:00", BERLIN, "2025-10-27T00:00:00Z", "2025-10-26T00:30:00.000Z"),
        ("Mar 30 02:30:00", BERLIN, "2025-04-01T00:00:00Z", "2025-03-30T01:30:00.000Z"),
    ],
)
def test_times(stamp: str, wrapper: Wrapper, arrival: str, expected: str) -> None:
    line = f"{stamp} web-1 sshd[42]: Accepted password for alice from 192.0.2.10 port 1 ssh2"
    assert stored("sshd", line, wrapper, rfc3339_ms(arrival))["@timestamp"] == expected


@pytest.mark.parametrize("stamp", ["Mar  1 10:00:00", "2026-03-01T10:00:00"])
def test_without_a_zone_the_setting_is_named(stamp: str) -> None:
    with pytest.raises(Rejected, match=r"source\.timezone") as caught:
        stored("sshd", f"{stamp} web-1 sshd[42]: Accepted password for alice from 192.0.2.10 port 1 ssh2")
    assert caught.value.reason == Reason.TIMESTAMP_WITHOUT_ZONE


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff\xfe\x00", Reason.NOT_A_LINE),
        ("hello", Reason.NOT_A_LINE),
        ('{"user_id": "u"}', Reason.NOT_A_LINE),
        ("Foo  1 10:00:00 web-1 sshd[42]: x", Reason.NOT_A_LINE),
        ("Mar  1 10:00:00 web-1 last message repeated 2 times", Reason.NOT_A_LINE),
        (f"{LOG} sshd[42]: Failed password for root from 198.51.10", Reason.NOT_A_LINE),
        (f"{LOG} sshd[42]: message repeated 5 times: [ Failed password for root from 198.51.100.4 port 1 ssh2]",
         Reason.SEVERAL_EVENTS),
        (f"{LOG} sshd[42]: one\n{LOG} sshd[42]: two", Reason.SEVERAL_EVENTS),
        (" \n", Reason.EMPTY_VALUE),
        ("\0\0\0\0", Reason.EMPTY_VALUE),
        ("x" * (1 << 20) + "x", Reason.TOO_LARGE),
        ("Feb 30 10:00:00 web-1 su[42]: (to root) alice on pts/1", Reason.TIMESTAMP_UNPARSEABLE),
        ("Feb 28 25:00:00 web-1 su[42]: (to root) alice on pts/1", Reason.TIMESTAMP_UNPARSEABLE),
        ("2026-02-30T10:00:00 web-1 su[42]: (to root) alice on pts/1", Reason.TIMESTAMP_UNPARSEABLE),
        ("2024-02-29T10:00:00Z web-1 su[42]: (to root) alice on pts/1", Reason.TIMESTAMP_OUT_OF_RANGE),
        (f"{LOG} su[42]: (to root) {'x' * 513} on pts/1", Reason.FIELD_LENGTH),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(line: str | bytes, reason: Reason) -> None:
    assert refused("sshd", line, UTC) == reason


def test_bytes_that_are_no_utf8_become_replacement_characters() -> None:
    line = LOG.encode() + b" sshd[42]: Failed password for invalid user Jos\xe9 from 198.51.100.4 port 1 ssh2"
    assert stored("sshd", line)["user.name"] == "Jos\ufffd"


def test_nuls_and_line_ends_around_a_line_are_no_part_of_it() -> None:
    line = f"\0\0\0{LOG} su[42]: (to root) alice on pts/1\r\n"
    assert stored("sshd", line)["user.name"] == "alice"


def test_a_priority_may_stand_before_a_line() -> None:
    assert stored("sshd", f"<86>{LOG} su[42]: (to root) alice on pts/1")["user.name"] == "alice"


def test_a_repeated_line_is_split_into_as_many() -> None:
    inner = "Failed password for root from 198.51.100.4 port 40100 ssh2"
    parts = list(split("sshd", f"\0{LOG} sshd[42]: message repeated 5 times: [ {inner}]\n".encode()))
    assert parts == [f"{LOG} sshd[42]: {inner}".encode()] * 5
    assert stored("sshd", parts[0])["user.name"] == "root"


@pytest.mark.parametrize(
    "line",
    [
        f"{LOG} sshd[42]: Failed password for invalid user message repeated 5 times: [ x] from 192.0.2.1 port 1 ssh2",
        f"{LOG} sshd[42]: message repeated 100000 times: [ Failed password for root from 192.0.2.1 port 1 ssh2]",
        f"{LOG} sshd[42]: Accepted password for alice from 192.0.2.10 port 1 ssh2",
        "message repeated 2 times: [ x]",
    ],
)
def test_other_lines_stay_whole(line: str) -> None:
    assert list(islice(split("sshd", line.encode()), 2)) == [line.encode()]


_LONG = 250_000


def floods() -> Iterator[str]:
    """Long lines that would be slow for patterns that go back and forth."""
    for program, begin in (("sshd", "Failed password for "), ("sshd", "Failed publickey for x"), ("su", "(to "),
                           ("sudo", ""), ("sudo", "alice : TTY=x"), ("login", "LOGIN ON tty1 BY "),
                           ("sshd", "error: PAM: x"), ("sshd", "Invalid user "), ("sshd", "User x"),
                           ("sshd", "Disconnecting authenticating user "), ("sshd", "Disconnected from user "),
                           ("sudo", "alice : x"), ("dropbear", "Bad password attempt for '"), ("su", "x to "),
                           ("dropbear", "Pubkey auth succeeded for 'x'"), ("dropbear", "Exit before auth "),
                           ("su", "'su x"), ("login", "invalid password for '"),
                           ("login", "FAILED LOGIN (1) on '"), ("login", "FAILED LOGIN 1 FROM x FOR ")):  # fmt: skip
        for unit in ("a", " ", " from ", " from 192.0.2.1 port 1 ssh2", " from 192.0.2.1 port 1 ssh2: A SHA256:x",
                     ") ", " on ", " for ", "' with ", "' from x:1", " to ", " x port 1", " x port 1: ", " ; EXIT=0 ",
                     " ; ", " : ", " ; USER=x", " ; USER=x ; ", ", ", "'", " FOR '", "[", " FROM x"):  # fmt: skip
            yield f"{LOG} {program}[42]: {begin}" + unit * (_LONG // len(unit))
    yield "Mar  1 10:00:00 " * 60_000
    for head in ("Mar  1 10:00:00 w ", "2026-03-01T10:00:00Z w ", "<38>1 2026-03-01T10:00:00Z w sshd 42 - "):
        for unit in ("a", " ", "a ", "a/", "-", "- ", "auth.info ", "[", '[a b="', "[a ", '[a b=""]', "1 ", "<", "1:",
                     "sshd", "sshd ", "sshd[1", "Message forwarded from x: ", "Failed x ", "#015", "(a) "):  # fmt: skip
            yield head + unit * (_LONG // len(unit))
    yield f"{LOG} sshd[42]: message repeated 5 times: [" + "]" * 1_000_000
    yield "2026-" + "1" * 1_000_000


def test_no_line_takes_long() -> None:
    for line in floods():
        begin = time.process_time()
        with contextlib.suppress(Rejected, NotALogin):
            stored("sshd", line, UTC)
        list(islice(split("sshd", line.encode()), 2))
        assert time.process_time() - begin < 0.5, line[:80]
