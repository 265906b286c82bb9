# SPDX-License-Identifier: Apache-2.0
"""Format ecs: each event as a shipper writes it, and the document it becomes."""

import json
from typing import Any

import pytest
from lines import ARRIVAL, LIMITS, changed, ignored, refused, stored
from login_formats import Reason, Rejected, read
from login_formats.wrapper import Arrival

LOGIN = {
    "@timestamp": "2026-03-01T10:00:00.123Z",
    "ecs": {"version": "8.0.0"},
    "agent": {"type": "filebeat", "name": "web-1"},
    "tags": ["a", "b"],
    "event": {
        "kind": "event",
        "category": ["authentication", "session"],
        "type": ["info"],
        "action": "ssh_login",
        "outcome": "failure",
        "module": "system",
        "dataset": "system.auth",
    },
    "host": {"name": "web-1", "ip": ["192.0.2.2", "192.0.2.3"]},
    "process": {"name": "sshd", "pid": 4242},
    "source": {"ip": "198.51.100.4", "port": 40100, "geo": {"country_iso_code": "DE", "city_name": "Berlin"}},
    "user": {"name": "root"},
    "related": {"user": ["root", "someone"], "ip": ["198.51.100.4", "no address"]},
    "log.offset": 9,
}
STORED = {
    "@timestamp": "2026-03-01T10:00:00.123Z",
    "event.action": "ssh_login",
    "event.outcome": "failure",
    "event.module": "system",
    "event.dataset": "system.auth",
    "host.name": "web-1",
    "process.name": "sshd",
    "process.pid": 4242,
    "related.user": ["root"],
    "related.ip": ["198.51.100.4"],
    "source.address": "198.51.100.4",
    "source.ip": "198.51.100.4",
    "source.port": 40100,
    "source.geo.country_iso_code": "DE",
    "source.geo.city_name": "Berlin",
    "user.id": "root",
    "user.name": "root",
}
SOURCE = {"source.address": None, "source.ip": None, "source.port": None, "source.geo.country_iso_code": None,
          "source.geo.city_name": None, "related.ip": None}  # fmt: skip


def dotted(record: dict[str, Any], way: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        flat |= dotted(value, f"{way}{key}.") if isinstance(value, dict) else {way + key: value}
    return flat


def test_nested_dotted_and_mixed_keys() -> None:
    assert stored("ecs", LOGIN) == STORED
    assert stored("ecs", dotted(LOGIN)) == STORED
    mixed = changed(LOGIN, "source", None) | {"source.geo": {"city_name": "Berlin"}, "source.ip": "198.51.100.4"}
    mixed |= {"source": {"port": 40100}, "source.geo.country_iso_code": "DE"}
    assert stored("ecs", mixed) == STORED


@pytest.mark.parametrize(
    ("path", "value", "differs"),
    [
        ("event.outcome", None, {"event.outcome": "unknown"}),
        ("event.outcome", "success", {"event.outcome": "success"}),
        ("event.category", "authentication", {}),
        ("event.type", "start", {}),
        ("event.type", None, {}),
        ("event.kind", None, {}),
        ("event.kind", ["event"], {}),
        ("event.id", "e-1", {"event.id": "e-1"}),
        ("event.reason", ["bad password"], {"event.reason": "bad password"}),
        ("user", {"id": 9007199254740993, "name": "root"},
         {"user.id": "9007199254740993", "related.user": ["9007199254740993", "root"]}),
        ("user", {"id": -9223372036854775808}, {"user.id": "-9223372036854775808", "user.name": None,
                                                "related.user": ["-9223372036854775808"]}),
        ("user", [{"name": "root", "roles": ["a", "b"]}], {}),
        ("user", {"id": "S-1-5-21", "name": ["root"], "domain": "EXAMPLE", "email": "root@example.org",
                  "target": {"name": "bob"}},
         {"user.id": "S-1-5-21", "user.domain": "EXAMPLE", "user.email": "root@example.org",
          "user.target.name": "bob", "related.user": ["S-1-5-21", "root", "root@example.org"]}),
        ("user", None, {"user.id": None, "user.name": None, "related.user": None}),
        ("user", [], {"user.id": None, "user.name": None, "related.user": None}),
        ("source", None, SOURCE),
        ("source", "", SOURCE),
        ("source", [""], SOURCE),
        ("source.port", "50000", {"source.port": 50000}),
        ("source.port", "", {"source.port": None}),
        ("client", "", {}),
        ("client", {"ip": "192.0.2.1", "port": 9}, {}),
        ("login", {"round_trip_ms": "12.5"}, {"login.round_trip_ms": 12.5}),
        ("host", {"hostname": "web-2"}, {"host.name": "web-2"}),
        ("host", {"hostname": "web-2", "name": "web-1"}, {}),
        ("source", {"ip": "2001:db8::5"}, SOURCE | {"source.address": "2001:db8::5", "source.ip": "2001:db8::5",
                                                    "related.ip": ["2001:db8::5"]}),
        ("source", {"ip": "no address"}, SOURCE | {"source.address": "no address"}),
        ("source", {"address": "pc.example", "ip": "192.0.2.1"},
         SOURCE | {"source.address": "pc.example", "source.ip": "192.0.2.1", "related.ip": ["192.0.2.1"]}),
        ("source", {"address": "192.0.2.1", "ip": "no address"},
         SOURCE | {"source.address": "192.0.2.1", "source.ip": "192.0.2.1", "related.ip": ["192.0.2.1"]}),
        ("source.as", {"number": 64500, "organization.name": "Example"},
         {"source.as.number": 64500, "source.as.organization.name": "Example"}),
        ("source.geo", {"country_name": "South Korea"},
         {"source.geo.country_name": "South Korea", "source.geo.country_iso_code": "KR",
          "source.geo.city_name": None}),
        ("user_agent", {"original": "curl/8", "name": "curl", "version": "8", "os": {"name": "Linux"}},
         {"user_agent.original": "curl/8", "user_agent.name": "curl", "user_agent.version": "8",
          "user_agent.os.name": "Linux"}),
        ("login", {"mfa": True, "round_trip_ms": 12.5}, {"login.mfa": True, "login.round_trip_ms": 12.5}),
        ("cloud", {"account": {"id": 111122223333}}, {"cloud.account.id": "111122223333"}),
    ],
)  # fmt: skip
def test_a_login_with_another_value(path: str, value: Any, differs: dict[str, Any]) -> None:
    expected = {name: value for name, value in (STORED | differs).items() if value is not None}
    assert stored("ecs", changed(LOGIN, path, value)) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event.category", ["session"]),
        ("event.category", "iam"),
        ("event.type", ["end"]),
        ("event.type", "end"),
        ("event.kind", "alert"),
        ("event.kind", "metric"),
        ("event.action", "authentication_failure"),
        ("event.action", "logged-on"),
        ("system", {"auth": {"ssh": {"event": "Invalid"}}}),
    ],
)
def test_what_is_known_to_be_no_login_is_ignored(path: str, value: Any) -> None:
    assert ignored("ecs", changed(LOGIN, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event.category", []),
        ("event.category", None),
        ("event.category", {"authentication": 1}),
        ("event.category", ["login"]),
        ("event.category", ["iam", "login"]),
        ("event.kind", "happening"),
        ("event.kind", ["event", "alert"]),
        ("event.kind", {}),
        ("event.action", "passkey_login"),
        ("event.action", None),
        ("event", None),
    ],
)
def test_all_else_is_unrecognised(path: str, value: Any) -> None:
    assert refused("ecs", changed(LOGIN, path, value)) == Reason.UNRECOGNISED


@pytest.mark.parametrize(
    ("dataset", "login", "other"),
    [
        ("aws.cloudtrail", "ConsoleLogin", "AssumeRole"),
        ("okta.system", "user.session.start", "policy.evaluate_sign_on"),
        ("okta.system", "user.session.start", "user.authentication.sso"),
        ("keycloak.event", "LOGIN_ERROR", "CODE_TO_TOKEN"),
        ("system.auth", "ssh_login", "authentication_failure"),
        ("system.security", "logon-failed", "logged-in-special"),
        ("auditd_manager.auditd", "logged-in", "authenticated"),
        ("google_workspace.login", "login_failure", "login_challenge"),
        ("system.login", "user_login", "boot"),
    ],
)
def test_of_a_known_data_set_each_attempt_counts_once(dataset: str, login: str, other: str) -> None:
    event = {"category": ["authentication"], "outcome": "success", "dataset": dataset}
    assert stored("ecs", LOGIN | {"event": event | {"action": login}})["event.action"] == login
    assert ignored("ecs", LOGIN | {"event": event | {"action": other}})


def test_of_other_data_sets_the_category_decides() -> None:
    for dataset in ("shop.audit", None):
        event = {"category": ["authentication"], "dataset": dataset, "action": "anything"}
        assert stored("ecs", LOGIN | {"event": event})["event.action"] == "anything"


def test_a_client_stands_in_for_a_source() -> None:
    found = stored("ecs", changed(LOGIN, "source", None) | {"client": {"ip": "192.0.2.1", "port": "9"}})
    assert (found["source.ip"], found["source.port"]) == ("192.0.2.1", 9)
    found = stored("ecs", changed(LOGIN, "source", None) | {"client.address": "pc.example"})
    assert found["source.address"] == "pc.example"


def test_the_id_of_the_process_that_wrote_the_line_is_not_the_users() -> None:
    for id_ in (0, "0"):
        assert stored("ecs", changed(LOGIN, "user", {"name": "alice", "id": id_}))["user.id"] == "alice"
    assert stored("ecs", changed(LOGIN, "user", {"name": "root", "id": "0"}))["user.id"] == "0"


@pytest.mark.parametrize(
    ("path", "value", "reason", "detail"),
    [
        ("@timestamp", None, Reason.TIMESTAMP_MISSING, "timestamp"),
        ("@timestamp", "2026-03-01T10:00:00", Reason.TIMESTAMP_WITHOUT_ZONE, "offset"),
        ("event.outcome", "ok", Reason.OUTCOME_UNKNOWN, "outcome"),
        ("user.name", ["root", "alice"], Reason.FIELD_TYPE, "user.name holds 2 values"),
        ("user", [{"name": "root"}, {"name": "alice"}], Reason.FIELD_TYPE, "user holds 2 values"),
        ("user", "root", Reason.FIELD_TYPE, "user is not an object"),
        ("user.name", {"first": "root"}, Reason.FIELD_TYPE, "user.name is not a string"),
        ("user.id", 12345678901234567890123, Reason.FIELD_TYPE, "64 bits"),
        ("user.id", 1.5, Reason.FIELD_TYPE, "user.id is neither"),
        ("source.port", "ssh", Reason.FIELD_TYPE, "source.port is not an integer"),
        ("source.port", "1" * 19, Reason.FIELD_TYPE, "source.port is not an integer"),
        ("login", {"round_trip_ms": "NaN"}, Reason.FIELD_TYPE, "login.round_trip_ms is not a number"),
        ("source.ip", ["192.0.2.1", "192.0.2.2"], Reason.FIELD_TYPE, "source.ip holds 2 values"),
        ("login", {"mfa": 1}, Reason.FIELD_TYPE, "login.mfa"),
        ("login", {"round_trip_ms": True}, Reason.FIELD_TYPE, "login.round_trip_ms is not a number"),
        ("user.name", ["x", "y"], Reason.FIELD_TYPE, "user.name"),
    ],
)
def test_what_is_wrong_is_refused(path: str, value: Any, reason: Reason, detail: str) -> None:
    with pytest.raises(Rejected) as caught:
        stored("ecs", changed(LOGIN, path, value))
    assert caught.value.reason == reason
    assert detail in caught.value.detail


@pytest.mark.parametrize("value", ["root", "other", ""])
def test_a_field_nested_and_dotted_is_refused(value: str) -> None:
    assert refused("ecs", LOGIN | {"user.name": value}) == Reason.DUPLICATE_KEY
    assert refused("ecs", LOGIN | {"event.category": ["authentication"]}) == Reason.DUPLICATE_KEY
    assert refused("ecs", LOGIN | {"log.offset": 8, "log": {"offset": 9}}) is None


def test_the_original_is_kept_as_it_is_given() -> None:
    for record, kept in ((changed(LOGIN, "event.original", "Mar  1 ..."), "Mar  1 ..."), (LOGIN, None)):
        event = read(json.dumps(record).encode(), Arrival(ARRIVAL), LIMITS, "ecs")
        assert (event.more or {}).get("event.original") == kept
