# SPDX-License-Identifier: Apache-2.0
"""Kafka's users are made, and get another password when it is being replaced; none is reset behind the user's back."""

import hashlib
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest
from kafka.admin import UserScramCredentialUpsertion

ansible.module_utils.__path__.append(str(Path(__file__).parents[3] / "roles/kafka/module_utils"))

from ansible.module_utils import kafka_users  # noqa: E402  (found by the path set above)


class Cluster:
    """Holds users with what Kafka has of their passwords; also tries passwords in the place of a login."""

    def __init__(self, **passwords: str) -> None:
        made = (UserScramCredentialUpsertion(user, "SCRAM-SHA-512", told) for user, told in passwords.items())
        self.users = {each.user: each for each in made}

    def describe_user_scram_credentials(self) -> dict[str, Any]:
        return {user: {"credential_infos": ["SCRAM-SHA-512"]} for user in self.users}

    def alter_user_scram_credentials(self, upsertions: list[Any]) -> dict[str, Any]:
        self.users |= {each.user: each for each in upsertions}
        return {each.user: None for each in upsertions}

    def works(self, user: str, password: str) -> bool:
        had = self.users[user]
        return hashlib.pbkdf2_hmac("sha512", password.encode(), had.salt, had.iterations) == had.salted_password


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(consumer="old", producer="by hand")
    monkeypatch.setattr(kafka_users, "password_works", lambda params, *login: made.works(*login))
    return made


def changes(cluster: Cluster, check: bool = False, replaced: tuple[str, ...] = (), **users: str) -> list[str]:
    params = {"users": users, "replaced_passwords": {user: list(replaced) for user in users}}
    return kafka_users.user_changes(cluster, params, check)


def test_a_missing_user_is_created(cluster: Cluster) -> None:
    assert changes(cluster, replay="new", check=True) == ["user replay: created"]
    assert "replay" not in cluster.users
    assert changes(cluster, replay="new") == ["user replay: created"]
    assert changes(cluster, replay="new") == []


def test_a_password_that_is_being_replaced_is_changed(cluster: Cluster) -> None:
    told = ["user consumer: password changed"]
    assert changes(cluster, consumer="nöw '\"$\\", replaced=("older", "old"), check=True) == told
    assert cluster.works("consumer", "old")
    assert changes(cluster, consumer="nöw '\"$\\", replaced=("older", "old")) == told
    assert cluster.works("consumer", "nöw '\"$\\") and not cluster.works("consumer", "old")
    assert changes(cluster, consumer="nöw '\"$\\", replaced=("older", "old")) == []


@pytest.mark.parametrize("replaced", [(), ("old",)])
def test_a_password_that_was_changed_elsewhere_is_told_and_none_is_changed(
    replaced: tuple[str, ...], cluster: Cluster
) -> None:
    before = dict(cluster.users)
    with pytest.raises(kafka_users.Rejected, match="stored password of producer: it was changed outside"):
        changes(cluster, replay="new", producer="wanted", replaced=replaced)
    assert cluster.users == before
