# SPDX-License-Identifier: Apache-2.0
"""login-consumer dead, on the host: refused records are listed, shown and sent again, each once."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from account import Ledger
from deployment import Deployment
from elasticsearch import Elasticsearch
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pipeline import Pipeline
from testinfra.host import Host

LETTERS = "login-dead-letters-*"
SECONDS = 30

Options = Callable[[str], dict[str, Any]]
Place = tuple[int, int]
"""Partition and offset."""


@dataclass(frozen=True)
class Bad:
    """Records that were refused, by what is odd about them."""

    places: dict[str, Place]
    values: dict[str, bytes | None]


@pytest.fixture(scope="module")
def bad(deployment: Deployment, ledger: Ledger, kafka: Options) -> Bad:
    """Send records that are refused, and wait until the consumer is past them."""
    marker = f"dead-{uuid.uuid4().hex[:12]}".encode()
    values = {
        "text": b'{"user_id": "%b", ' % marker,
        "escape": b"\x1b[2J\x1b]0;owned\x07 %b" % marker,
        "binary": b"\xff\xfe\x00%b" % marker,
        "empty": b"",
        "null": None,
        "by_reason": b'{"user_id": "%b", "timestamp": "2026-03-01 10:00:00"}' % marker,
    }
    producer = KafkaProducer(**kafka("producer"), acks="all")
    places = {}
    for name, value in values.items():
        told = producer.send(deployment.topic, value, key=marker).get(timeout=SECONDS)
        places[name] = (told.partition, told.offset)
    producer.close()
    ledger.wait_for(ends_of(places.values()))
    return Bad(places, values)


def ends_of(places: Any) -> dict[int, int]:
    ends: dict[int, int] = {}
    for partition, offset in places:
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    return ends


@pytest.fixture(scope="module")
def letter(ledger: Ledger, elastic: Elasticsearch) -> Callable[[Place], dict[str, Any]]:
    """Return a function from a place to its one letter, with its _id and _source."""
    topic_id = ledger.topic_id()

    def find(place: Place) -> dict[str, Any]:
        elastic.indices.refresh(index=LETTERS)
        terms = {"topic_id": topic_id, "partition": place[0], "offset": place[1]}
        query = {"bool": {"filter": [{"term": {name: value}} for name, value in terms.items()]}}
        hits = elastic.search(index=LETTERS, query=query)["hits"]["hits"]
        assert len(hits) == 1, (place, hits)
        return dict(hits[0])

    return find


@pytest.fixture(scope="module")
def record_at(deployment: Deployment, kafka: Options) -> Callable[[Place], Any]:
    """Return a function from a place to the record that Kafka holds there."""

    def read(place: Place) -> Any:
        consumer = KafkaConsumer(**kafka("consumer"), group_id=None, max_poll_records=1)
        try:
            partition = TopicPartition(deployment.topic, place[0])
            consumer.assign([partition])
            consumer.seek(partition, place[1])
            (record,) = consumer.poll(timeout_ms=SECONDS * 1000)[partition]
            assert record.offset == place[1]
            return record
        finally:
            consumer.close()

    return read


def test_the_list_counts_as_elasticsearch_does(bad: Bad, host: Host, elastic: Elasticsearch) -> None:
    elastic.indices.refresh(index=LETTERS)
    reasons = {"reasons": {"terms": {"field": "reason", "size": 1000}}}
    buckets = elastic.search(index=LETTERS, size=0, aggs=reasons)["aggregations"]["reasons"]["buckets"]
    told = json.loads(host.check_output("login-consumer dead list --all --json --limit 10000"))
    assert told["reasons"] == {bucket["key"]: bucket["doc_count"] for bucket in buckets}
    assert told["total"] == sum(told["reasons"].values())
    assert set(bad.places.values()) <= {(each["partition"], each["offset"]) for each in told["letters"]}
    assert all("raw" not in each for each in told["letters"])


def test_the_list_keeps_to_reason_and_time(bad: Bad, host: Host, letter: Callable[[Place], dict[str, Any]]) -> None:
    stored = letter(bad.places["by_reason"])["_source"]
    assert stored["reason"] == "timestamp_without_zone"
    options = f"--all --json --limit 10000 --reason {stored['reason']}"
    told = json.loads(host.check_output(f"login-consumer dead list {options} --from {stored['@timestamp']}"))
    assert {each["reason"] for each in told["letters"]} == {stored["reason"]}
    assert bad.places["by_reason"] in {(each["partition"], each["offset"]) for each in told["letters"]}
    before = json.loads(host.check_output(f"login-consumer dead list {options} --to {stored['@timestamp']}"))
    assert bad.places["by_reason"] not in {(each["partition"], each["offset"]) for each in before["letters"]}


def test_an_unknown_reason_or_id_is_refused(host: Host) -> None:
    told = host.run("login-consumer dead list --reason nonsense")
    assert told.rc == 2 and "timestamp_without_zone" in told.stderr
    told = host.run("login-consumer dead show no-such-letter")
    assert told.rc == 1 and "dead list --all" in told.stderr
    told = host.run("login-consumer dead replay no-such-letter")
    assert told.rc == 1 and "Nothing was sent" in told.stderr


@pytest.mark.parametrize("name", ["text", "escape", "binary", "empty", "null"])
def test_show_gives_the_very_bytes_and_nothing_that_steers_a_terminal(
    name: str, bad: Bad, host: Host, letter: Callable[[Place], dict[str, Any]]
) -> None:
    id_ = letter(bad.places[name])["_id"]
    shown = host.run("login-consumer dead show %s", id_)
    assert shown.rc == 0, shown.stderr
    assert all(sign.isprintable() or sign == "\n" for sign in shown.stdout)
    value = bad.values[name]
    if name == "text":
        assert value is not None and value.decode() in shown.stdout
    # base64, since testinfra decodes what comes
    raw = host.check_output("login-consumer dead show %s --raw 2>/dev/null | base64 -w0", id_)
    assert base64.b64decode(raw) == (value or b"")


def test_the_list_cannot_steer_a_terminal(bad: Bad, host: Host) -> None:
    shown = host.check_output("login-consumer dead list --all --limit 100")
    assert all(sign.isprintable() or sign == "\n" for sign in shown)


def test_a_replay_needs_to_be_told_what(host: Host, letter: Callable[[Place], dict[str, Any]], bad: Bad) -> None:
    told = host.run("login-consumer dead replay")
    assert told.rc == 2 and "say which letters" in told.stderr
    id_ = letter(bad.places["text"])["_id"]
    told = host.run("login-consumer dead replay %s --dry-run", id_)
    assert told.rc == 0 and told.stdout.startswith("1 dead letters to replay")
    assert not letter(bad.places["text"])["_source"].get("replay")


@pytest.mark.parametrize("name", ["text", "escape", "binary", "empty", "null"])
def test_a_replay_sends_the_same_bytes_once(
    name: str,
    bad: Bad,
    host: Host,
    ledger: Ledger,
    letter: Callable[[Place], dict[str, Any]],
    record_at: Callable[[Place], Any],
) -> None:
    before, ends = letter(bad.places[name]), ledger.ends()
    told = host.run("login-consumer dead replay %s", before["_id"])
    assert (told.rc, told.stdout.splitlines()[-1]) == (0, "sent 1, skipped 0, failed 0"), told.stderr

    mark = letter(bad.places[name])["_source"]["replay"]
    assert mark["state"] == "sent" and mark["started"] <= mark["at"]
    place = (mark["partition"], mark["offset"])
    # the producer may send meanwhile: at or after what was the end
    assert place[0] == bad.places[name][0] and place[1] >= ends[place[0]]
    assert record_at(place).value == bad.values[name]

    ledger.wait_for(ends_of([place]))
    again = letter(place)["_source"]
    assert (again["reason"], again.get("raw")) == (before["_source"]["reason"], before["_source"].get("raw"))
    assert not again.get("replay")

    second = host.run("login-consumer dead replay %s", before["_id"])
    assert (second.rc, second.stdout.splitlines()[-1]) == (0, "sent 0, skipped 1, failed 0"), second.stderr
    assert letter(bad.places[name])["_source"]["replay"] == mark


def test_a_letter_that_was_perhaps_sent_waits_for_again(
    bad: Bad, host: Host, elastic: Elasticsearch, ledger: Ledger, letter: Callable[[Place], dict[str, Any]]
) -> None:
    stored = letter(bad.places["by_reason"])
    crashed = {"state": "sending", "started": "2026-03-01T10:00:00.000Z"}
    elastic.update(index=stored["_index"], id=stored["_id"], doc={"replay": crashed}, refresh=True)
    told = host.run("login-consumer dead replay %s", stored["_id"])
    assert (told.rc, told.stdout.splitlines()[-1]) == (0, "sent 0, skipped 1, failed 0"), told.stderr
    assert "perhaps sent before" in told.stdout and "--again" in told.stdout
    told = host.run("login-consumer dead replay %s --again", stored["_id"])
    assert (told.rc, told.stdout.splitlines()[-1]) == (0, "sent 1, skipped 0, failed 0"), told.stderr
    mark = letter(bad.places["by_reason"])["_source"]["replay"]
    assert mark["state"] == "sent"
    ledger.wait_for(ends_of([(mark["partition"], mark["offset"])]))


@pytest.fixture
def odd_month(elastic: Elasticsearch) -> Iterator[datetime]:
    """Give a month whose index, unlike the template, takes numbers only for browsers."""
    there = elastic.indices.get(index="login-events-*").body
    months = (datetime.now(UTC) - timedelta(days=30 * back) for back in range(2, 12))
    month = next(each for each in months if f"login-events-{each:%Y.%m}" not in there)
    index = f"login-events-{month:%Y.%m}"
    numbers = {"properties": {"user_agent": {"properties": {"name": {"type": "long"}}}}}
    elastic.indices.create(index=index, mappings=numbers)
    yield month
    found = elastic.indices.get_field_mapping(index="login-events-*", fields="user_agent.name").body.get(index)
    if found and found["mappings"]["user_agent.name"]["mapping"]["name"]["type"] == "long":
        elastic.indices.delete(index=index)  # the test has failed before its cure


def test_a_document_that_elasticsearch_refuses_costs_no_other_and_can_be_replayed(
    odd_month: datetime,
    deployment: Deployment,
    elastic: Elasticsearch,
    pipeline: Pipeline,
    kafka: Options,
    letter: Callable[[Place], dict[str, Any]],
) -> None:
    marker, now = f"refused-{uuid.uuid4().hex[:12]}", datetime.now(UTC)
    times = {"before": now, "odd": odd_month, "after": now}
    places = {}
    with closing(KafkaProducer(**kafka("producer"), acks="all")) as producer:
        for name, time in times.items():
            event = {
                "event_id": f"{marker}-{name}",
                "user_id": marker,
                "timestamp": time.isoformat(),
                "browser": "Opera",
            }
            told = producer.send(deployment.topic, json.dumps(event).encode(), key=marker.encode()).get(timeout=SECONDS)
            places[name] = (told.partition, told.offset)
    pipeline.ledger.wait_for(ends_of(places.values()))

    def stored() -> set[str]:
        elastic.indices.refresh(index="login-events-*")
        hits = elastic.search(index="login-events-*", query={"term": {"user.id": marker}})["hits"]["hits"]
        return {hit["_id"].removeprefix(f"{marker}-") for hit in hits}

    assert stored() == {"before", "after"}
    refused = letter(places["odd"])
    assert refused["_source"]["reason"] == "refused"
    assert refused["_source"]["detail"].startswith("400 document_parsing_exception: ")
    assert "user_agent.name" in refused["_source"]["detail"]

    elastic.indices.delete(
        index=f"login-events-{odd_month:%Y.%m}"
    )  # the cure; the next event makes it from the template
    pipeline.host.check_output("login-consumer dead replay %s", refused["_id"])
    mark = letter(places["odd"])["_source"]["replay"]
    pipeline.ledger.wait_for(ends_of([(mark["partition"], mark["offset"])]))
    assert stored() == {"before", "odd", "after"}
    found = pipeline.audit()
    assert found["balanced"], found
