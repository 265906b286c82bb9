# SPDX-License-Identifier: Apache-2.0
"""Format keycloak: each record, and the document it becomes."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lines import changed, ignored, refused, stored
from login_formats import Reason, Wrapper

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
        "USER_DISABLED_BY_TEMPORARY_LOCKOUT",
    ],
)
def test_what_is_known_to_be_no_login_is_ignored(kind: str) -> None:
    assert ignored("keycloak", changed(LOGIN, "type", kind))


@pytest.mark.parametrize("kind", ["login", "LOGIN_V2", "PASSKEY_LOGIN", "", None, 5, []])
def test_all_else_is_unrecognised(kind: Any) -> None:
    assert refused("keycloak", changed(LOGIN, "type", kind)) == Reason.UNRECOGNISED


def test_what_an_administrator_did_is_ignored() -> None:
    admin = {"time": 1772359200123, "operationType": "UPDATE", "resourceType": "USER", "resourcePath": "users/1"}
    assert ignored("keycloak", admin)
    assert refused("keycloak", admin | {"operationType": "LOGIN"}) == Reason.UNRECOGNISED


NOBODY = LOGIN | {"type": "LOGIN_ERROR", "userId": None, "details": {"redirect_uri": "https://shop.example/"}}


@pytest.mark.parametrize(
    "error",
    [
        "invalid_redirect_uri",
        "client_not_found",
        "invalid_request",
        "expired_code",
        "cookie_not_found",
        "login_required",
    ],
)
def test_an_error_before_anybody_tries_is_no_login(error: str) -> None:
    assert ignored("keycloak", NOBODY | {"error": error})
    assert ignored("keycloak", LOGIN | {"type": "LOGIN_ERROR", "error": error}), "the page was open for too long"


@pytest.mark.parametrize("error", ["user_not_found", "invalid_user_credentials", "username_missing", None])
def test_an_attempt_that_names_nobody_is_a_login(error: str | None) -> None:
    assert stored("keycloak", NOBODY | {"error": error})["event.outcome"] == "failure"


def test_an_error_that_is_not_known_is_a_login_if_it_names_somebody() -> None:
    unknown = {"error": "otp_device_lost"}
    assert refused("keycloak", NOBODY | unknown) == Reason.UNRECOGNISED
    assert stored("keycloak", NOBODY | unknown | {"userId": ID})["event.reason"] == "otp_device_lost"
    assert stored("keycloak", NOBODY | unknown | {"details": {"username": "bob"}})["user.name"] == "bob"


LOGGED = {
    "@timestamp": "2026-03-01T10:00:00.123Z",
    "event.action": "LOGIN_ERROR",
    "event.outcome": "failure",
    "event.reason": "invalid_user_credentials",
    "event.module": "keycloak",
    "event.dataset": "keycloak.event",
    "organization.id": "r-1",
    "service.name": "web",
    "user.id": ID,
    "source.address": "192.0.2.10",
    "source.ip": "192.0.2.10",
    "related.ip": ["192.0.2.10"],
}
NAMED = {"user.name": "alice", "related.user": [ID, "alice"], "login.method": "openid-connect"}
UNNAMED = {"related.user": [ID]}
UTC = Wrapper(zone=ZoneInfo("UTC"))


def quoted(username: str, kind: str = "LOGIN_ERROR", more: str = "") -> str:
    return (
        f'type="{kind}", realmId="r-1", clientId="web", userId="{ID}", ipAddress="192.0.2.10", '
        f'error="invalid_user_credentials", auth_method="openid-connect", username="{username}"{more}'
    )


def plain(username: str) -> str:
    return quoted(username).replace('"', "")


def line(message: str, logger: str = "org.keycloak.events") -> str:
    return f"2026-03-01 10:00:00,123 WARN  [{logger}] (executor-thread-1) {message}"


def console(message: str, logger: str = "org.keycloak.events") -> dict[str, Any]:
    return {"timestamp": "2026-03-01T10:00:00.123Z", "loggerName": logger, "level": "WARN", "message": message}


@pytest.mark.parametrize(
    ("message", "differs"),
    [
        (quoted("alice"), NAMED),
        (plain("alice"), NAMED),
        (plain("'alice a'"), NAMED | {"user.name": "alice a", "related.user": [ID, "alice a"]}),
        (quoted('a\\"b'), NAMED | {"user.name": 'a"b', "related.user": [ID, 'a"b']}),
        (quoted("alice", more=', redirect_uri="https://x/?a=1, b=2"'), NAMED),
        (quoted("null"), UNNAMED | {"login.method": "openid-connect"}),
        # what somebody types is never another field
        (plain("x, ipAddress=203.0.113.9, userId=root"), UNNAMED),
        (quoted("x\\"), UNNAMED),
        (quoted("x", more=', username="root"'), UNNAMED),
        (quoted('x\\", ipAddress=\\"203.0.113.9'), NAMED | {
            "user.name": 'x", ipAddress="203.0.113.9', "related.user": [ID, 'x", ipAddress="203.0.113.9']}),
    ],
)  # fmt: skip
def test_its_own_log_in_lines_and_in_json(message: str, differs: dict[str, Any]) -> None:
    expected = {name: value for name, value in (LOGGED | differs).items() if value is not None}
    assert stored("keycloak", line(message), UTC) == expected
    assert stored("keycloak", console(message)) == expected
    other = {"@timestamp": "2026-03-01T10:00:00.123Z", "log.logger": "org.keycloak.events", "message": message}
    assert stored("keycloak", other) == expected


@pytest.mark.parametrize(
    "message",
    [
        quoted("alice", "LOGOUT"),
        quoted("alice").replace("invalid_user_credentials", "expired_code"),
        'operationType="UPDATE", realmId="r-1", clientId="c", userId="u", ipAddress="192.0.2.10", resourceType="USER"',
        "operationType=UPDATE, realmId=r-1",
    ],
)
def test_other_events_in_its_log_are_ignored(message: str) -> None:
    assert ignored("keycloak", line(message))
    assert ignored("keycloak", console(message))


def test_the_rest_of_its_log_is_ignored() -> None:
    for text in ("Keycloak started", 'type="LOGIN"'):
        assert ignored("keycloak", line(text, "io.quarkus"))
        assert ignored("keycloak", console(text, "io.quarkus"))
    assert ignored(
        "keycloak", "\tat org.keycloak.services.resources.LoginActionsService.auth(LoginActionsService.java:1)"
    )
    assert ignored("keycloak", "Caused by: java.lang.NullPointerException")


def test_events_of_another_layout_in_its_log_are_unrecognised() -> None:
    for message in ("LOGIN_ERROR of alice", 'type="LOGIN_V2", realmId="r"', '{"type":"LOGIN"}'):
        assert refused("keycloak", line(message)) == Reason.UNRECOGNISED
        assert refused("keycloak", console(message)) == Reason.UNRECOGNISED


def test_a_line_of_its_log_needs_a_zone() -> None:
    assert refused("keycloak", line(quoted("alice"))) == Reason.TIMESTAMP_WITHOUT_ZONE
    assert stored("keycloak", line(quoted("alice")).replace(",123 ", ",123+0100 "))["@timestamp"].startswith(
        "2026-03-01T09:00:00.123"
    )
    assert refused("keycloak", console(quoted("alice")) | {"timestamp": None}) == Reason.TIMESTAMP_MISSING
    assert refused("keycloak", console(quoted("alice")) | {"message": 5}) == Reason.FIELD_TYPE


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
