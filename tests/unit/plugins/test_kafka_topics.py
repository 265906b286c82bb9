# SPDX-License-Identifier: Apache-2.0
"""The topic is brought back to each setting that is wanted, and check mode tells which differ."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WANTED = {
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.type",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
    "unclean.leader.election.enable",
}


def _module() -> Any:
    file = ROOT / "roles/kafka/library/kafka_resources.py"
    spec = importlib.util.spec_from_file_location("kafka_resources", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


topic_changes = _module().topic_changes


class Client:
    """A cluster with one topic."""

    def __init__(self, config: dict[str, str], copies: int = 3) -> None:
        self.config, self.copies = config, copies

    def list_topics(self) -> list[str]:
        return ["logins"]

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"partitions": [{"replica_nodes": list(range(self.copies))}] * 6} for _ in names]

    def describe_configs(self, resources: list[Any], config_filter: str) -> dict[str, Any]:
        return {"topic": {"logins": {name: {"value": value} for name, value in self.config.items()}}}

    def alter_configs(self, resources: list[Any]) -> None:
        self.config |= resources[0].configs


def topic(**config: Any) -> list[dict[str, Any]]:
    settings = {name.replace("_", "."): value for name, value in config.items()}
    return [{"name": "logins", "partitions": 6, "replication_factor": 3, "config": settings}]


def test_what_was_changed_by_hand_is_told_and_put_back() -> None:
    client = Client({"cleanup.policy": "compact", "max.message.bytes": "120000", "retention.ms": "5"})
    wanted = topic(cleanup_policy="delete", max_message_bytes=1114112, retention_ms="5")
    told = [
        "topic logins: cleanup.policy compact -> delete",
        "topic logins: max.message.bytes 120000 -> 1114112",
    ]
    assert topic_changes(client, wanted, True) == told
    assert client.config["cleanup.policy"] == "compact"
    assert topic_changes(client, wanted, False) == told
    assert topic_changes(client, wanted, False) == []


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_a_topic_without_its_copies_still_takes_records(copies: int, in_sync: str) -> None:
    client = Client({"min.insync.replicas": "0"}, copies)
    topic_changes(client, topic(min_insync_replicas="2"), False)
    assert client.config["min.insync.replicas"] == in_sync


def test_all_that_the_promise_depends_on_is_wanted_state() -> None:
    config = yaml.safe_load((ROOT / "roles/pipeline/vars/main.yml").read_text())["pipeline_topic_config"]
    assert config.keys() | {"min.insync.replicas"} == WANTED


def test_the_topic_takes_what_the_producer_may_send() -> None:
    from login_producer.connection import _MAX_REQUEST

    config = yaml.safe_load((ROOT / "roles/pipeline/vars/main.yml").read_text())["pipeline_topic_config"]
    formula = config["max.message.bytes"].strip("{} ")
    assert formula == "(1024 + 64) * 1024"
    assert _MAX_REQUEST == (1024 + 64) * 1024
