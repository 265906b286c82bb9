# SPDX-License-Identifier: Apache-2.0
"""login-consumer audit and rebuild: what is wrong is found and named; what can be counted anew is mended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from deployment import Deployment
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from kafka import KafkaProducer
from pipeline import Pipeline
from waiting import wait_until

NEW_WINDOWS = ("window_seconds = 60", "window_seconds = 300")


@pytest.fixture(scope="module", autouse=True)
def still(pipeline: Pipeline, deployment: Deployment, kafka: Callable[[str], dict[str, Any]]) -> Iterator[None]:
    """Let nothing be written meanwhile; there is one dead letter at least."""
    with closing(KafkaProducer(**kafka("producer"), acks="all")) as producer:
        producer.send(deployment.topic, b"no event").get(timeout=60)
    with pipeline.still():
        pipeline.systemctl("stop", "login-consumer")
        yield


@pytest.fixture(autouse=True)
def balanced(pipeline: Pipeline) -> Iterator[None]:
    """Each test must leave the data as it found it."""
    assert pipeline.audit()["balanced"]
    yield
    found = pipeline.audit()
    assert found["balanced"], found


@contextmanager
def changed(elastic: Elasticsearch, index: str, change: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Change the newest document of an index, or delete it; give it, and put it back."""
    time = "window_start" if "metrics" in index else "@timestamp"
    hit = elastic.search(index=index, sort=[{time: "desc"}], size=1)["hits"]["hits"][0]
    place = {"index": hit["_index"], "id": hit["_id"], "refresh": True}
    if change is None:
        elastic.delete(**place)
    else:
        elastic.update(**place, doc={name: hit["_source"][name] + value for name, value in change.items()})
    try:
        yield hit["_source"]
    finally:
        elastic.index(**place, document=hit["_source"])


def windows(elastic: Elasticsearch) -> dict[str, int]:
    """Return the count of each window by its id."""
    elastic.indices.refresh(index="login-metrics-*")
    return {hit["_id"]: hit["_source"]["count"] for hit in scan(elastic, index="login-metrics-*")}


def faults(pipeline: Pipeline, *options: str) -> str:
    found = pipeline.audit(*options)
    assert not found["balanced"]
    return "\n".join(found["faults"])


def test_a_lost_event_is_found(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    stored = pipeline.audit()["events_stored"]
    with changed(elastic, "login-events-*", None):
        told = faults(pipeline)
    assert f"the batches report {stored} events, {stored - 1} are stored" in told
    assert "events are in it" in told and "counts" in told


def test_a_lost_dead_letter_is_found(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    with changed(elastic, "login-dead-letters-*", None) as letter:
        told = faults(pipeline)
    assert f"dead letters {letter['reason']}, " in told


def moved(account: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the ranges of a batch that hold records, by partition."""
    return {each["partition"]: each for each in account["ranges"] if each["next"] > each["first"]}


def test_a_lost_account_is_found(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    newest = [{"sequence": "desc"}]
    read = {"range": {"read": {"gt": 0}}}
    hits = elastic.search(index="login-pipeline-*", sort=newest, size=100, query=read)["hits"]["hits"]
    # Audit begins with the newest one; and a gap lies between two ranges, so that later batches must have read on.
    later = [set[int]().union(*(moved(hit["_source"]) for hit in hits[:number])) for number in range(len(hits))]
    hit = next(hit for hit, read_on in zip(hits, later, strict=True) if moved(hit["_source"]).keys() <= read_on)
    place = {"index": hit["_index"], "id": hit["_id"], "refresh": True}
    elastic.delete(**place)
    try:
        told = faults(pipeline)
    finally:
        elastic.index(**place, document=hit["_source"])
    for partition, each in moved(hit["_source"]).items():
        assert f"offsets {each['first']} to {each['next'] - 1} of partition {partition}" in told


def test_a_wrong_count_is_found_and_mended_by_rebuild(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    right = windows(elastic)
    with changed(elastic, "login-metrics-*", {"count": 1}) as window:
        told = faults(pipeline)
        assert told == faults(pipeline, "--from", window["window_start"])
        assert pipeline.audit("--to", window["window_start"])["balanced"]
        assert f"counts {window['count'] + 1}, but {window['count']} events are in it" in told
        assert "login-consumer rebuild" in told
        pipeline.host.check_output("login-consumer rebuild")
        assert windows(elastic) == right
        assert pipeline.audit()["balanced"]


def test_a_window_that_counts_too_few_is_found(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    with changed(elastic, "login-metrics-*", {"count": -1}) as window:
        assert f"counts {window['count'] - 1}, but {window['count']} events are in it" in faults(pipeline)


def test_rebuild_of_a_time_leaves_the_rest(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    right = windows(elastic)
    with changed(elastic, "login-metrics-*", {"count": 1}) as window:
        pipeline.host.check_output("login-consumer rebuild --to %s", window["window_start"])
        assert windows(elastic) != right
        pipeline.host.check_output("login-consumer rebuild --from %s", window["window_start"])
        assert windows(elastic) == right


def test_rebuild_refuses_while_the_consumer_runs(pipeline: Pipeline) -> None:
    pipeline.start_consumer()
    try:
        told = pipeline.host.run("login-consumer rebuild")
    finally:
        pipeline.systemctl("stop", "login-consumer")
    assert told.rc == 4 and "another consumer (process" in told.stderr and "stop it first" in told.stderr


def test_other_windows_need_a_rebuild(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    right, since = windows(elastic), pipeline.clock()
    try:
        with pipeline.settings(*NEW_WINDOWS):
            pipeline.systemctl("start", "login-consumer")
            told = "window_seconds was 60 and is now 300", "login-consumer rebuild"
            pipeline.wait_for_log("login-consumer", since, *told)
            # it does not try again and again
            wait_until(lambda: pipeline.property("login-consumer", "ActiveState") == "failed", "the unit has failed")
            assert pipeline.property("login-consumer", "NRestarts") == "0"
            assert windows(elastic) == right
            pipeline.host.check_output("login-consumer rebuild")
            found = pipeline.audit()
            assert found["balanced"] and 0 < found["windows"] < len(right), found
            assert found["windows_sum"] == sum(right.values())
    finally:
        pipeline.host.check_output("systemctl stop login-consumer && login-consumer rebuild")
    assert windows(elastic) == right


@pytest.mark.usefixtures("long")
def test_a_part_of_the_documents_is_not_taken_for_all(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    """As while Elasticsearch starts: it answers, but a shard is not there yet."""
    index = "login-events-1999.01"
    nowhere = {"index.routing.allocation.require._name": "no such node"}
    elastic.indices.create(index=index, settings=nowhere, wait_for_active_shards=0)
    try:
        told = pipeline.host.run("login-consumer rebuild")
        others = json.loads(pipeline.host.check_output("login-consumer status --json"))
        found = pipeline.audit()
    finally:
        elastic.indices.delete(index=index)
    assert told.rc == 4 and f"index {index} is red" in told.stderr, told.stdout + told.stderr
    assert others["unreadable"][index].startswith("red: ")
    assert others["events"] > 0, "the other indices are counted all the same"
    assert list(found["unreadable"]) == [index] and found["faults"] == [] and found["windows"] > 0, found


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("family", ["events", "metrics", "dead-letters", "pipeline"])
@pytest.mark.parametrize("state", ["closed", "blocked"])
def test_an_index_that_cannot_be_read_leaves_the_audit_incomplete(
    pipeline: Pipeline, elastic: Elasticsearch, family: str, state: str
) -> None:
    index = sorted(elastic.indices.get(index=f"login-{family}-*"))[0]
    blocked = {"index.blocks.read": True}
    if state == "closed":
        elastic.indices.close(index=index)
    else:
        elastic.indices.put_settings(index=index, settings=blocked)
    try:
        found = pipeline.audit()
        shown = json.loads(pipeline.host.check_output("login-consumer status --json"))
    finally:
        if state == "closed":
            elastic.indices.open(index=index)
        else:
            elastic.indices.put_settings(index=index, settings=dict.fromkeys(blocked))
    assert found["faults"] == [] and found["unreadable"][index].startswith(state), found
    assert list(shown["unreadable"]) == [index]
    assert pipeline.audit()["balanced"]
