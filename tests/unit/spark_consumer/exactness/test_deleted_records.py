# SPDX-License-Identifier: Apache-2.0
"""Kafka's retention, and topics that are made anew, against batches that are open or recorded."""

import pytest
from exactness import truth
from exactness.elastic import Fault
from exactness.histories import away, events, killed_before_the_record, made_anew, merged_events, settle
from exactness.world import Log, World
from login_consumer.plan import TopicState


@pytest.mark.parametrize("deleted", [3, 4, 5])
def test_kafka_deletes_a_batch_that_is_recorded_but_not_committed(world: World, deleted: int) -> None:
    """The batch record says that it was read: nothing is lost, and nobody has to permit anything."""
    events(world, "ab")
    world.consume()
    events(world, "cde")
    world.commit_fails = lambda: True
    assert world.consume() == "killed"
    world.log.first[0] = deleted
    events(world, "f")
    settle(world)


def test_kafka_deletes_more_than_the_recorded_batch(world: World) -> None:
    events(world, "ab")
    world.commit_fails = lambda: True
    assert world.consume() == "killed"
    world.calm()
    events(world, "cde")
    world.log.first[0] = 4
    assert "2 records were deleted from Kafka before they were read: offsets 2 to 3" in world.consume()
    world.options = {"kafka": {"allow_data_loss": True}}
    settle(world)


def test_the_beginning_of_an_added_partition_is_gone(world: World) -> None:
    events(world, "ab")
    world.consume()
    world.log.partitions.append([])
    world.log.first.append(0)
    events(world, "cdef", partition=1)
    world.log.first[1] = 3
    world.lose_checkpoint()
    assert "offsets 0 to 2 of partition 1" in world.consume()
    world.options = {"kafka": {"allow_data_loss": True}}
    settle(world)


@pytest.mark.parametrize("merged", [True, False])
def test_the_beginning_is_gone_before_anything_is_recorded(world: World, merged: bool) -> None:
    """What the first batch has stored of it is counted, by whichever lineage is the first with a record."""
    events(world, "abc")
    world.strike("bulk", 3 if merged else 2, Fault.KILLED_AFTER)
    assert world.consume() == "killed"
    world.lose_checkpoint()
    world.log.first[0] = 2
    events(world, "d")
    world.calm()
    refused = world.consume()
    assert "offsets 0 to 1 of partition 0" in refused, "the lineage's first record holds where it began"
    world.options = {"kafka": {"allow_data_loss": True}}
    settle(world)


@pytest.mark.parametrize("recorded", [True, False])
def test_the_topic_is_made_anew_while_a_batch_is_open(world: World, recorded: bool) -> None:
    events(world, "ab")
    world.consume()
    events(world, "cd")
    world.send(b"junk")
    if recorded:
        world.commit_fails = lambda: True
    else:
        world.strike("bulk", 2, Fault.KILLED_AFTER)
    assert world.consume() == "killed"
    world.calm()
    world.log = Log("TopicTwo", 1)
    events(world, "ef")
    assert "was deleted and made anew" in world.consume()
    world.options = {"kafka": {"allow_data_loss": True}}
    settle(world)
    world.rebuild()
    assert truth.faults(world) + world.audit() == []
    assert {event["event"]["id"] for event in world.elastic.documents("login-events")} == set("abcdef")


@pytest.mark.parametrize("topic", ["TopicOne", "TopicTwo"])
def test_the_topic_is_made_anew_while_a_batch_is_repeated(world: World, topic: str) -> None:
    """The same with another id, and with more records than the batch had."""
    world.event(None, user_id="a")
    world.consume()
    for name in "bcd":
        world.event(None, user_id=name)

    def change() -> None:
        world.log = Log(topic, 1)
        for name in "uvwxyz":
            world.event(None, user_id=name)

    away(world, Fault.HALF_UNANSWERED, change)
    assert "refused: " in world.consume()
    world.options = {"kafka": {"allow_data_loss": True}}
    if topic == "TopicTwo":
        settle(world)


@pytest.mark.parametrize("merged", [True, False])
def test_kafka_deletes_while_a_batch_is_repeated(world: World, merged: bool) -> None:
    world.options = {"kafka": {"allow_data_loss": True}}
    events(world, "ab")
    world.consume()
    events(world, "cdef")
    world.send(b"junk")

    def change() -> None:
        world.log.first[0] = 4

    counted = merged_events(world)
    away(world, Fault.HALF_UNANSWERED, change, since=lambda: not merged or merged_events(world) > counted)
    world.consume()
    settle(world)


def test_kafka_deletes_between_a_start_and_its_first_batch(world: World) -> None:
    """The start has found all of the planned batch in Kafka; what is there of it by then is read as the whole."""
    world.options = {"kafka": {"allow_data_loss": True}}
    events(world, "ab")
    world.consume()
    events(world, "cdef")
    killed_before_the_record(world)
    told, state = [], world.log.state

    def then_delete(asked: dict[int, int]) -> TopicState:
        told.append(state(asked))
        world.log.first[0] = 4 if len(told) == 2 else world.log.first[0]
        return told[-1]

    world.log.state = then_delete  # type: ignore[method-assign]
    settle(world)


def test_kafka_changes_while_a_start_is_prepared(world: World) -> None:
    """What it was asked before Elasticsearch was waited for counts no more."""
    events(world, "ab")
    world.consume()
    world.lose_checkpoint()

    def change() -> None:
        made_anew(world)
        events(world, "vwxyz")

    away(world, Fault.LOST, change)
    assert "was deleted and made anew" in world.consume()
    settle(world)
