# SPDX-License-Identifier: Apache-2.0
"""Marked records go the whole way: exactly they come out, as events, counts and dead letters."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from account import Account, Ledger
from deployment import Deployment
from elasticsearch import Elasticsearch
from kafka import KafkaProducer
from pipeline import Pipeline
from testinfra.host import Host

MINUTE, DAY = 60, 86_400

# Seconds from the start of a window that lies two hours back; country, browser, outcome
GOOD = (
    (0.0, "DE", "Firefox", "success"),
    (0.001, "DE", "Firefox", "success"),
    (59.999, "DE", "Firefox", "failure"),
    (1.0, "FR", "Firefox", "success"),
    (2.0, "DE", "Chrome", "success"),
    (-0.001, "DE", "Firefox", "success"),
    (10 * MINUTE, "KR", "Safari", "success"),
    (-40 * DAY, "DE", "Firefox", "success"),
    (-40 * DAY, "DE", "Firefox", "success"),
)


@dataclass(frozen=True)
class Sent:
    """What the fixture has sent. Each record is its place in Kafka: topic-partition-offset."""

    marker: str
    events: dict[str, tuple[dict[str, Any], str]]
    """Event id to the event and its record."""
    repeated: list[str]
    rejected: dict[str, tuple[str, bytes | None]]
    """Record to the expected reason and the bytes."""
    duplicates_before: int


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture(scope="module")
def sent(deployment: Deployment, ledger: Ledger, kafka: Callable[[str], dict[str, Any]]) -> Sent:
    """Send all records as the account of the producer, and wait until the consumer is past them."""
    marker = f"verify-{uuid.uuid4().hex[:12]}"
    now = time.time()
    start = (now - 7200) // deployment.window_seconds * deployment.window_seconds
    duplicates_before = ledger.sum_of("login-pipeline-*", "duplicates")
    producer = KafkaProducer(**kafka("producer"), acks="all")

    def send(key: str, value: bytes | None) -> tuple[str, tuple[int, int]]:
        told = producer.send(deployment.topic, value, key=key.encode()).get(timeout=30)
        return f"{told.topic}-{told.partition}-{told.offset}", (told.partition, told.offset)

    places, events = [], {}
    for number, (seconds, country, browser, outcome) in enumerate(GOOD):
        event = {
            "event_id": f"{marker}-{number}",
            "user_id": f"{marker}-user-{number % 3}",
            "timestamp": round((start + seconds) * 1000),
            "country": country,
            "browser": f"{marker} {browser}",
            "outcome": outcome,
        }
        record, place = send(event["event_id"], json.dumps(event).encode())
        events[event["event_id"]] = (event, record)
        places.append(place)

    first = events[f"{marker}-0"][0]
    bad: list[tuple[str, bytes | None]] = [
        ("not_json", b'{"user_id": "%b", "timestamp": ' % marker.encode()),
        ("bad_utf8", b'{"user_id": "%b \xe9", "timestamp": %d}' % (marker.encode(), now)),
        ("timestamp_in_future", json.dumps({**first, "event_id": f"{marker}-f", "timestamp": now + 3600}).encode()),
        ("null_value", None),
    ]
    repeated, rejected = [], {}
    for changed in ({}, {"outcome": "failure"}):  # the second tells another story under the same id
        record, place = send(first["event_id"], json.dumps(first | changed).encode())
        repeated.append(record)
        places.append(place)
    for reason, value in bad:
        record, place = send(marker, value)
        rejected[record] = (reason, value)
        places.append(place)
    producer.close()

    ends: dict[int, int] = {}
    for partition, offset in places:
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    ledger.wait_for(ends)
    return Sent(marker, events, repeated, rejected, duplicates_before)


def test_exactly_the_good_events_are_documents(sent: Sent, elastic: Elasticsearch) -> None:
    query = {"prefix": {"user.id": sent.marker}}
    hits = elastic.search(index="login-events-*", query=query, size=100)["hits"]["hits"]
    assert {hit["_id"] for hit in hits} == set(sent.events)
    for hit in hits:
        (event, record), source = sent.events[hit["_id"]], hit["_source"]
        place = source["login"]["kafka"]
        assert {
            "event_id": source["event"]["id"],
            "user_id": source["user"]["id"],
            "timestamp": milliseconds(source["@timestamp"]),
            "country": source["source"]["geo"]["country_iso_code"],
            "browser": source["user_agent"]["name"],
            "outcome": source["event"]["outcome"],
        } == event
        assert f"{place['topic']}-{place['partition']}-{place['offset']}" == record
        month = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        assert hit["_index"].startswith(f"login-events-{month:%Y.%m}")


def test_windows_count_exactly_the_good_events(sent: Sent, deployment: Deployment, elastic: Elasticsearch) -> None:
    span = deployment.window_seconds * 1000
    expected = Counter(
        (event["timestamp"] // span * span, event["country"], event["browser"], event["outcome"])
        for event, _ in sent.events.values()
    )
    hits = elastic.search(index="login-metrics-*", query={"prefix": {"browser": sent.marker}}, size=100)["hits"]["hits"]
    windows = [hit["_source"] for hit in hits]
    assert expected == {
        (milliseconds(w["window_start"]), w["country"], w["browser"], w["outcome"]): w["count"] for w in windows
    }
    assert {milliseconds(w["window_end"]) - milliseconds(w["window_start"]) for w in windows} == {span}


def test_rejected_records_keep_their_reason_and_bytes(sent: Sent, elastic: Elasticsearch, ledger: Ledger) -> None:
    records = {*(record for _, record in sent.events.values()), *sent.repeated, *sent.rejected}
    offsets = [int(record.rsplit("-", 1)[1]) for record in records]
    query = {"bool": {"filter": [{"terms": {"offset": offsets}}, {"term": {"topic_id": ledger.topic_id()}}]}}
    hits = elastic.search(index="login-dead-letters-*", query=query, size=10_000)["hits"]["hits"]
    letters = [(f"{each['topic']}-{each['partition']}-{each['offset']}", each) for each in (h["_source"] for h in hits)]
    found = {record: source for record, source in letters if record in records}
    raw = {record: base64.b64decode(source["raw"]) if "raw" in source else None for record, source in found.items()}
    assert {record: (source["reason"], raw[record]) for record, source in found.items()} == sent.rejected


def test_duplicates_are_counted(sent: Sent, ledger: Ledger) -> None:
    assert ledger.sum_of("login-pipeline-*", "duplicates") - sent.duplicates_before == len(sent.repeated)


@pytest.mark.parametrize("family", ["login-events", "login-metrics", "login-dead-letters", "login-pipeline"])
def test_there_was_an_index_before_the_first_batch(family: str, elastic: Elasticsearch) -> None:
    first = elastic.search(index="login-pipeline-*", size=1, sort="@timestamp:asc")["hits"]["hits"][0]["_source"]
    settings = elastic.indices.get_settings(index=f"{family}-*").body.values()
    made = [int(each["settings"]["index"]["creation_date"]) for each in settings]
    assert min(made) < milliseconds(first["@timestamp"])


@pytest.mark.usefixtures("long")  # it starts a Spark of its own
def test_consumer_check_finds_every_hop_well(host: Host, elastic: Elasticsearch) -> None:
    told = host.run("login-consumer check")
    assert told.rc == 0, told.stdout + told.stderr
    assert "FAILED" not in told.stdout and "Elasticsearch: read back" in told.stdout
    assert not elastic.indices.get(index="login-check-*").body


@pytest.fixture
def quiet(pipeline: Pipeline) -> Iterator[Account]:
    """Stop the producer until the end of the test; give the account when all that it has sent is dealt with."""
    with pipeline.still() as account:
        yield account


def test_the_producers_status_tells_that_it_sends(host: Host) -> None:
    producer = json.loads(host.check_output("login-producer status --json"))
    assert producer["counters"]["acked"] > 0 and producer["unreachable_since"] is None


def test_the_consumers_status_tells_what_elasticsearch_holds(
    sent: Sent, host: Host, quiet: Account, elastic: Elasticsearch
) -> None:
    consumer = json.loads(host.check_output("login-consumer status --json"))
    assert consumer["events"] == consumer["windows_sum"] == quiet.stored > len(sent.events)
    letters = elastic.count(index="login-dead-letters-*")["count"]
    assert consumer["dead_letters"] == letters >= quiet.dead >= len(sent.rejected)
