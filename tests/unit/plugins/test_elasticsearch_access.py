# SPDX-License-Identifier: Apache-2.0
"""Roles, users and a token are written when they differ, and only then; nothing is reset behind the user's back."""

import base64
from typing import Any

import pytest
from ansible.module_utils.service_api import basic
from elasticsearch_access import Rejected, other_api_keys, other_tokens, role_changes, token_change, user_changes

READER = {"indices": [{"names": ["login-*"], "privileges": ["read"]}]}
ANA = {"name": "ana", "full_name": "", "password": "secret", "replaced_passwords": [], "roles": ["reader"]}
TOKENS = "/_security/service/elastic/kibana/credential"


def token_of(name: str) -> str:
    """Return a token as Elasticsearch makes them."""
    return base64.b64encode(b"\0\1\0\1" + f"elastic/kibana/{name}:secret".encode()).decode().rstrip("=")


class Cluster:
    """Holds what is written; `logins` are the Authorization headers that work."""

    def __init__(self, *logins: str) -> None:
        self.stored: dict[str, Any] = {}
        self.logins = set(logins)
        self.asked: list[tuple[str, str, Any]] = []
        self.tokens: list[str] = []

    def call(self, method: str, path: str, body: Any = None, authorization: str = "", missing: int = 404) -> Any:
        if path == "/_security/_authenticate":
            return {"username": "known"} if authorization in self.logins else None
        if (method, path) == ("GET", TOKENS):
            return {"tokens": {name: {} for name in self.tokens}}
        name = path.rsplit("/", 1)[1]
        if method == "GET":
            return {name: self.stored[path]} if path in self.stored else None
        self.asked.append((method, path, body))
        if method == "PUT":
            self.stored[path] = body
            if "password" in body:
                self.logins.add(basic(name, body["password"]))
        if method == "POST":
            self.tokens.append(name)
        if method == "DELETE":
            self.tokens.remove(name)
        return {"token": {"value": token_of(name)}}


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


def test_a_password_that_is_being_replaced_is_set() -> None:
    cluster: Any = Cluster()
    user_changes(cluster, [ANA], check=False)
    wanted = [{**ANA, "password": "other", "replaced_passwords": ["older", "secret"]}]
    assert user_changes(cluster, wanted, check=True) == ["user ana: password set"]
    assert user_changes(cluster, wanted, check=False) == ["user ana: password set"]
    assert cluster.asked[-1][2]["password"] == "other"
    assert user_changes(cluster, wanted, check=False) == []


@pytest.mark.parametrize("replaced", [[], ["older"]])
def test_a_password_that_was_changed_elsewhere_is_told_and_nothing_is_written(replaced: list[str]) -> None:
    cluster: Any = Cluster()
    user_changes(cluster, [ANA], check=False)
    before = list(cluster.asked)
    wanted = [{**ANA, "name": "new"}, {**ANA, "password": "other", "replaced_passwords": replaced}]
    with pytest.raises(Rejected, match=r"stored password of ana \(401\).*Nothing was changed"):
        user_changes(cluster, wanted, check=False)
    assert cluster.asked == before


def test_a_token_is_issued_when_there_is_none_that_works() -> None:
    cluster: Any = Cluster("Bearer old")
    assert token_change(cluster, "elastic/kibana", "login", "old", check=False) == ([], "")
    assert token_change(cluster, "elastic/kibana", "login", "", check=True)[1] == ""
    assert cluster.asked == []
    token = token_change(cluster, "elastic/kibana", "login", "", check=False)[1]
    assert [token] == [token_of(name) for name in cluster.tokens]
    changes, token = token_change(cluster, "elastic/kibana", "login", "lost", check=False)
    assert "does not work" in changes[0] and "deleted" in changes[1]
    assert [token] == [token_of(name) for name in cluster.tokens]


def test_a_token_that_is_being_replaced_lives_until_another_has_its_place() -> None:
    cluster: Any = Cluster()
    cluster.tokens = ["login-old", "of-somebody-else"]
    token = token_change(cluster, "elastic/kibana", "login", "", check=False, is_replaced=True)[1]
    assert len(cluster.tokens) == 3
    assert len(other_tokens(cluster, "login", token, check=True)) == 1
    assert len(cluster.tokens) == 3
    other_tokens(cluster, "login", token, check=False)
    assert sorted(map(token_of, cluster.tokens)) == sorted([token, token_of("of-somebody-else")])
    assert other_tokens(cluster, "login", token, check=False) == []


class Keys:
    """Holds API keys of one name, by id whether they are invalidated."""

    def __init__(self, **keys: bool) -> None:
        self.keys = keys

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if method == "DELETE":
            self.keys |= dict.fromkeys(body["ids"], True)
            return {}
        found = [path.partition("?id=")[2]] if "?id=" in path else self.keys
        return {"api_keys": [{"id": each, "name": "login-report", "invalidated": self.keys[each]} for each in found]}


def test_an_api_key_is_the_sole_one_of_its_name() -> None:
    cluster: Any = Keys(old=False, gone=True, new=False)
    kept = [base64.b64encode(b"new:secret").decode()]
    assert len(other_api_keys(cluster, kept, check=True)) == 1
    assert cluster.keys == {"old": False, "gone": True, "new": False}
    assert len(other_api_keys(cluster, kept, check=False)) == 1
    assert cluster.keys == {"old": True, "gone": True, "new": False}
    assert other_api_keys(cluster, kept, check=False) == []
