# SPDX-License-Identifier: Apache-2.0
"""Pseudonyms switched on, and off again, on the host: nothing clear is stored meanwhile, and the audit balances."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from account import Ledger
from deployment import Deployment, Run
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from hunt import hunt
from kafka import KafkaProducer
from login_common.times import iso
from pipeline import Pipeline
from testinfra.host import Host

KEY_FILE = "/etc/login-consumer/pseudonym_key"
ADDRESS = "198.51.100.213"
SETTINGS = {"spark_consumer_pseudonyms": ["user", "source_ip"]}


# Three deployments of the consumer
pytestmark = pytest.mark.usefixtures("long")


@dataclass
class Told:
    """What was sent while pseudonyms were on, and what was found then."""

    name: str = f"ann-{uuid.uuid4().hex[:12]}"
    on: list[Run] = field(default_factory=list)
    off: Run | None = None
    pseudonyms: list[str] = field(default_factory=list)
    key_file: str = ""
    readers: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    audit: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def told(
    deployment: Deployment,
    host: Host,
    pipeline: Pipeline,
    ledger: Ledger,
    kafka: Callable[[str], dict[str, Any]],
) -> Iterator[Told]:
    """Switch pseudonyms on, send logins and what is refused, and switch them off."""
    told = Told()
    try:
        options = ("--tags", "spark_consumer", "--extra-vars", json.dumps(SETTINGS))
        told.on = [deployment.deploy(*options), deployment.deploy(*options)]
        assert told.on[0].returncode == 0, told.on[0].output
        when = iso(round(pipeline.clock() * 1000))
        event = {"user_id": told.name, "timestamp": when, "source_ip": ADDRESS, "reason": f"{told.name} is locked"}
        line = f"{when} web-1 sshd[42]: {{}} password for {told.name} from {ADDRESS} port 22 ssh2"
        sshd = [("login-format", b"sshd")]
        with closing(KafkaProducer(**kafka("producer"), acks="all")) as producer:
            for value, headers in (
                (json.dumps(event), []),
                (line.format("Failed"), sshd),
                (line.format("Odd"), sshd),
                (f"{told.name} from {ADDRESS}", []),
                (json.dumps(event | {"timestamp": told.name}), []),
            ):
                producer.send(deployment.topic, value.encode(), headers=headers).get(timeout=60)
        ledger.wait_for(ledger.ends())
        asked = {"user": told.name, "source_ip": ADDRESS}
        told.pseudonyms = [
            host.check_output(f"echo {value} | login-consumer pseudonym {kind}") for kind, value in asked.items()
        ]
        told.key_file = host.check_output(f"stat -c '%U %G %a' {KEY_FILE}")
        told.readers = hunt(deployment, ["/etc", "/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"], user="nobody")
        told.logged = [each for each in hunt(deployment, ["journal", "/var/log"]) if "pseudonym_key" in each]
        told.audit = pipeline.audit()
    finally:
        told.off = deployment.deploy("--tags", "spark_consumer")
    yield told


def test_two_runs_switch_them_on_and_one_off(told: Told, host: Host) -> None:
    assert (told.on[1].returncode, told.on[1].changed) == (0, 0), told.on[1].output
    assert told.off and told.off.returncode == 0, told.off
    assert not host.file(KEY_FILE).exists


def test_only_the_consumer_has_the_key_and_nothing_logs_it(told: Told) -> None:
    assert told.key_file == "root login-consumer 640"
    assert told.readers == told.logged == []


def test_nothing_clear_is_stored(told: Told, elastic: Elasticsearch) -> None:
    elastic.indices.refresh(index="login-*")
    text = "\n".join(json.dumps(hit) for hit in scan(elastic, index="login-*", size=5000))
    assert all(pseudonym in text for pseudonym in told.pseudonyms)
    assert told.name not in text and ADDRESS not in text


def test_one_search_finds_a_user_in_all_formats(told: Told, elastic: Elasticsearch) -> None:
    user, address = told.pseudonyms
    named = [{"term": {field: user}} for field in ("user.id", "user.name")]
    query = {"bool": {"filter": [{"term": {"source.ip": address}}], "should": named, "minimum_should_match": 1}}
    found = [hit["_source"] for hit in elastic.search(index="login-events-*", query=query)["hits"]["hits"]]
    assert sorted(each["event"].get("dataset", "native") for each in found) == ["native", "system.auth"]
    assert all("original" not in each["event"] and each["login"]["pseudonyms"] for each in found)


def test_the_numbers_balance(told: Told) -> None:
    assert told.audit["faults"] == []
