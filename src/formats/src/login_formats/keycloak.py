# SPDX-License-Identifier: Apache-2.0
"""User events of Keycloak, as its listeners and exports write them in JSON, and as its own log tells them.

Fields: https://www.keycloak.org/docs/latest/server_admin/#event-types. A login is LOGIN or LOGIN_ERROR; but an error
that comes before anybody has said who he is, such as of a browser that comes back with an old page, is no attempt. Some
listeners call the time eventTimestamp, and the session userSessionId. The name is what was typed, so there may be one
without a user's id: nobody has that name. The log: see keycloak_log.py.
"""

from typing import Any

from login_formats import keycloak_log, known
from login_formats.event import NotALogin
from login_formats.mapping import From, Table, at, identifier, mapped, one_of, time
from login_formats.reasons import unrecognised
from login_formats.strict_json import load_object
from login_formats.times import local_ms
from login_formats.wrapper import Arrival

_OUTCOMES = {"LOGIN": "success", "LOGIN_ERROR": "failure"}

_TABLE: Table = {
    "@timestamp": From("time", time, or_path="eventTimestamp"),
    "event.id": From("id"),
    "event.action": From("type"),
    "event.outcome": From("type", one_of(_OUTCOMES)),
    "event.reason": From("error"),
    "event.module": "keycloak",
    "event.dataset": "keycloak.event",
    "organization.id": From("realmId"),
    "organization.name": From("realmName"),
    "service.name": From("clientId"),
    "user.id": From("userId", identifier),
    "user.name": From("details.username"),
    "source.address": From("ipAddress"),
    "login.method": From("details.auth_method"),
    "login.session_id": From("sessionId", or_path="userSessionId"),
}


def fields(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the ECS fields of a record. Raises Rejected, NotALogin."""
    logged = keycloak_log.line(raw)
    if logged is None:
        record = load_object(raw)
        logged = keycloak_log.entry(record)
        if logged is None:
            _judge(record)
            return mapped(record, _TABLE)
    told = logged.event()
    _judge(told)
    return mapped(told, _TABLE) | {"@timestamp": local_ms(logged.time, arrival.wrapper.zone)}


def _judge(record: dict[str, Any]) -> None:
    """Return if the event is a login. Raises NotALogin if it is known to be none, else Rejected."""
    kind = record.get("type")
    if type(kind) is not str:
        operation = record.get("operationType")
        if type(operation) is str and operation in known.KEYCLOAK_OPERATIONS:
            raise NotALogin
        raise unrecognised("type", kind or "is missing")
    if kind in known.KEYCLOAK_EVENTS:
        raise NotALogin
    if kind not in _OUTCOMES:
        raise unrecognised("type", kind or "is missing")
    error = record.get("error")
    if kind == "LOGIN_ERROR" and type(error) is str:
        if error in known.KEYCLOAK_NO_ATTEMPTS:
            raise NotALogin
        # those of other authenticators are not known by name
        named = record.get("userId") or at(record, "details.username")
        if error not in known.KEYCLOAK_ATTEMPTS and not named:
            raise unrecognised("error", error)
