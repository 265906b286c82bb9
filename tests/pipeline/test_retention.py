# SPDX-License-Identifier: Apache-2.0
"""login-consumer retention, on the host: old indices go, nothing else does, and the audit goes on telling the truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from deployment import Deployment
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk, scan
from kafka import KafkaProducer
from pipeline import Pipeline
from testinfra.host import Host

FAMILIES = ("login-events", "login-metrics", "login-dead-letters", "login-pipeline")
OLD = [f"{family}-2001.02" for family in FAMILIES] + ["login-events-2001.02.03"]
# as a person may name a copy
OTHERS = ["login-events-2001.02-copy", "login-metrics-2001.02.03", "login-backup-2001.02"]
CHECKPOINTS = "/var/lib/login-consumer/checkpoint."


@pytest.fixture
def old(elastic: Elasticsearch, pipeline: Pipeline) -> Iterator[None]:
    for index in OLD + OTHERS:
        elastic.indices.create(index=index)
    elastic.index(
        index="login-events-2001.02",
        refresh=True,
        document={"@timestamp": "2001-02-03T04:05:06Z", "event": {"id": "old", "outcome": "success"}},
    )
    yield
    elastic.indices.delete(index=OLD + OTHERS, ignore_unavailable=True)
    pipeline.systemctl("start", "login-retention")
    assert pipeline.property("login-retention", "Result") == "success"


@pytest.fixture(scope="module", autouse=True)
def lived(elastic: Elasticsearch) -> Iterator[tuple[str, str]]:
    """Let a batch have been written four days ago, as on a host that has run for a while; its topic is nobody's."""
    moment = datetime.now(UTC) - timedelta(days=4)
    index = f"login-pipeline-{moment:%Y.%m}"
    document = {"@timestamp": moment.isoformat(), "topic": "witness"}
    told = elastic.index(index=index, document=document, refresh=True)
    yield index, told["_id"]
    elastic.options(ignore_status=404).delete(index=index, id=told["_id"], refresh=True)


@pytest.mark.usefixtures("old")
def test_a_clock_that_may_be_ahead_deletes_nothing(
    pipeline: Pipeline, elastic: Elasticsearch, lived: tuple[str, str]
) -> None:
    index, id_ = lived
    kept = elastic.get(index=index, id=id_)["_source"]
    elastic.delete(index=index, id=id_, refresh=True)
    before, since = there(elastic), pipeline.clock()
    try:
        pipeline.host.run("systemctl start login-retention")
        told = "\n".join(pipeline.journal("login-retention", since))
        assert "it may be ahead. Nothing was deleted" in told and "--force" in told
        shown = pipeline.host.check_output("systemctl show --property=ExecMainStatus,ActiveState login-retention")
        assert sorted(shown.splitlines()) == ["ActiveState=failed", "ExecMainStatus=3"]
        assert there(elastic) == before
    finally:
        elastic.index(index=index, id=id_, document=kept, refresh=True)
    pipeline.host.check_output("login-consumer retention --force")
    assert there(elastic) == before - set(OLD)


def there(elastic: Elasticsearch) -> set[str]:
    return set(elastic.indices.get(index=["login-*"]).body)


def test_the_timer_waits_for_its_time(host: Host) -> None:
    told = host.check_output("systemctl show --property=ActiveState,UnitFileState login-retention.timer")
    assert sorted(told.splitlines()) == ["ActiveState=active", "UnitFileState=enabled"]


@pytest.mark.usefixtures("old")
def test_the_unit_deletes_old_indices_and_nothing_else(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    before, since = there(elastic), pipeline.clock()
    kept, young = f"{CHECKPOINTS}20010203T040506.000000", f"{CHECKPOINTS}{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    pipeline.host.check_output(f"install -d -o login-consumer {kept} {young}")
    try:
        told = pipeline.host.check_output("login-consumer retention --dry-run")
        assert "would delete login-events-2001.02: 1 documents" in told and f"would remove {kept}" in told
        assert there(elastic) == before

        started = pipeline.host.run("systemctl start login-retention")
        # The copies of a person are searched with the indices that they copy: the daily look names them as deviations.
        assert started.rc != 0 and pipeline.property("login-retention", "ExecMainStatus") == "3"
        assert there(elastic) == before - set(OLD)
        # others may have been kept aside by the tests of faults
        left = pipeline.host.check_output(f"ls -d {CHECKPOINTS}2*").splitlines()
        assert young in left and kept not in left
    finally:
        pipeline.host.check_output(f"rm -rf {kept} {young}")
    lines = pipeline.journal("login-retention", since)
    assert {line.split()[1].rstrip(":") for line in lines if line.startswith("deletes ")} == set(OLD)
    assert "deleted 5 indices with 1 documents, and 1 old checkpoints" in lines
    named = "\n".join(line for line in lines if "is not the consumer's" in line)
    assert "index login-events-2001.02-copy" in named and "login-backup-2001.02" not in named
    assert pipeline.audit()["balanced"]


@pytest.fixture
def index_of_last_year(elastic: Elasticsearch) -> Iterator[str]:
    """Give an index that is kept, and would not be if events were kept for a month."""
    index = f"login-events-{datetime.now(UTC) - timedelta(days=300):%Y.%m}"
    made = not elastic.indices.exists(index=index)
    if made:
        elastic.indices.create(index=index)
    yield index
    if made:
        elastic.indices.delete(index=index)


def test_who_lowers_the_retention_is_told_what_goes_before_it_does(
    index_of_last_year: str, deployment: Deployment, elastic: Elasticsearch, host: Host
) -> None:
    settings = "/etc/login-consumer/retention/retention.toml"
    before, in_use = there(elastic), host.check_output(f"cat {settings}")
    run = deployment.deploy("--check", "--tags", "spark_consumer", "-e", "pipeline_retention_days=30")
    assert run.returncode == 0, run.output
    assert f"would delete {index_of_last_year}: " in run.text
    assert "events_days: 30 instead of " in run.text and "login-retention runs next on " in run.text
    assert (there(elastic), host.check_output(f"cat {settings}")) == (before, in_use)


@pytest.fixture
def event_of_an_old_month(
    deployment: Deployment, pipeline: Pipeline, elastic: Elasticsearch, kafka: Callable[[str], dict[str, Any]]
) -> Iterator[datetime]:
    """Give a time of an event that was stored just now; let its month be as it was afterwards."""
    moment = datetime.now(UTC) - timedelta(days=399)
    with closing(KafkaProducer(**kafka("producer"), acks="all")) as producer:
        value = json.dumps({"user_id": "old", "timestamp": moment.isoformat()}).encode()
        told = producer.send(deployment.topic, value).get(timeout=60)
    pipeline.ledger.wait_for({told.partition: told.offset + 1})
    elastic.indices.refresh(index="login-*")
    indices = [f"{family}-{moment:%Y.%m}" for family in ("login-events", "login-metrics")]
    kept = list(scan(elastic, index=indices))
    yield moment
    again = ({"_index": hit["_index"], "_id": hit["_id"], "_source": hit["_source"]} for hit in kept)
    bulk(elastic, again, refresh=True)


def test_the_audit_tells_what_it_no_longer_compares(
    event_of_an_old_month: datetime, pipeline: Pipeline, elastic: Elasticsearch
) -> None:
    before = pipeline.audit()
    assert before["balanced"] and before["too_old"] == 0, before

    start = event_of_an_old_month.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=31)).replace(day=1)
    days = (datetime.now(UTC) - end).days  # so that just this month is over
    index = f"login-events-{start:%Y.%m}"
    events = elastic.count(index=index)["count"]
    told = pipeline.host.check_output(f"LOGIN_RETENTION_EVENTS_DAYS={days} login-consumer retention")
    assert f"deletes {index}: {events} documents" in told
    assert f"deletes login-metrics-{start:%Y.%m}: " in told

    # with the retention that the deployment has, an index is missing
    assert "the batches report" in "\n".join(pipeline.audit()["faults"])
    shorter = pipeline.host.run(f"LOGIN_CONSUMER_EVENTS__MAX_AGE_DAYS={days} login-consumer audit --json")
    found = json.loads(shorter.stdout)
    assert shorter.rc == 0 and found["balanced"], found
    assert found["events_since"] == f"{end:%Y-%m-%d}T00:00:00.000Z"
    assert found["too_old"] == events and found["events_stored"] >= before["events_stored"] - events


def test_bad_settings_are_told_in_one_line(host: Host) -> None:
    told = host.run("LOGIN_RETENTION_DEAD_LETTERS_DAYS=40 login-consumer retention")
    assert told.rc == 2 and "dead_letters_days must be at least progress_days + 31" in told.stderr
    assert "Traceback" not in told.stderr
