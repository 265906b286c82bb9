# SPDX-License-Identifier: Apache-2.0
"""Records that Kafka loses before they were read: the consumer stops and says which; with permission it records it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from deployment import Deployment
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions
from pipeline import UNITS, Pipeline
from topics import PERMIT, make_anew
from waiting import wait_until

Options = Callable[[str], dict[str, Any]]


@pytest.fixture
def admin(kafka: Options) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(**kafka("admin"))) as made:
        yield made


@pytest.fixture(autouse=True)
def services_afterwards(pipeline: Pipeline) -> Iterator[None]:
    yield
    if pipeline.property("login-consumer", "ActiveState") != "active":  # what failed must not fail all that follows
        with pipeline.settings(*PERMIT):
            pipeline.start_consumer()
            pipeline.systemctl("start", *UNITS)
            pipeline.ledger.wait_for_flow()
    pipeline.systemctl("start", *UNITS)


def refused(pipeline: Pipeline, *texts: str) -> None:
    """Start the consumer; it must say why it does not go on, and read nothing."""
    since, accounts = pipeline.clock(), pipeline.audit()["batches"]
    pipeline.systemctl("start", "login-consumer")
    pipeline.wait_for_log("login-consumer", since, *texts)
    pipeline.systemctl("stop", "login-consumer")
    assert pipeline.audit()["batches"] == accounts


def permit(pipeline: Pipeline, *texts: str) -> dict[str, Any]:
    """Let the consumer go on; return the audit, which must balance and tell the loss with these texts."""
    with pipeline.settings(*PERMIT):
        pipeline.systemctl("start", "login-consumer")
        pipeline.systemctl("start", "login-producer")
        pipeline.ledger.wait_for_flow()
    pipeline.systemctl("restart", "login-consumer")  # without the permission
    pipeline.ledger.wait_for_flow()
    found = pipeline.audit()
    assert found["balanced"], found
    assert all(text in found["losses"][-1] for text in texts), found["losses"]
    return found


def test_retention_has_passed_the_checkpoint(
    pipeline: Pipeline, deployment: Deployment, admin: KafkaAdminClient
) -> None:
    before, _ = pipeline.stand_still()
    done = pipeline.ledger.done(pipeline.ledger.topic_id())
    pipeline.systemctl("stop", "login-consumer")
    pipeline.systemctl("start", "login-producer")
    wait_until(
        lambda: all(end >= done[p] + 10 for p, end in pipeline.ledger.ends().items()), "each partition has 10 more"
    )
    # two partitions lose what was not read, as when retention deletes their segments
    gone = {p: done[p] + 5 + p for p in (0, 1)}
    admin.delete_records({TopicPartition(deployment.topic, p): offset for p, offset in gone.items()})
    lost = [f"offsets {done[p]} to {gone[p] - 1} of partition {p}" for p in gone]

    refused(pipeline, "11 records were deleted from Kafka before they were read", *lost, "allow_data_loss")
    permit(pipeline, "11 records", *lost)
    after, _ = pipeline.stand_still()
    assert (after.skipped - before.skipped, after.fault()) == (11, "")


def test_the_topic_was_made_anew_and_then_grows(
    pipeline: Pipeline, deployment: Deployment, admin: KafkaAdminClient, kafka: Options
) -> None:
    before, _ = pipeline.stand_still()
    old_id, partitions = pipeline.ledger.topic_id(), len(pipeline.ledger.ends())
    pipeline.systemctl("stop", "login-consumer")
    make_anew(admin, deployment.topic, partitions - 1)
    new_id = wait_until(pipeline.ledger.topic_id, "the new topic is there")
    assert new_id != old_id

    refused(pipeline, "was deleted and made anew", old_id, new_id, "allow_data_loss")
    permit(pipeline, old_id, new_id)
    # a partition that comes while the consumer runs is read from its beginning
    admin.create_partitions({deployment.topic: NewPartitions(partitions)})
    with closing(KafkaProducer(**kafka("producer"), acks="all")) as producer:
        producer.send(deployment.topic, b"no event", partition=partitions - 1).get(timeout=60)
    wait_until(
        lambda: pipeline.ledger.done(new_id).get(partitions - 1, 0) > 0, "records of the new partition arrive", 120
    )
    after, _ = pipeline.stand_still()
    assert after.fault() == ""
    assert after.events == after.stored - before.stored
    found = pipeline.audit()
    assert found["balanced"] and found["not_read_yet"] == 0, found
