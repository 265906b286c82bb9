# SPDX-License-Identifier: Apache-2.0
"""The password of the first user is changed with the old one, and never reset."""

from typing import Any

from ansible.module_utils.service_api import basic
from elasticsearch_password import password_change


class Node:
    """Has one user with one password."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.changes = 0

    def call(self, method: str, path: str, body: Any = None, authorization: str = "", missing: int = 0) -> Any:
        assert missing == 401
        if authorization != basic("elastic", self.password):
            return None
        if method == "POST":
            assert path == "/_security/user/elastic/_password"
            self.password, self.changes = body["password"], self.changes + 1
        return {}


def change(node: Any, wanted: str, *replaced: str, check: bool = False) -> list[str] | None:
    return password_change(node, "elastic", wanted, list(replaced), check)


def test_a_password_that_works_is_left() -> None:
    node = Node("wanted")
    assert change(node, "wanted", "old") == []
    assert node.changes == 0


def test_an_old_password_opens_for_the_new_one() -> None:
    node = Node("oldest")
    assert change(node, "wänted €", "old", "oldest", check=True) == ["user elastic: password changed"]
    assert node.password == "oldest"
    assert change(node, "wänted €", "old", "oldest") == ["user elastic: password changed"]
    assert node.password == "wänted €"
    assert change(node, "wänted €", "old", "oldest") == []


def test_a_password_that_nobody_knows_is_left() -> None:
    node = Node("by hand")
    assert change(node, "wanted", "old") is None
    assert node.password == "by hand"
