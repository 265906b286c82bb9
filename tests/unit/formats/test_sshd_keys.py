# SPDX-License-Identifier: Apache-2.0
"""Format sshd_keys: as sshd, but a connection that ends before a login is the failure."""

from typing import Any

import pytest
from lines import LOG, ignored, logged, stored


def keys(outcome: str, **more: Any) -> dict[str, Any]:
    return logged("sshd", "ssh_login", outcome, ip="192.0.2.1", source_port=22, **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Accepted publickey for alice from 192.0.2.1 port 22 ssh2: ED25519 SHA256:AAAAexample",
            keys("success", user="alice", login_method="publickey"),
        ),
        (
            "Connection closed by authenticating user root 192.0.2.1 port 22 [preauth]",
            keys("failure", user="root", event_reason="no_key_accepted"),
        ),
        (
            "Disconnected from authenticating user root 192.0.2.1 port 22 [preauth]",
            keys("failure", user="root", event_reason="no_key_accepted"),
        ),
        (
            "Disconnecting authenticating user root 192.0.2.1 port 22: Too many authentication failures [preauth]",
            keys("failure", user="root", event_reason="no_key_accepted"),
        ),
        (
            "Disconnecting authenticating user root 192.0.2.1 port 22: Change of username or service not allowed: "
            "(root,ssh-connection) -> (x 203.0.113.9 port 7: y,ssh-connection) [preauth]",
            keys("failure", user="root", event_reason="no_key_accepted"),
        ),
        (
            "ssh_dispatch_run_fatal: Connection from authenticating user root 192.0.2.1 port 22: Broken pipe [preauth]",
            keys("failure", user="root", event_reason="no_key_accepted"),
        ),
        (
            "Connection from authenticating user root 192.0.2.1 port 22 timed out [preauth]",
            keys("failure", user="root", event_reason="no_key_accepted"),
        ),
        (
            "Invalid user admin from 192.0.2.1 port 22",
            keys("failure", user="admin", event_reason="invalid_user"),
        ),
        (
            "Invalid user x from 203.0.113.9 port 7 from 192.0.2.1 port 22",
            keys("failure", user="x from 203.0.113.9 port 7", event_reason="invalid_user"),
        ),
        (
            "Invalid user  from 192.0.2.1 port 22",
            keys("failure", event_reason="invalid_user"),
        ),
    ],
)
def test_where_only_keys_are_taken_a_connection_that_ends_is_a_failure(text: str, expected: dict[str, Any]) -> None:
    assert stored("sshd_keys", f"{LOG} sshd[42]: {text}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Invalid user x from 192.0.2.1", {"user": "x", "ip": "192.0.2.1", "event_reason": "invalid_user"}),
        ("Illegal user x from 192.0.2.1", {"user": "x", "ip": "192.0.2.1", "event_reason": "invalid_user"}),
        (
            "User bob from 192.0.2.1 not allowed because not listed in AllowUsers",
            {"user": "bob", "ip": "192.0.2.1", "event_reason": "not_allowed"},
        ),
        ("User bob not allowed because account is locked", {"user": "bob", "event_reason": "not_allowed"}),
        (
            "fatal: Access denied for user bob by PAM account configuration [preauth]",
            {"user": "bob", "event_reason": "not_allowed"},
        ),
    ],
)
def test_where_the_port_or_the_address_is_not_told(text: str, expected: dict[str, Any]) -> None:
    assert stored("sshd_keys", f"{LOG} sshd[42]: {text}") == logged("sshd", "ssh_login", "failure", **expected)


CONNECTIONS = {
    "OpenSSH 6": (
        "Invalid user x from 192.0.2.7",
        "input_userauth_request: invalid user x [preauth]",
        "Received disconnect from 192.0.2.7: 11: Bye Bye [preauth]",
    ),
    "OpenSSH 7.4": (
        "Invalid user x from 192.0.2.7 port 50000",
        "input_userauth_request: invalid user x [preauth]",
        "Connection closed by 192.0.2.7 port 50000 [preauth]",
    ),
    "OpenSSH 9": (
        "Invalid user x from 192.0.2.7 port 50000",
        "Received disconnect from 192.0.2.7 port 50000:11: Bye Bye [preauth]",
        "Disconnected from invalid user x 192.0.2.7 port 50000 [preauth]",
    ),
    "too many keys": (
        "Invalid user x from 192.0.2.7 port 50000",
        "error: maximum authentication attempts exceeded for invalid user x from 192.0.2.7 port 50000 ssh2 [preauth]",
        "Disconnecting invalid user x 192.0.2.7 port 50000: Too many authentication failures [preauth]",
    ),
    "a user that may not": (
        "User x from 192.0.2.7 not allowed because none of user's groups are listed in AllowGroups",
        "Connection closed by invalid user x 192.0.2.7 port 50000 [preauth]",
    ),
    "a user that exists": (
        "error: maximum authentication attempts exceeded for x from 192.0.2.7 port 50000 ssh2 [preauth]",
        "Disconnecting authenticating user x 192.0.2.7 port 50000: Too many authentication failures [preauth]",
    ),
    "PAM": (
        "error: PAM: Authentication failure for x from 192.0.2.7",
        "Failed keyboard-interactive/pam for x from 192.0.2.7 port 50000 ssh2",
        "Connection closed by authenticating user x 192.0.2.7 port 50000 [preauth]",
    ),
}


@pytest.mark.parametrize("lines", CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_connection_counts_once_in_each_version(lines: tuple[str, ...]) -> None:
    told = [line for line in lines if not ignored("sshd_keys", f"{LOG} sshd[42]: {line}")]
    assert len(told) == 1
    found = stored("sshd_keys", f"{LOG} sshd[42]: {told[0]}")
    assert (found["event.outcome"], found["user.name"], found["source.ip"]) == ("failure", "x", "192.0.2.7")


def test_a_connection_to_dropbear_counts_once() -> None:
    for lines in (
        (
            "Child connection from 192.0.2.7:50000",
            "Bad password attempt for 'x' from 192.0.2.7:50000",
            "Exit before auth from <192.0.2.7:50000>: (user 'x', 1 fails): Exited normally",
        ),
        (
            "Child connection from 192.0.2.7:50000",
            "Login attempt for nonexistent user from 192.0.2.7:50000",
            "Exit before auth from <192.0.2.7:50000>: Exited normally",
        ),
    ):
        assert [ignored("sshd_keys", f"{LOG} dropbear[42]: {line}") for line in lines].count(False) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Failed publickey for alice from 192.0.2.1 port 22 ssh2",
        "Connection reset by invalid user admin 192.0.2.1 port 22 [preauth]",
        "Disconnecting invalid user a b 192.0.2.1 port 22: Too many authentication failures [preauth]",
        "Connection closed by invalid user x 203.0.113.9 port 7 192.0.2.1 port 22 [preauth]",
        "Connection closed by invalid user  192.0.2.1 port 22 [preauth]",
        "Received disconnect from 192.0.2.1 port 22:11: Bye Bye [preauth]",
        "Connection closed by 192.0.2.1 port 22 [preauth]",
        "Disconnected from user alice 192.0.2.1 port 22",
        "error: maximum authentication attempts exceeded for root from 192.0.2.1 port 22 ssh2 [preauth]",
    ],
)
def test_what_counts_it_twice_or_is_no_end_is_ignored(text: str) -> None:
    assert ignored("sshd_keys", f"{LOG} sshd[42]: {text}")
