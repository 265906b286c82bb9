# SPDX-License-Identifier: Apache-2.0
"""Format okta: each line as exported, and the document it becomes."""

from typing import Any

import pytest
from lines import changed, ignored, refused, stored
from login_formats.reasons import Reason

LOGIN = {
    "uuid": "11111111-2222-3333-4444-555555550001",
    "published": "2026-03-01T10:00:00.123Z",
    "eventType": "user.session.start",
    "severity": "INFO",
    "actor": {"id": "00uEX1", "type": "User", "alternateId": "alice@example.org", "displayName": "Alice A"},
    "client": {
        "userAgent": {"rawUserAgent": "Mozilla/5.0 (Macintosh)", "os": "Mac OS X", "browser": "SAFARI"},
        "zone": "null",
        "device": "Computer",
        "ipAddress": "192.0.2.10",
        "geographicalContext": {"city": "Berlin", "state": "Land Berlin", "country": "Germany", "postalCode": "10115"},
    },
    "authenticationContext": {"externalSessionId": "idxEX1"},
    "outcome": {"result": "SUCCESS", "reason": None},
}
STORED = {
    "@timestamp": "2026-03-01T10:00:00.123Z",
    "event.id": "11111111-2222-3333-4444-555555550001",
    "event.action": "user.session.start",
    "event.outcome": "success",
    "event.module": "okta",
    "event.dataset": "okta.system",
    "user.id": "00uEX1",
    "user.name": "alice@example.org",
    "user.email": "alice@example.org",
    "user.full_name": "Alice A",
    "related.user": ["00uEX1", "alice@example.org"],
    "related.ip": ["192.0.2.10"],
    "source.address": "192.0.2.10",
    "source.ip": "192.0.2.10",
    "source.geo.country_name": "Germany",
    "source.geo.country_iso_code": "DE",
    "source.geo.region_name": "Land Berlin",
    "source.geo.city_name": "Berlin",
    "user_agent.original": "Mozilla/5.0 (Macintosh)",
    "user_agent.name": "Safari",
    "user_agent.os.name": "Mac OS X",
    "user_agent.device.name": "Computer",
    "login.session_id": "idxEX1",
}


def test_a_login_is_stored_with_all_that_okta_tells() -> None:
    assert stored("okta", LOGIN) == STORED


@pytest.mark.parametrize(
    ("path", "value", "differs"),
    [
        ("outcome.result", "FAILURE", {"event.outcome": "failure"}),
        ("outcome.result", "DENY", {"event.outcome": "failure"}),
        ("outcome.result", "ALLOW", {"event.outcome": "success"}),
        ("outcome.result", "CHALLENGE", {"event.outcome": "unknown"}),
        ("outcome.result", "SKIPPED", {"event.outcome": "unknown"}),
        ("outcome.reason", "INVALID_CREDENTIALS", {"event.reason": "INVALID_CREDENTIALS"}),
        ("client.userAgent.browser", "UNKNOWN", {"user_agent.name": None}),
        ("client.userAgent.browser", "FIREFOX", {"user_agent.name": "Firefox"}),
        ("client.userAgent.browser", "IE11", {"user_agent.name": "IE11"}),
        ("client.userAgent.browser", "IE", {"user_agent.name": "IE"}),
        ("client.userAgent.browser", "FIREFOX_MOBILE", {"user_agent.name": "Firefox Mobile"}),
        ("client.userAgent.browser", "x" * 300, {"user_agent.name": "x" * 253 + "…"}),
        (
            "securityContext",
            {"asNumber": 64500, "asOrg": "Example", "isp": "x", "isProxy": False},
            {"source.as.number": 64500, "source.as.organization.name": "Example"},
        ),
        ("securityContext", {"asNumber": None, "asOrg": None}, {}),
        ("securityContext", "", {}),
        ("authenticationContext", "", {"login.session_id": None}),
        ("client.userAgent", None, {"user_agent.name": None, "user_agent.original": None, "user_agent.os.name": None}),
        ("client.device", "Unknown", {"user_agent.device.name": None}),
        (
            "client.geographicalContext",
            None,
            {
                "source.geo.country_name": None,
                "source.geo.country_iso_code": None,
                "source.geo.region_name": None,
                "source.geo.city_name": None,
            },
        ),
        (
            "client.geographicalContext.country",
            "Atlantis",
            {"source.geo.country_name": "Atlantis", "source.geo.country_iso_code": None},
        ),
        (
            "client.ipAddress",
            "not an address",
            {"source.address": "not an address", "source.ip": None, "related.ip": None},
        ),
        (
            "client.ipAddress",
            "2001:db8::5",
            {"source.address": "2001:db8::5", "source.ip": "2001:db8::5", "related.ip": ["2001:db8::5"]},
        ),
        (
            "actor.alternateId",
            "bob",
            {"user.name": "bob", "user.email": None, "related.user": ["00uEX1", "bob"]},
        ),
        ("actor.id", "unknown", {"user.id": None, "related.user": ["alice@example.org"]}),
        ("authenticationContext", None, {"login.session_id": None}),
    ],
)
def test_a_login_with_another_value(path: str, value: Any, differs: dict[str, Any]) -> None:
    expected = {name: value for name, value in (STORED | differs).items() if value is not None}
    assert stored("okta", changed(LOGIN, path, value)) == expected


@pytest.mark.parametrize(
    "kind",
    ["user.session.end", "user.authentication.sso", "policy.evaluate_sign_on", "user.mfa.factor.update", "zone.update"],
)
def test_what_is_known_to_be_no_login_is_ignored(kind: str) -> None:
    assert ignored("okta", changed(LOGIN, "eventType", kind))


@pytest.mark.parametrize(
    "kind",
    ["user.session.begin", "user.authentication.passkey", "user.session", "login.start", "user", "", None, [], 5, {}],
)
def test_all_else_is_unrecognised(kind: Any) -> None:
    assert refused("okta", changed(LOGIN, "eventType", kind)) == Reason.UNRECOGNISED


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("published", None, Reason.TIMESTAMP_MISSING),
        ("published", "2026-03-01T10:00:00", Reason.TIMESTAMP_WITHOUT_ZONE),
        ("client", "null", Reason.FIELD_TYPE),
        ("client.ipAddress", 5, Reason.FIELD_TYPE),
        ("uuid", "x" * 513, Reason.FIELD_LENGTH),
    ],
)
def test_what_is_wrong_is_refused(path: str, value: Any, reason: Reason) -> None:
    assert refused("okta", changed(LOGIN, path, value)) == reason
