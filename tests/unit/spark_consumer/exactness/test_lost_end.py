# SPDX-License-Identifier: Apache-2.0
"""Kafka loses its end, as in a power cut, and perhaps gives the numbers to other records."""

import pytest
from exactness.elastic import Fault
from exactness.histories import away, events, killed_at, lose_end, made_anew, merged_events, settle
from exactness.world import NOW, World


def test_kafka_loses_its_end_and_fills_up_again(world: World) -> None:
    """The numbers alone look as if nothing had happened."""
    events(world, "abcde")
    world.consume()
    lose_end(world, 2)
    events(world, "uvwxyz")
    for _ in range(2):
        told = world.consume()
        assert "not hold the record any more that became offset 4 at 2026-03-01T10:00:00.250Z" in told
        world.lose_checkpoint()  # which helps nobody
    assert {event["event"]["id"] for event in world.elastic.documents("login-events")} == set("abcde")
    made_anew(world)
    events(world, "vwxyz")
    settle(world)


@pytest.mark.parametrize("filled", ["", "uv", "uvwxyz"])
def test_kafka_loses_its_end_while_a_batch_is_repeated(world: World, filled: str) -> None:
    events(world, "ab")
    world.consume()
    events(world, "cde")

    def change() -> None:
        lose_end(world, 1)
        events(world, filled)

    away(world, Fault.LOST, change)
    assert "Kafka holds fewer records than were read, or others" in world.consume()


@pytest.mark.parametrize("kind", ["with ids", "without ids", "dead letters"])
def test_other_records_stand_in_the_place_of_an_open_batch(world: World, kind: str) -> None:
    """No batch record tells of them; what is stored does."""

    def send(name: str, at: int) -> None:
        if kind == "dead letters":
            world.send(name.encode())
        else:
            world.event(name if kind == "with ids" else None, at, user_id=name)

    for name in "abc":
        send(name, NOW)
    killed_at(world, "bulk", 2 if kind == "dead letters" else 3, Fault.KILLED_AFTER)
    lose_end(world, 1)
    for number, name in enumerate("uvwx"):
        send(name, NOW - number - 1)
    assert "offset 1 of partition 0 is now another record than the one that was stored from there" in world.consume()
    made_anew(world)
    events(world, "uvwx")
    settle(world)


def test_kafka_loses_what_was_planned_and_not_yet_written(world: World) -> None:
    events(world, "ab")
    world.consume()
    events(world, "cde")
    world.strike("bulk", 1, Fault.KILLED_BEFORE)
    assert world.consume() == "killed"
    lose_end(world, 3)
    settle(world)
    events(world, "fgh")
    settle(world)


def test_kafka_loses_what_was_written_and_not_yet_recorded(world: World) -> None:
    events(world, "ab")
    world.consume()
    events(world, "cde")
    killed_at(world, "bulk", 1, Fault.KILLED_AFTER)
    lose_end(world, 3)
    for _ in range(2):
        assert "partition 0 was read up to offset 5 and now ends at 3" in world.consume()
        world.lose_checkpoint()


def test_kafka_loses_a_recorded_batch_while_its_repetition_is_prepared(world: World) -> None:
    events(world, "abcde")
    world.commit_fails = lambda: True
    assert world.consume() == "killed"
    world.calm()
    done: list[bool] = []

    def struck(kind: str) -> Fault | None:
        return Fault.LOST if kind == "search" and not done and world.asked_kafka > asked else None

    def waiting() -> None:
        done.append(True)
        lose_end(world, 2)

    asked = world.asked_kafka
    world.elastic.fault, world.while_waiting = struck, waiting
    assert "does not hold the record any more that became offset 4" in world.consume()


def test_kafka_loses_its_end_while_the_query_runs(world: World) -> None:
    """Spark plans a batch that ends before it begins."""
    events(world, "abcde")
    world.commit_fails = lambda: lose_end(world, 1) is not None
    assert "Kafka holds fewer records than were read, or others" in world.consume(most=2)


def test_kafka_loses_a_batch_of_which_only_the_answer_to_its_record_was_lost(world: World) -> None:
    """A duplicate leaves nothing in its place that another record there could be compared with."""
    events(world, "ab")
    world.consume()
    events(world, "bc")

    def change() -> None:
        lose_end(world, 2)
        events(world, "xy")

    away(world, Fault.UNANSWERED, change, lambda: merged_events(world) == len("abc"))
    assert "does not hold the record any more that became offset 3" in world.consume()
    assert {event["event"]["id"] for event in world.elastic.documents("login-events")} == set("abc")
    made_anew(world)
    events(world, "xy")
    settle(world)


def test_a_batch_of_which_only_the_answer_to_its_record_was_lost_is_not_repeated(world: World) -> None:
    events(world, "ab")
    world.consume()
    events(world, "bc")
    before = world.evaluations
    away(world, Fault.UNANSWERED, lambda: None, lambda: merged_events(world) == len("abc"))
    assert world.consume() == "idle"
    assert world.evaluations == before + 1
    settle(world)


def test_kafka_loses_its_end_and_does_not_set_the_times(world: World) -> None:
    """Without the time of the last record the number has to do."""
    world.timestamp_type = 0
    events(world, "abcde")
    world.consume()
    lose_end(world, 2)
    assert "partition 0 was read up to offset 5 and now ends at 2" in world.consume()


def test_kafka_loses_its_end_after_a_lineage_has_begun(world: World) -> None:
    """Its first batch record holds the last record that an older one has read."""
    events(world, "abc")
    world.consume()
    world.lose_checkpoint()
    assert world.consume() == "idle"
    lose_end(world, 1)
    events(world, "uvwxyz")
    assert "not hold the record any more that became offset 2" in world.consume()


def test_the_audit_sees_what_is_stored_behind_the_end(world: World) -> None:
    events(world, "ab")
    world.consume()
    events(world, "cd")
    killed_at(world, "bulk", 1, Fault.KILLED_AFTER)
    assert world.audit() == []
    lose_end(world, 3)
    assert world.audit() == ["partition 0 ends at 3, and something is stored of it up to offset 4"]
