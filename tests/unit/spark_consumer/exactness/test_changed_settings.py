# SPDX-License-Identifier: Apache-2.0
"""Settings or a release that change between two tries of a batch: a record keeps what it became first."""

import json

import pytest
from exactness.elastic import Fault, Hit
from exactness.histories import away, events, killed_at, merged_events, settle
from exactness.world import DAY, NOW, World

ECS = {
    "@timestamp": "2026-03-01T09:00:00.000Z",
    "event": {"id": "x", "outcome": "success", "category": ["authentication"], "kind": "event", "type": ["start"]},
    "user": {"id": "u"},
}


@pytest.mark.parametrize(("shown", "number"), [("event", 2), ("event", 3), ("event", 4), ("letter", 2), ("letter", 3)])
@pytest.mark.parametrize("change", ["older", "younger", "format"])
@pytest.mark.parametrize("lost", [True, False])
def test_settings_change_while_a_batch_is_open(world: World, shown: str, number: int, change: str, lost: bool) -> None:
    """A record keeps what it became first, and is counted as that, however it reads by then."""
    younger = {"events": {"max_age_days": 30}}
    before, after = {"older": ({}, younger), "younger": (younger, {}), "format": ({}, {"kafka": {"format": "ecs"}})}[
        change
    ]
    world.options = before
    if change == "format":
        world.send(json.dumps(ECS).encode())
    world.event("old" if shown == "event" else None, NOW - 60 * DAY)
    world.event("new")
    killed_at(world, "bulk", number, Fault.KILLED_AFTER)
    if lost:
        world.lose_checkpoint()
    world.options = after
    settle_but_for_settings(world)


def test_settings_change_before_spark_notes_a_batch(world: World) -> None:
    """A duplicate has left nothing by which its fate could be looked up, and might be a dead letter by now."""
    world.event("old", NOW - 60 * DAY)
    world.event("old", NOW - 60 * DAY)
    world.commit_fails = lambda: True
    assert world.consume() == "killed"
    world.options = {"events": {"max_age_days": 30}}
    settle(world)
    assert not world.elastic.documents("login-dead-letters")


def test_settings_change_and_nothing_but_a_dead_letter_is_stored(world: World) -> None:
    """It alone tells that its record was read."""
    world.options = {"events": {"max_age_days": 30}}
    world.event("old", NOW - 60 * DAY)
    world.strike("bulk", 2, Fault.KILLED_AFTER)
    assert world.consume() == "killed"
    assert len(world.elastic.documents("login-dead-letters")) == 1
    world.calm()
    world.lose_checkpoint()
    world.options = {}
    settle_but_for_settings(world)


def test_settings_change_while_longer_batches_are_open(world: World) -> None:
    """A short batch, which is repeated, must not make the consumer forget what was written behind it."""
    events(world, "a")
    world.event("old", NOW - 60 * DAY)
    killed_at(world, "bulk", 2, Fault.KILLED_AFTER)
    world.lose_checkpoint()
    world.options = {"events": {"max_age_days": 30}}
    away(world, Fault.LOST, lambda: None, since=lambda: world.evaluations > evaluated)
    evaluated = world.evaluations
    world.consume(most=1)
    settle_but_for_settings(world)


def settle_but_for_settings(world: World) -> None:
    """Read all that is left: each record has one fate, and windows and batch records count it."""
    world.calm()
    assert world.consume() == "idle"
    fates = [event["login"]["kafka"]["offset"] for event in world.elastic.documents("login-events")]
    dead = [letter["offset"] for letter in world.elastic.documents("login-dead-letters")]
    assert sorted([*fates, *dead]) == list(range(len(world.log.partitions[0])))
    assert merged_events(world) == len(fates)
    assert world.audit() == []


def test_settings_change_and_the_newest_batch_records_are_gone(world: World) -> None:
    """The checkpoint is ahead of what is left of them, and what is stored between keeps its fate."""
    events(world, "a")
    world.consume()
    records = {name: docs for name, docs in world.elastic.copy().items() if name.startswith("login-pipeline")}
    world.event("old", NOW - 60 * DAY)
    world.consume()
    world.elastic.put_back(world.elastic.copy() | records)
    world.options = {"events": {"max_age_days": 30}}
    settle_but_for_settings(world)


def test_the_audit_sees_an_event_that_is_a_dead_letter(world: World) -> None:
    """Also in an index of which the retention may have deleted the most."""
    world.options = {"events": {"max_age_days": 30}}
    world.event("old", NOW - 60 * DAY)
    settle(world)
    place = {"topic_id": world.log.topic.id, "partition": 0, "offset": 0}
    source = {"@timestamp": "2025-12-31T10:00:00.000Z", "event": {"outcome": "success"}, "login": {"kafka": place}}
    index = "login-events-2025.12"
    world.elastic.put_back(world.elastic.copy() | {index: {"old": Hit(index, "old", source, 1)}})
    assert world.audit() == ["the batches report 0 events in login-events-2025.12, 1 are stored"]
