# SPDX-License-Identifier: Apache-2.0
"""Format keycloak: each record, and the document it becomes."""

from typing import Any

import pytest
from lines import changed, ignored, refused, stored
from login_formats import Reason

LOGIN = {
    "id": "33333333-0000-4000-8000-000000000001",
    "time": 1772359200123,
    "type": "LOGIN",
    "realmId": "55555555-0000-4000-8000-000000000001",
    "realmName": "shop",
    "clientId": "web",
    "userId": "0f8e0000-0000-4000-8000-000000000001",
    "sessionId": "s-1",
    "ipAddress": "192.0.2.10",
    "error": None,
    "details": {"auth_method": "openid-connect", "auth_type": "code", "username": "alice"},
}
STORED = {
    "@timestamp": "2026-03-01T10:00:00.123Z",
    "event.id": "33333333-0000-4000-8000-000000000001",
    "event.action": "LOGIN",
    "event.outcome": "success",
    "event.module": "keycloak",
    "event.dataset": "keycloak.event",
    "organization.id": "55555555-0000-4000-8000-000000000001",
    "organization.name": "shop",
    "service.name": "web",
    "user.id": "0f8e0000-0000-4000-8000-000000000001",
    "user.name": "alice",
    "related.user": ["0f8e0000-0000-4000-8000-000000000001", "alice"],
    "related.ip": ["192.0.2.10"],
    "source.address": "192.0.2.10",
    "source.ip": "192.0.2.10",
    "login.method": "openid-connect",
    "login.session_id": "s-1",
}
ID = "0f8e0000-0000-4000-8000-000000000001"


def test_a_login_is_stored_with_all_that_keycloak_tells() -> None:
    assert stored("keycloak", LOGIN) == STORED


@pytest.mark.parametrize(
    ("path", "value", "differs"),
    [
        ("type", "LOGIN_ERROR", {"event.action": "LOGIN_ERROR", "event.outcome": "failure"}),
        ("error", "invalid_user_credentials", {"event.reason": "invalid_user_credentials"}),
        ("error", "", {}),
        ("time", 1772359200000, {"@timestamp": "2026-03-01T10:00:00.000Z"}),
        ("time", 1772359200, {"@timestamp": "2026-03-01T10:00:00.000Z"}),
        ("time", "2026-03-01T10:00:00.5Z", {"@timestamp": "2026-03-01T10:00:00.500Z"}),
        ("id", None, {"event.id": None}),
        ("userId", None, {"user.id": None, "related.user": ["alice"]}),
        ("userId", -9223372036854775808, {"user.id": "-9223372036854775808",
                                          "related.user": ["-9223372036854775808", "alice"]}),
        ("details", None, {"user.name": None, "related.user": [ID], "login.method": None}),
        ("details", {}, {"user.name": None, "related.user": [ID], "login.method": None}),
        ("details.username", "bob@example.org",
         {"user.name": "bob@example.org", "related.user": [ID, "bob@example.org"]}),
        ("details.username", "", {"user.name": None, "related.user": [ID]}),
        ("details.auth_method", "saml", {"login.method": "saml"}),
        ("realmName", None, {"organization.name": None}),
        ("realmId", None, {"organization.id": None}),
        ("sessionId", None, {"login.session_id": None}),
        ("clientId", None, {"service.name": None}),
        ("ipAddress", None, {"source.address": None, "source.ip": None, "related.ip": None}),
        ("ipAddress", "2001:db8::5",
         {"source.address": "2001:db8::5", "source.ip": "2001:db8::5", "related.ip": ["2001:db8::5"]}),
        ("ipAddress", "unknown, 192.0.2.1",
         {"source.address": "unknown, 192.0.2.1", "source.ip": None, "related.ip": None}),
    ],
)  # fmt: skip
def test_a_login_with_another_value(path: str, value: Any, differs: dict[str, Any]) -> None:
    expected = {name: value for name, value in (STORED | differs).items() if value is not None}
    assert stored("keycloak", changed(LOGIN, path, value)) == expected


def test_other_names_of_the_time_and_the_session() -> None:
    record = {name: value for name, value in LOGIN.items() if name not in ("time", "sessionId")}
    record |= {"eventTimestamp": 1772359200123, "userSessionId": "s-1"}
    assert stored("keycloak", record) == STORED


@pytest.mark.parametrize(
    "kind",
    [
        "REFRESH_TOKEN",
        "CODE_TO_TOKEN",
        "CODE_TO_TOKEN_ERROR",
        "LOGOUT",
        "REGISTER",
        "CLIENT_LOGIN",
        "login",
        None,
        5,
        [],
    ],
)
def test_what_is_no_login_is_ignored(kind: Any) -> None:
    assert ignored("keycloak", changed(LOGIN, "type", kind))


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("time", None, Reason.TIMESTAMP_MISSING),
        ("time", "1772359200123", Reason.TIMESTAMP_UNPARSEABLE),
        ("time", 1772359200123456, Reason.TIMESTAMP_OUT_OF_RANGE),
        ("details", [{"key": "username", "value": "alice"}], Reason.FIELD_TYPE),
        ("details.username", ["alice"], Reason.FIELD_TYPE),
        ("userId", 1.5, Reason.FIELD_TYPE),
        ("ipAddress", {}, Reason.FIELD_TYPE),
        ("id", "x" * 513, Reason.FIELD_LENGTH),
    ],
)
def test_what_is_wrong_is_refused(path: str, value: Any, reason: Reason) -> None:
    assert refused("keycloak", changed(LOGIN, path, value)) == reason
