# SPDX-License-Identifier: Apache-2.0
"""What a host tells of itself; with real hosts: tests/pipeline/test_status.py."""

from typing import Any

from host_status import api_keys


def key(name: str, creation: int, **other: Any) -> dict[str, Any]:
    return {"name": name, "creation": creation, "invalidated": False, **other}


def test_of_each_api_key_the_newest_counts_that_is_valid() -> None:
    found = [
        key("login-a", 3, expiration=3000, invalidated=True),
        key("login-a", 2, expiration=2000),
        key("login-a", 1, expiration=1000),
        key("login-b", 1),
        key("login-of-a-person", 1, expiration=1000),
    ]
    assert api_keys(found, ["login-c", "login-a", "login-b"]) == {"login-a": 2.0, "login-b": None, "login-c": 0}
