# SPDX-License-Identifier: Apache-2.0
"""Roles, users and a token are written when they differ, and only then."""

from typing import Any

from ansible.module_utils.service_api import basic
from elasticsearch_access import role_changes, token_change, user_changes

READER = {"indices": [{"names": ["login-*"], "privileges": ["read"]}]}
ANA = {"name": "ana", "full_name": "", "password": "secret", "roles": ["reader"]}


class Cluster:
    """Holds what is written; `logins` are the Authorization headers that work."""

    def __init__(self, *logins: str) -> None:
        self.stored: dict[str, Any] = {}
        self.logins = set(logins)
        self.asked: list[tuple[str, str, Any]] = []

    def call(self, method: str, path: str, body: Any = None, authorization: str = "", missing: int = 404) -> Any:
        if path == "/_security/_authenticate":
            return {"username": "known"} if authorization in self.logins else None
        name = path.rsplit("/", 1)[1]
        if method == "GET":
            return {name: self.stored[path]} if path in self.stored else None
        self.asked.append((method, path, body))
        if method == "PUT":
            self.stored[path] = body
            if "password" in body:
                self.logins.add(basic(name, body["password"]))
        return {"token": {"value": "new"}}


def test_a_role_is_written_once() -> None:
    cluster: Any = Cluster()
    assert role_changes(cluster, {"reader": READER}, check=True) == ["role reader: created"]
    assert cluster.asked == []
    assert role_changes(cluster, {"reader": READER}, check=False) == ["role reader: created"]
    assert role_changes(cluster, {"reader": READER}, check=False) == []
    assert role_changes(cluster, {"reader": {"indices": []}}, check=False) == ["role reader: changed"]


def test_a_user_is_written_once() -> None:
    cluster: Any = Cluster()
    assert user_changes(cluster, [ANA], check=True) == ["user ana: created"]
    assert cluster.asked == []
    assert user_changes(cluster, [ANA], check=False) == ["user ana: created"]
    assert user_changes(cluster, [ANA], check=False) == []


def test_a_users_other_roles_leave_the_password() -> None:
    cluster: Any = Cluster()
    user_changes(cluster, [ANA], check=False)
    assert user_changes(cluster, [{**ANA, "roles": ["writer"]}], check=False) == ["user ana: changed"]
    assert "password" not in cluster.asked[-1][2]


def test_a_password_that_does_not_work_is_set() -> None:
    cluster: Any = Cluster()
    user_changes(cluster, [ANA], check=False)
    assert user_changes(cluster, [{**ANA, "password": "other"}], check=False) == ["user ana: password set"]
    assert cluster.asked[-1][2]["password"] == "other"


def test_a_token_is_issued_when_there_is_none_that_works() -> None:
    cluster: Any = Cluster("Bearer old")
    assert token_change(cluster, "elastic/kibana", "login", "old", check=False) == ([], "")
    assert token_change(cluster, "elastic/kibana", "login", "", check=True)[1] == ""
    assert cluster.asked == []
    assert token_change(cluster, "elastic/kibana", "login", "", check=False)[1] == "new"
    changes, token = token_change(cluster, "elastic/kibana", "login", "lost", check=False)
    assert "does not work" in changes[0] and token == "new"
    path = "/_security/service/elastic/kibana/credential/token/login"
    assert [asked[:2] for asked in cluster.asked[-2:]] == [("DELETE", path), ("POST", path)]
