# SPDX-License-Identifier: Apache-2.0
"""Events in the Elastic Common Schema, as Filebeat and Elastic Agent write them: one JSON object an event.

Fields: https://www.elastic.co/guide/en/ecs/current/index.html. Keys may be nested, dotted, or both mixed. A login has
"authentication" in event.category; ends of sessions (event.type end), and what is no event but an alert or a metric
(event.kind), are ignored. Many data sets have that category for the steps of a login, too: for those of DATASETS,
event.action decides. For all others the category alone does, and `login-consumer status` warns of them.
The fields of fields.FIELDS are kept, all others dropped; related.* is made of what is kept.

A list of one value, or of one object, counts as that. A field that is there twice, or holds several values, is refused:
either could be the one that is meant. source.ip stands in for source.address, and user.name for user.id, where the
latter is absent: the modules of Filebeat tell an id seldom.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from login_formats import known
from login_formats.event import NotALogin
from login_formats.fields import FIELDS, Kind
from login_formats.mapping import Unfit, identifier, number, text, time, truth, whole
from login_formats.reasons import Reason, Rejected, unrecognised
from login_formats.strict_json import load_object
from login_formats.wrapper import Arrival

_READERS = {Kind.TEXT: text, Kind.WHOLE: whole, Kind.NUMBER: number, Kind.TRUTH: truth}
_TABLE: Mapping[str, Callable[[Any], Any]] = {
    name: identifier if name.endswith(".id") else _READERS[kind] for name, kind in FIELDS.items() if kind in _READERS
} | {"@timestamp": time, "source.ip": text}


class Actions(NamedTuple):
    """The values of event.action in a data set that have the category authentication; others are unrecognised."""

    logins: tuple[str, ...]
    others: tuple[str, ...] = ()
    """The steps of a login, what tells of one again, and ends of sessions."""


_WINDOWS = Actions(
    ("logged-in", "logon-failed"),
    (
        "credential-validated",
        "explicit-credential-logon",
        "kerberos-authentication-ticket-requested",
        "kerberos-preauth-failed",
        "kerberos-service-ticket-renewed",
        "kerberos-service-ticket-requested",
        "logged-in-explicit",
        "logged-in-special",
        "logged-out",
        "session-disconnected",
        "session-reconnected",
    ),
)
_AUDIT = Actions(
    ("logged-in",),
    (
        "acquired-credentials",
        "authenticated",
        "changed-login-id-to",
        "disposed-credentials",
        "ended-session",
        "refreshed-credentials",
        "started-session",
        "was-authorized",
    ),
)
DATASETS: Mapping[str, Actions] = {
    "auditd.log": _AUDIT,
    "auditd_manager.auditd": _AUDIT,
    "aws.cloudtrail": Actions(("ConsoleLogin",)),  # of the rest: see known.py
    "azure.signinlogs": Actions(("Sign-in activity",)),
    "google_workspace.login": Actions(
        ("login_failure", "login_success"),
        ("login_challenge", "login_verification", "logout", "risky_sensitive_action"),
    ),
    "keycloak.event": Actions(("LOGIN", "LOGIN_ERROR")),
    "okta.system": Actions(("user.session.start",)),
    "system.auth": Actions(
        ("console_login", "ssh_login", "su", "sudo"),
        ("account-locked", "authentication_failure", "logged-off", "logged-on", "password-changed"),
    ),
    "system.login": Actions(("user_login",), ("boot", "shutdown", "user_logout")),
    "system.security": _WINDOWS,
    "windows.forwarded": _WINDOWS,
}
"""By event.dataset, what decides whether an event with the category authentication is a login."""

_KINDS = ("event.kind", "event.category", "event.type")
# sshd's word: Accepted, Failed or Invalid (user), which tells of a failure a second time
_SSH_EVENT = "system.auth.ssh.event"
_STANDS_IN = {"client.ip": "source.ip", "client.address": "source.address", "client.port": "source.port",
              "host.hostname": "host.name"}  # fmt: skip
"""Fields that are taken where the other is absent."""
_NAMES = frozenset({*_TABLE, *_KINDS, *_STANDS_IN, _SSH_EVENT})
_ON_THE_WAY = frozenset(name[:at] for name in _NAMES for at, letter in enumerate(name) if letter == ".")


def fields(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the ECS fields of an event. Raises Rejected, NotALogin."""
    told: dict[str, Any] = {}
    for name, value in _flat(load_object(raw)):
        if name in told:
            raise Rejected(Reason.DUPLICATE_KEY, f"{name} is there twice, nested and with dots")
        told[name] = value
    kinds, categories, types = (_listed(told.pop(name, None)) for name in _KINDS)
    ssh_event = told.pop(_SSH_EVENT, None)
    _judge(kinds, categories, types)
    for name, other in _STANDS_IN.items():
        value = told.pop(name, None)
        if other not in told and value is not None:
            told[other] = value
    found = {name: _read(name, value) for name, value in told.items()}
    _judge_action(found.get("event.dataset"), found.get("event.action"), ssh_event)
    if (found.get("event.dataset"), found.get("user.id")) == ("system.auth", "0") and found.get("user.name") != "root":
        found["user.id"] = None  # that of the process which wrote the line, as agents take it from the journal
    if not found.get("source.address"):
        found["source.address"] = found.get("source.ip")
    if not found.get("user.id"):
        found["user.id"] = found.get("user.name")
    return found


def _judge(kinds: list[Any], categories: list[Any], types: list[Any]) -> None:
    """Return if this may be a login. Raises NotALogin if it is known to be none, else Rejected."""
    if kinds not in ([], ["event"]):
        if len(kinds) == 1 and kinds[0] in known.ECS_KINDS:
            raise NotALogin
        raise unrecognised("event.kind", kinds[0])
    if "authentication" in categories:
        if "end" in types:
            raise NotALogin
        return
    strange = [category for category in categories if type(category) is not str or category not in known.ECS_CATEGORIES]
    if strange or not categories:
        raise unrecognised("event.category", strange[0] if strange else "is missing")
    raise NotALogin


def _judge_action(dataset: str | None, action: str | None, ssh_event: Any) -> None:
    """The same for event.action, where the data set is a known one."""
    actions = DATASETS.get(dataset or "")
    if actions is None:
        return
    if action in actions.logins:
        if ssh_event == "Invalid":
            raise NotALogin
        return
    if action in actions.others or (dataset in _KNOWN and action and _KNOWN[dataset](action)):
        raise NotALogin
    raise unrecognised("event.action", f"{action or 'is missing'} of {dataset}")


_KNOWN: Mapping[str | None, Callable[[str], bool]] = {
    "aws.cloudtrail": lambda action: action != "ConsoleLogin",
    "keycloak.event": known.KEYCLOAK_EVENTS.__contains__,
    "okta.system": known.okta_event,
}


def _flat(record: dict[str, Any], way: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names of ours in `record`, in full, and their values; null is nothing."""
    for key, value in record.items():
        name = way + key
        if value is None:
            continue
        if name in _NAMES:
            yield name, value
        elif name in _ON_THE_WAY:
            inner = _single(name, value)
            if type(inner) is dict:
                yield from _flat(inner, f"{name}.")
            elif inner is not None and inner != "":
                raise Rejected(Reason.FIELD_TYPE, f"{name} is not an object")


def _read(name: str, value: Any) -> Any:
    single = _single(name, value)
    try:
        return None if single is None or single == "" else _TABLE[name](single)
    except Unfit as error:
        raise Rejected(Reason.FIELD_TYPE, f"{name} {error}") from None


def _single(name: str, value: Any) -> Any:
    if type(value) is not list:
        return value
    if len(value) > 1:
        raise Rejected(Reason.FIELD_TYPE, f"{name} holds {len(value)} values; a login has one")
    return value[0] if value else None


def _listed(value: Any) -> list[Any]:
    return value if type(value) is list else [] if value is None else [value]
