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
            "Connection reset by invalid user admin 192.0.2.1 port 22 [preauth]",
            keys("failure", user="admin", event_reason="invalid_user"),
        ),
        (
            "Disconnected from authenticating user root 192.0.2.1 port 22 [preauth]",
            keys("failure", user="root", event_reason="no_key_accepted"),
        ),
        (
            "Disconnecting invalid user a b 192.0.2.1 port 22: Too many authentication failures [preauth]",
            keys("failure", user="a b", event_reason="invalid_user"),
        ),
        (
            "Connection closed by invalid user x 203.0.113.9 port 7 192.0.2.1 port 22 [preauth]",
            keys("failure", user="x 203.0.113.9 port 7", event_reason="invalid_user"),
        ),
        (
            "Connection closed by invalid user  192.0.2.1 port 22 [preauth]",
            keys("failure", event_reason="invalid_user"),
        ),
    ],
)
def test_where_only_keys_are_taken_a_connection_that_ends_is_a_failure(text: str, expected: dict[str, Any]) -> None:
    assert stored("sshd_keys", f"{LOG} sshd[42]: {text}") == expected


@pytest.mark.parametrize(
    "text",
    [
        "Failed publickey for alice from 192.0.2.1 port 22 ssh2",
        "Invalid user admin from 192.0.2.1 port 22",
        "Received disconnect from 192.0.2.1 port 22:11: Bye Bye [preauth]",
        "Connection closed by 192.0.2.1 port 22 [preauth]",
        "Disconnected from user alice 192.0.2.1 port 22",
        "error: maximum authentication attempts exceeded for root from 192.0.2.1 port 22 ssh2 [preauth]",
    ],
)
def test_what_counts_it_twice_or_is_no_end_is_ignored(text: str) -> None:
    assert ignored("sshd_keys", f"{LOG} sshd[42]: {text}")
