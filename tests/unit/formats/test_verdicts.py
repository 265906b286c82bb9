# SPDX-License-Identifier: Apache-2.0
"""No format takes what it does not know for "no login": three verdicts, not two."""

import json
import random
import string
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lines import ARRIVAL, LIMITS, LOG, ignored, refused
from login_formats import FORMATS, NotALogin, Reason, Rejected, Wrapper, read
from login_formats.reasons import unrecognised
from login_formats.wrapper import Arrival

JSON = ("cloudtrail", "ecs", "keycloak", "okta")


@pytest.mark.parametrize("format_", JSON)
def test_an_object_of_another_kind_is_unrecognised(format_: str) -> None:
    assert refused(format_, {"hello": "world"}) == Reason.UNRECOGNISED
    assert refused(format_, {}) == Reason.UNRECOGNISED


@pytest.mark.parametrize("format_", [*JSON, "native"])
def test_no_object_of_made_up_keys_is_taken_for_no_login(format_: str) -> None:
    """Whatever its keys and values are: random ones, so none that a format knows."""
    drawn = random.Random(format_)

    def value(depth: int) -> Any:
        kinds = [None, True, drawn.random(), drawn.randrange(10**12), word(), ""]
        if depth:
            kinds += [{word(): value(depth - 1)}, [value(depth - 1)]]
        return drawn.choice(kinds)

    def word() -> str:
        return "".join(drawn.choices(string.ascii_letters, k=9))

    for _ in range(300):
        record = {word(): value(2) for _ in range(drawn.randrange(4))}
        with pytest.raises(Rejected):
            read(json.dumps(record).encode(), Arrival(ARRIVAL), LIMITS, format_)


@pytest.mark.parametrize("format_", ["sshd", "sshd_keys"])
@pytest.mark.parametrize(
    "line",
    [
        "sshd[42]: Admitted password for alice from 192.0.2.10 port 1 ssh2",
        "sshd-session[42]: Login succeeded for alice",
        "sudo[42]: alice became root",
        "su[42]: root granted to alice",
        "login[42]: WELCOME alice",
        "dropbear[42]: Welcome alice",
        "tinysshd[42]: Password auth succeeded for 'alice' from 192.0.2.10:1",
        "gdm-password[42]: alice logged in",
        "a text without a program",
    ],
)
def test_a_line_that_is_not_known_is_unrecognised(format_: str, line: str) -> None:
    assert refused(format_, f"{LOG} {line}") == Reason.UNRECOGNISED


@pytest.mark.parametrize(
    "line",
    [
        "gdm-password[42]: pam_unix(gdm-password:auth): authentication failure; user=alice",
        "dovecot[42]: pam_unix(dovecot:auth): authentication failure; user=alice",
        "sshd[42]: Server listening on 0.0.0.0 port 22.",
        "sshd[42]: Received signal 15; terminating.",
        "sshd[42]: Accepted key ED25519 SHA256:abc found at /home/alice/.ssh/authorized_keys:1",
        "sshd-session[42]: Connection reset by 192.0.2.10 port 4 [preauth]",
        "sshd[42]: banner exchange: Connection from 192.0.2.10 port 4: invalid format",
        "sshd[42]: error: kex_exchange_identification: Connection closed by remote host",
        "sshd[42]: fatal: Timeout before authentication for 192.0.2.10 port 4",
        "sshd[42]: drop connection #10 from [192.0.2.10]:4 on [192.0.2.1]:22 past MaxStartups",
        "polkitd[42]: Registered Authentication Agent for unix-session:1",
        "useradd[42]: new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/sh, from=none",
        "systemd-logind[42]: Removed session 7.",
    ],
)
def test_what_everyday_lines_tell_is_known(line: str) -> None:
    assert ignored("sshd", f"{LOG} {line}")


def test_a_verdict_says_what_there_is_instead() -> None:
    def detail(format_: str, line: str) -> str:
        with pytest.raises(Rejected) as caught:
            read(line.encode(), Arrival(ARRIVAL, Wrapper(zone=ZoneInfo("UTC"))), LIMITS, format_)
        return caught.value.detail

    assert detail("sshd", f"{LOG} tinysshd[42]: Password auth succeeded") == "program tinysshd"
    assert detail("sshd", f"{LOG} sshd[42]: Hello") == "line of sshd"
    assert detail("okta", '{"eventType":"user.session.begin"}') == "eventType user.session.begin"
    assert detail("okta", "{}") == "eventType is missing"
    assert detail("cloudtrail", '{"eventSource":"x","eventName":"y"}') == "eventName y of x"
    assert detail("keycloak", '{"type":"PASSKEY"}') == "type PASSKEY"
    assert detail("ecs", '{"event":{"category":"login"}}') == "event.category login"


def test_what_a_verdict_says_is_short() -> None:
    assert len(unrecognised("eventType", "x" * 10_000).detail) < 200
    assert unrecognised("eventType", {"x": 1}).detail == "eventType dict"


def test_each_format_is_looked_at() -> None:
    """A new format joins one of the tables above; rba_csv refuses what has not its columns."""
    assert {*JSON, "native", "sshd", "sshd_keys", "rba_csv"} == set(FORMATS)
    with pytest.raises((Rejected, NotALogin)) as caught:
        read(b'{"hello":"world"}', Arrival(ARRIVAL), LIMITS, "rba_csv")
    assert caught.type is Rejected
