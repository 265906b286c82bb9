# SPDX-License-Identifier: Apache-2.0
"""What is sent in few bytes and unpacked to many: the consumer keeps its memory, and each record is accounted for."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from account import Ledger
from deployment import Deployment
from elasticsearch import Elasticsearch
from kafka import KafkaProducer
from starts import services, starts
from testinfra.host import Host

SECONDS = 120
ZEROS = 100_000_000
"""In gzip about a thousandth of it, so Kafka, whose limit is 1 MiB, takes it."""
BEYOND_HEAP = 400_000_000
"""Kafka's client holds a value twice while it unpacks it."""
HONEST = 400
"""Records of nearly 1 MiB: together half the consumer's heap."""


@pytest.fixture(scope="module")
def producer(kafka: Callable[[str], dict[str, Any]]) -> KafkaProducer:
    options = {"compression_type": "gzip", "max_request_size": 200_000_000}
    made = KafkaProducer(**kafka("producer"), acks="all", linger_ms=0, **options)
    yield made
    made.close()


def test_records_that_unpack_to_many_bytes_cost_no_restart(
    producer: KafkaProducer, host: Host, deployment: Deployment, ledger: Ledger, elastic: Elasticsearch
) -> None:
    before = services(starts(host))["login-consumer.service"]
    marker, bomb = uuid.uuid4().hex[:12], bytes(ZEROS)
    event = {"user_id": "large", "timestamp": datetime.now(UTC).isoformat(), "outcome": "success"}

    def record(name: str, padding: int = 0) -> bytes:
        return json.dumps(event | {"event_id": f"{marker}-{name}", "padding": "x" * padding}).encode()

    sent = {"bomb": producer.send(deployment.topic, bomb, partition=0).get(timeout=SECONDS)}
    headers = [("padding", bytes(100_000))]
    sent["headers"] = producer.send(deployment.topic, record("headers"), headers=headers).get(timeout=SECONDS)
    values = [record(f"large-{number}", 1_000_000) for number in range(HONEST)]
    honest = [producer.send(deployment.topic, value, partition=0) for value in values]
    sent |= {f"large-{number}": each.get(timeout=SECONDS) for number, each in enumerate(honest)}
    sent["last"] = producer.send(deployment.topic, record("last"), partition=0).get(timeout=SECONDS)

    ends: dict[int, int] = {}
    for each in sent.values():
        ends[each.partition] = max(ends.get(each.partition, 0), each.offset + 1)
    ledger.wait_for(ends)
    elastic.indices.refresh(index="login-*")
    stored = {"bool": {"filter": [{"prefix": {"event.id": marker}}]}}
    assert elastic.count(index="login-events-*", query=stored)["count"] == HONEST + 1

    def letter(name: str) -> dict[str, Any]:
        id_ = f"{ledger.topic_id()}-{sent[name].partition}-{sent[name].offset}"
        (hit,) = elastic.search(index="login-dead-letters-*", query={"ids": {"values": [id_]}})["hits"]["hits"]
        return dict(hit["_source"])

    found = letter("bomb")
    assert (found["reason"], found["size"], "raw" in found) == ("too_large", ZEROS, False)
    assert base64.b64decode(found["head"]) == bomb[:1024]
    assert found["sha256"] == hashlib.sha256(bomb).hexdigest()
    assert (letter("headers")["reason"], "headers" in letter("headers")) == ("too_large", False)
    assert services(starts(host))["login-consumer.service"] == before, "the consumer was started again"


@pytest.mark.usefixtures("long")
def test_a_record_that_ends_each_process_that_reads_it_is_given_up(
    kafka: Callable[[str], dict[str, Any]], host: Host, deployment: Deployment, ledger: Ledger, elastic: Elasticsearch
) -> None:
    """Larger than the consumer's heap once it is unpacked: the JVM ends until the record is let be."""
    before = services(starts(host))["login-consumer.service"]
    marker = uuid.uuid4().hex[:12]
    event = {"user_id": "large", "timestamp": datetime.now(UTC).isoformat(), "outcome": "success"}

    def honest(name: str) -> bytes:
        return json.dumps(event | {"event_id": f"{marker}-{name}"}).encode()

    limits = {"compression_type": "gzip", "max_request_size": 1 << 30, "request_timeout_ms": SECONDS * 1000}
    made = KafkaProducer(**kafka("producer"), acks="all", linger_ms=0, **limits)
    try:
        sent = []
        for value in (honest("first"), bytes(BEYOND_HEAP), honest("last")):  # each a batch of its own
            sent.append(made.send(deployment.topic, value, partition=0).get(timeout=SECONDS))
    finally:
        made.close()
    _, bomb, last = sent
    ledger.wait_for({0: last.offset + 1}, 900)
    elastic.indices.refresh(index="login-*")
    stored = {"bool": {"filter": [{"prefix": {"event.id": marker}}]}}
    assert elastic.count(index="login-events-*", query=stored)["count"] == 2
    id_ = f"{ledger.topic_id()}-0-{bomb.offset}"
    (hit,) = elastic.search(index="login-dead-letters-*", query={"ids": {"values": [id_]}})["hits"]["hits"]
    assert (hit["_source"]["reason"], "raw" in hit["_source"]) == ("unreadable", False)
    deaths = services(starts(host))["login-consumer.service"] - before
    assert 3 <= deaths <= 15, "it was no death that the record was given up for, or the way to it is long"
    assert not host.file("/var/lib/login-consumer/checkpoint.tries").exists
