# SPDX-License-Identifier: Apache-2.0
"""Format cloudtrail: each record, and the document it becomes."""

import json
from typing import Any

import pytest
from lines import changed, ignored, refused, stored
from login_formats import Reason, split

LOGIN = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE1",
        "arn": "arn:aws:iam::111122223333:user/alice",
        "accountId": "111122223333",
        "userName": "alice",
    },
    "eventTime": "2026-03-01T10:00:00Z",
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "awsRegion": "eu-central-1",
    "sourceIPAddress": "192.0.2.10",
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64)",
    "requestParameters": None,
    "responseElements": {"ConsoleLogin": "Success"},
    "additionalEventData": {"LoginTo": "https://console.example.org/", "MobileVersion": "No", "MFAUsed": "Yes"},
    "eventID": "00000000-0000-4000-8000-000000000001",
    "eventType": "AwsConsoleSignIn",
    "recipientAccountId": "111122223333",
}
STORED = {
    "@timestamp": "2026-03-01T10:00:00.000Z",
    "cloud.account.id": "111122223333",
    "cloud.region": "eu-central-1",
    "event.id": "00000000-0000-4000-8000-000000000001",
    "event.action": "ConsoleLogin",
    "event.outcome": "success",
    "event.module": "aws",
    "event.dataset": "aws.cloudtrail",
    "login.mfa": True,
    "related.user": ["AIDAEXAMPLE1", "alice"],
    "related.ip": ["192.0.2.10"],
    "source.address": "192.0.2.10",
    "source.ip": "192.0.2.10",
    "user.id": "AIDAEXAMPLE1",
    "user.name": "alice",
    "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
}
ROOT = {
    "type": "Root",
    "principalId": "111122223333",
    "arn": "arn:aws:iam::111122223333:root",
    "accountId": "111122223333",
}
HIDDEN = {"type": "IAMUser", "accountId": "111122223333", "accessKeyId": "",
          "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}  # fmt: skip
ROLE = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE:alice",
    "arn": "arn:aws:sts::111122223333:assumed-role/Admin/alice",
    "accountId": "111122223333",
}


def test_a_login_is_stored_with_all_that_cloudtrail_tells() -> None:
    assert stored("cloudtrail", LOGIN) == STORED


@pytest.mark.parametrize(
    ("path", "value", "differs"),
    [
        ("responseElements.ConsoleLogin", "Failure", {"event.outcome": "failure"}),
        ("responseElements.ConsoleLogin", "Pending", {"event.outcome": "unknown"}),
        ("responseElements", None, {"event.outcome": "unknown"}),
        ("errorMessage", "Failed authentication", {"event.reason": "Failed authentication"}),
        ("errorMessage", None, {}),
        ("additionalEventData.MFAUsed", "No", {"login.mfa": False}),
        ("additionalEventData.MFAUsed", "?", {"login.mfa": None}),
        ("additionalEventData", None, {"login.mfa": None}),
        ("userIdentity", ROOT, {"user.id": "111122223333", "user.name": "root",
                                "related.user": ["111122223333", "root"]}),
        ("userIdentity", ROOT | {"userName": "an-alias"}, {"user.id": "111122223333", "user.name": "root",
                                                           "related.user": ["111122223333", "root"]}),
        ("userIdentity", HIDDEN, {"user.id": None, "user.name": None, "related.user": None}),
        ("userIdentity", ROLE, {"user.id": "AROAEXAMPLE:alice", "user.name": "Admin/alice",
                                "related.user": ["AROAEXAMPLE:alice", "Admin/alice"]}),
        ("userIdentity", {"type": "FederatedUser", "arn": "arn:aws:sts::111122223333:federated-user/bob"},
         {"user.id": "arn:aws:sts::111122223333:federated-user/bob", "user.name": "bob",
          "related.user": ["arn:aws:sts::111122223333:federated-user/bob", "bob"]}),
        ("userIdentity", {"type": "SAMLUser", "principalId": "idp:bob", "userName": "bob"},
         {"user.id": "idp:bob", "user.name": "bob", "related.user": ["idp:bob", "bob"]}),
        ("userIdentity", None, {"user.id": None, "user.name": None, "related.user": None}),
        ("userIdentity.userName", None, {"user.name": None, "related.user": ["AIDAEXAMPLE1"]}),
        ("userIdentity.accountId", None, {}),
        ("userIdentity.accountId", "444455556666", {"cloud.account.id": "444455556666"}),
        ("sourceIPAddress", "2001:db8::5", {"source.address": "2001:db8::5", "source.ip": "2001:db8::5",
                                            "related.ip": ["2001:db8::5"]}),
        ("sourceIPAddress", "cloudformation.amazonaws.com",
         {"source.address": "cloudformation.amazonaws.com", "source.ip": None, "related.ip": None}),
        ("sourceIPAddress", "AWS Internal", {"source.address": "AWS Internal", "source.ip": None, "related.ip": None}),
        ("awsRegion", "us-east-1", {"cloud.region": "us-east-1"}),
        ("userAgent", None, {"user_agent.original": None}),
    ],
)  # fmt: skip
def test_a_login_with_another_value(path: str, value: Any, differs: dict[str, Any]) -> None:
    expected = {name: value for name, value in (STORED | differs).items() if value is not None}
    assert stored("cloudtrail", changed(LOGIN, path, value)) == expected


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("signin.amazonaws.com", "CheckMfa"),
        ("signin.amazonaws.com", "SwitchRole"),
        ("signin.amazonaws.com", "UserAuthentication"),
        ("ec2.amazonaws.com", "RunInstances"),
        ("sts.amazonaws.com", "AssumeRole"),
    ],
)
def test_what_is_known_to_be_no_login_is_ignored(source: str, name: str) -> None:
    assert ignored("cloudtrail", LOGIN | {"eventSource": source, "eventName": name})


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("signin.amazonaws.com", "ConsoleLogin2"),
        ("signin.amazonaws.com", None),
        ("signin.amazonaws.com", []),
        ("ec2.amazonaws.com", "ConsoleLogin"),
        ("ec2.amazonaws.com", ""),
        ("ec2.example.org", "RunInstances"),
        (None, "ConsoleLogin"),
        (None, None),
        ({}, "CheckMfa"),
    ],
)
def test_all_else_is_unrecognised(source: Any, name: Any) -> None:
    assert refused("cloudtrail", LOGIN | {"eventSource": source, "eventName": name}) == Reason.UNRECOGNISED


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("eventTime", None, Reason.TIMESTAMP_MISSING),
        ("eventTime", "2026-03-01T10:00:00", Reason.TIMESTAMP_WITHOUT_ZONE),
        ("userIdentity", "alice", Reason.FIELD_TYPE),
        ("userIdentity.userName", 5, Reason.FIELD_TYPE),
        ("sourceIPAddress", ["192.0.2.10"], Reason.FIELD_TYPE),
        ("Records", [LOGIN], Reason.SEVERAL_EVENTS),
    ],
)
def test_what_is_wrong_is_refused(path: str, value: Any, reason: Reason) -> None:
    assert refused("cloudtrail", changed(LOGIN, path, value)) == reason


def test_a_record_without_an_identity_or_with_an_empty_one() -> None:
    for identity in ({}, {"type": None}):
        assert "user.id" not in stored("cloudtrail", changed(LOGIN, "userIdentity", identity))
    without = {name: value for name, value in LOGIN.items() if name != "userIdentity"}
    assert stored("cloudtrail", without)["cloud.account.id"] == "111122223333"


def test_a_file_is_split_into_its_records() -> None:
    others = [changed(LOGIN, "eventName", "CheckMfa"), changed(LOGIN, "big", 9223372036854775807)]
    parts = list(split("cloudtrail", json.dumps({"Records": [LOGIN, *others]}).encode()))
    assert [json.loads(part) for part in parts] == [LOGIN, *others]
    assert stored("cloudtrail", parts[0]) == STORED
    assert not list(split("cloudtrail", b'{"Records":[]}'))


def test_a_file_may_be_larger_than_a_record() -> None:
    records = [changed(LOGIN, "eventID", f"{number}-{'x' * 1000}") for number in range(1200)]
    assert len(list(split("cloudtrail", json.dumps({"Records": records}).encode()))) == 1200


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(LOGIN).encode(),
        b'{"Records": 5}',
        b'{"Records":[{}',
        b'{"Records":[{"a":1,"a":2}]}',
        b'{"Records":[' + b"[" * 300 + b"]" * 300 + b"]}",
        b'"Records"',
        b"",
    ],
    ids=range(7),
)
def test_what_is_no_file_stays_as_it_is(raw: bytes) -> None:
    assert list(split("cloudtrail", raw)) == [raw]
