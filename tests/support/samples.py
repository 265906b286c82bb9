# SPDX-License-Identifier: Apache-2.0
"""A few lines of each format, and what becomes of them."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """The text of a file, and how many of its records become what."""

    format: str
    text: str
    events: int
    ignored: int
    dead: int
    unrecognised: int = 0
    """They are kept, as they are few."""
    layout: str = "lines"
    timezone: str = ""


_NOW = time.time() - 600
_ISO = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_NOW))
_CLASSIC = time.strftime("%b %e %H:%M:%S", time.gmtime(_NOW))
_FAILED = "Failed password for invalid user x from 192.0.2.1 port 22 ssh2"
_INDEX = uuid.uuid4().int % 10**9
_LOCAL = time.strftime("%Y-%m-%d %H:%M:%S.123", time.gmtime(_NOW))


def _json(*records: dict[str, object]) -> str:
    return "\n".join(json.dumps(record) for record in records)


def _okta(kind: str, result: str) -> dict[str, object]:
    return {
        "uuid": str(uuid.uuid4()),
        "published": _ISO,
        "eventType": kind,
        "actor": {"id": "00u1", "alternateId": "alice@example.org", "displayName": "Alice"},
        "client": {"ipAddress": "192.0.2.10", "geographicalContext": {"country": "Germany"}, "userAgent": None},
        "outcome": {"result": result, "reason": None},
    }


def _console(outcome: str, name: str = "ConsoleLogin") -> dict[str, object]:
    return {
        "eventID": str(uuid.uuid4()),
        "eventTime": _ISO,
        "eventSource": "signin.amazonaws.com",
        "eventName": name,
        "userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": "alice"},
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0",
        "responseElements": {"ConsoleLogin": outcome},
    }


def _keycloak(kind: str) -> dict[str, object]:
    details = {"username": "alice"}
    return {"time": int(_NOW * 1000), "type": kind, "realmId": "shop", "ipAddress": "192.0.2.10", "details": details}


def _ecs(category: object) -> dict[str, object]:
    event = {"category": category, "outcome": "success"}
    return {"@timestamp": _ISO, "event": event, "user.name": "alice", "source": {"ip": "192.0.2.10"}}


SAMPLES = (
    Sample("native", _json({"user_id": "u1", "timestamp": _ISO}, {"user_id": "u1"}), events=1, ignored=0, dead=1),
    Sample(
        "sshd",
        f"{_CLASSIC} web-1 sshd[42]: {_FAILED}\n"
        f"{_CLASSIC} web-1 sshd[42]: message repeated 3 times: [ {_FAILED}]\n"
        f"{_CLASSIC} web-1 CRON[43]: pam_unix(cron:session): session opened for user root\n"
        "no line of syslog",
        events=4,
        ignored=1,
        dead=1,
        timezone="UTC",
    ),
    Sample(
        "sshd_keys",
        f"{_CLASSIC} web-1 sshd[42]: Connection closed by authenticating user root 192.0.2.1 port 22 [preauth]\n"
        f"{_CLASSIC} web-1 sshd[42]: Failed publickey for root from 192.0.2.1 port 22 ssh2",
        events=1,
        ignored=1,
        dead=0,
        timezone="UTC",
    ),
    Sample(
        "cloudtrail",
        _json({"Records": [_console("Success"), _console("Failure"), _console("Success", "CheckMfa")]}),
        events=2,
        ignored=1,
        dead=0,
    ),
    Sample(
        "okta",
        _json(*(_okta(f"user.session.{name}", "SUCCESS") for name in ("start", "end", "of_a_new_version"))),
        events=1,
        ignored=1,
        dead=0,
        unrecognised=1,
    ),
    Sample(
        "keycloak",
        _json(_keycloak("LOGIN"), _keycloak("LOGIN_ERROR"), _keycloak("LOGOUT")),
        events=2,
        ignored=1,
        dead=0,
    ),
    Sample(
        "ecs",
        _json(_ecs("authentication"), _ecs(["process"]), _ecs("authentication") | {"user.name": ["alice", "bob"]}),
        events=1,
        ignored=1,
        dead=1,
    ),
    Sample(
        "rba_csv",
        "index,Login Timestamp,User ID,IP Address,Country,User Agent String,Login Successful\n"
        f'{_INDEX},{_LOCAL},-8123456789012345678,192.0.2.17,NO,"Mozilla/5.0 (X11, Linux)",False',
        events=1,
        ignored=0,
        dead=0,
        layout="csv",
        timezone="UTC",
    ),
)
