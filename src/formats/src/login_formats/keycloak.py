# SPDX-License-Identifier: Apache-2.0
"""User events of Keycloak, as its listeners and exports write them in JSON: one object an event.

Fields: https://www.keycloak.org/docs/latest/server_admin/#event-types. A login is LOGIN or LOGIN_ERROR; all other types
(REFRESH_TOKEN, CODE_TO_TOKEN, LOGOUT ...) are ignored. Some listeners call the time eventTimestamp, and the session
userSessionId. The name is what was typed, so there may be one without a user's id: nobody has that name.
"""

from typing import Any

from login_formats.event import NotALogin
from login_formats.mapping import From, Table, identifier, mapped, one_of, time
from login_formats.strict_json import load_object
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
    record = load_object(raw)
    if record.get("type") not in tuple(_OUTCOMES):  # it may be of any type
        raise NotALogin
    return mapped(record, _TABLE)
