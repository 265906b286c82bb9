# SPDX-License-Identifier: Apache-2.0
"""What is asked before a restore deletes anything; with services: tests/pipeline/test_backup.py."""

from typing import Any

import pytest
from login_consumer.checkpoint import CheckpointError, shape_of
from login_consumer.counts import OffsetRange
from login_consumer.documents import Topic
from login_consumer.plan import TopicState
from login_consumer.progress import Progress
from login_consumer.restore import NEWEST, chosen, what_follows
from login_consumer.settings import Settings
from login_consumer.snapshots import Position, Snapshot

KAFKA = TopicState(Topic("login-events", "T1"), {0: 0, 1: 0}, {0: 100, 1: 50})


def snapshot(name: str, state: str = "SUCCESS", metadata: Any = None) -> Snapshot:
    return Snapshot(name, state, 0, 1, (), metadata or {})


def after(settings: Settings, **changes: Any) -> Snapshot:
    """A snapshot after offsets 40 and 20."""
    ranges = {0: OffsetRange(0, 40), 1: OffsetRange(0, 20)}
    progress = Progress("L", 7, 30, "T1", ranges, shape_of(settings) | changes, {})
    return snapshot("a", metadata=Position.metadata("login-events", progress))


def test_the_newest_good_one_or_the_one_that_is_named() -> None:
    known = [snapshot("a"), snapshot("b"), snapshot("c", "PARTIAL")]
    assert chosen(known, NEWEST).name == "b"
    assert chosen(known, "a").name == "a"


@pytest.mark.parametrize(
    ("known", "name", "told"),
    [
        ([], NEWEST, "no backup newest.*Good ones in the repository: none"),
        (["a", "c"], "b", "no backup b.*: a$"),
        (["a", "c"], "c", "snapshot c is PARTIAL"),
        (["c"], NEWEST, "no backup newest"),
    ],
)
def test_one_that_cannot_be_restored(known: list[str], name: str, told: str) -> None:
    states = {"c": "PARTIAL"}
    with pytest.raises(CheckpointError, match=told):
        chosen([snapshot(each, states.get(each, "SUCCESS")) for each in known], name)


def test_what_came_since_is_counted(settings: Settings) -> None:
    assert what_follows(settings, after(settings), KAFKA) == 60 + 30


def test_before_the_first_account_all_of_kafka_follows(settings: Settings) -> None:
    first = snapshot("a", metadata=Position.metadata("login-events", None))
    assert what_follows(settings, first, KAFKA) == 150


def test_with_very_many_partitions_it_is_not_known(settings: Settings) -> None:
    ranges = {partition: OffsetRange(0, 40) for partition in range(1000)}
    told = Position.metadata("login-events", Progress("L", 7, 30, "T1", ranges, shape_of(settings), {}))
    assert what_follows(settings, snapshot("a", metadata=told), KAFKA) is None


@pytest.mark.parametrize(
    ("kafka", "told"),
    [
        (TopicState(KAFKA.topic, {0: 45, 1: 0}, KAFKA.ends), "5 records were deleted from Kafka.*allow_data_loss"),
        (TopicState(Topic("login-events", "T2"), KAFKA.first, KAFKA.ends), "made anew.*allow_data_loss"),
        (TopicState(KAFKA.topic, KAFKA.first, {0: 30, 1: 50}), "Kafka holds fewer records than were read"),
    ],
)
def test_a_loss_is_told_before(settings: Settings, kafka: TopicState, told: str) -> None:
    with pytest.raises(CheckpointError, match=f"^nothing was changed.*{told}"):
        what_follows(settings, after(settings), kafka)


def test_a_loss_that_is_permitted(settings: Settings) -> None:
    permitting = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"allow_data_loss": True})})
    kafka = TopicState(KAFKA.topic, {0: 45, 1: 0}, KAFKA.ends)
    assert what_follows(permitting, after(settings), kafka) == 55 + 30


def test_other_windows_are_told_before(settings: Settings) -> None:
    with pytest.raises(CheckpointError, match=r"metrics\.window_seconds was 300 and is now 60"):
        what_follows(settings, after(settings, **{"metrics.window_seconds": 300}), KAFKA)
