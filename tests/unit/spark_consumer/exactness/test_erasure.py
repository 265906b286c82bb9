# SPDX-License-Identifier: Apache-2.0
"""An erasure takes a user out for good, at whatever moment, and all records stay accounted for."""

import base64
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from exactness import truth
from exactness.elastic import Crash, Fault
from exactness.histories import killed_at
from exactness.world import NOW, World
from login_consumer.dead_letters import Found
from login_consumer.dead_replay import Counts, Outcome, Record, Replay
from login_consumer.sink import Sink

Json = dict[str, Any]

MARY, JOHN = "mary", "john"


def send(world: World) -> None:
    """Send events with and without ids, a repeat, and records that become dead letters, of both."""
    for number, user in enumerate((MARY, JOHN) * 4):
        world.event(f"e{number}" if number % 4 < 2 else None, NOW + number, user_id=user, reason=f"of {user}")
        world.send(f'{{"user_id": "{user}", '.encode())
    world.event("e0", NOW, user_id=MARY, reason="again")
    world.send(b"junk")


def names(world: World, source: Json, user: str) -> bool:
    """Return whether a document names the user, also by the bytes of a record."""
    record = base64.b64encode(b'{"user_id": "%b", ' % user.encode()).decode()
    return user in json.dumps(source) or source.get("raw") == record


def named(world: World, user: str) -> int:
    """Return how many documents name the user."""
    return sum(names(world, hit.source, user) for hit in world.elastic.hits("login-"))


def balanced(world: World) -> None:
    """Read all that is left; what has to hold holds, also after all windows were counted anew."""
    world.calm()
    assert world.consume() == "idle"
    assert truth.faults(world) == [] and world.audit() == []
    world.rebuild()
    assert truth.faults(world) == [] and world.audit() == []


def test_all_that_names_a_user_goes_and_nothing_else_changes(world: World) -> None:
    send(world)
    world.consume()
    before = {hit[:2]: hit.source for hit in world.elastic.hits("login-")}
    assert (named(world, MARY), named(world, JOHN)) == (8, 8)
    found = world.erase(MARY)
    assert (found.events, found.letters, found.letters_read, found.left) == (4, 4, 9, False)
    assert (named(world, MARY), named(world, JOHN)) == (0, 8)
    after = {hit[:2]: hit.source for hit in world.elastic.hits("login-")}
    assert after.keys() == before.keys()
    changed = [key for key in after if after[key] != before[key]]
    assert len(changed) == 8
    balanced(world)
    assert (named(world, MARY), named(world, JOHN)) == (0, 8)


def test_a_second_erasure_finds_nothing_and_changes_nothing(world: World) -> None:
    send(world)
    world.consume()
    world.erase(MARY)
    before = world.elastic.copy()
    again = world.erase(MARY)
    assert (again.events, again.letters) == (0, 0) and world.elastic.stored == before


@pytest.mark.parametrize("kind", ["bulk", "search", "mget", "refresh"])
@pytest.mark.parametrize("fault", [each for each in Fault if each is not Fault.STALE])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_whatever_stops_it_the_same_command_brings_it_to_its_end(
    world: World, kind: str, fault: Fault, number: int
) -> None:
    send(world)
    world.consume()
    world.strike(kind, number, fault)
    with suppress(Crash):
        world.erase(MARY)
    balanced(world)  # also half done
    world.erase(MARY)
    assert (named(world, MARY), named(world, JOHN)) == (0, 8)
    balanced(world)


@pytest.mark.parametrize("lost", ["checkpoint", "checkpoint and settings"])
def test_the_topic_read_again_does_not_bring_the_user_back(world: World, lost: str) -> None:
    """All accounts are lost as well, so the consumer begins where Kafka does."""
    send(world)
    world.consume()
    world.erase(MARY)
    world.lose_checkpoint()
    for view in (world.elastic.stored, world.elastic.searchable):
        for index in [name for name in view if name.startswith(("login-pipeline", "login-metrics"))]:
            del view[index]
    if lost != "checkpoint":
        world.options["events"] = {"max_age_days": 1, "max_future_seconds": 0}
    balanced(world)
    assert (named(world, MARY), named(world, JOHN)) == (0, 8)


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_HALFWAY, Fault.KILLED_AFTER])
@pytest.mark.parametrize("bulk", range(1, 9))
def test_a_batch_repeated_after_it_does_not_bring_the_user_back(world: World, bulk: int, fault: Fault) -> None:
    send(world)
    world.strike("bulk", bulk, fault)
    world.consume(most=7)
    world.calm()
    there = {hit[:2] for hit in world.elastic.hits("login-")}
    world.erase(MARY)
    world.consume(most=7)
    assert not [hit for hit in world.elastic.hits("login-") if hit[:2] in there and names(world, hit.source, MARY)]
    world.erase(MARY)
    balanced(world)
    assert (named(world, MARY), named(world, JOHN)) == (0, 8)


@pytest.mark.parametrize("request_", range(1, 40, 2))
def test_beside_a_consumer_that_runs_nothing_is_lost_or_doubled(world: World, request_: int) -> None:
    send(world)
    left = request_

    def struck(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            world.erase(MARY)

    world.elastic.fault = struck
    world.consume(most=4)
    world.calm()
    world.erase(MARY)
    balanced(world)
    assert (named(world, MARY), named(world, JOHN)) == (0, 8)


def test_what_comes_later_is_an_event_again_until_the_next_erasure(world: World) -> None:
    send(world)
    world.consume()
    world.erase(MARY)
    world.event("later", user_id=MARY)
    balanced(world)
    assert named(world, MARY) == 1
    world.erase(MARY)
    balanced(world)
    assert named(world, MARY) == 0


class Sent:
    """Stands for Kafka in a replay."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []

    def send(self, records: Sequence[Record]) -> list[Outcome]:
        self.values += [record.value for record in records]
        return [Outcome(0, len(self.values)) for _ in records]


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("kind", ["mget", "bulk"])
def test_a_replay_that_has_begun_sends_no_letter_that_is_erased_meanwhile(world: World, kind: str, again: bool) -> None:
    """Without its bytes it would be a record of no value."""
    world.send(b'{"user_id": "mary", ')
    world.consume()
    found = [Found(hit.index, hit.id, 9) for hit in world.elastic.hits("login-dead-letters")]

    def meanwhile(what: str) -> None:
        if what == kind:
            world.calm()
            world.erase(MARY)

    world.elastic.fault = meanwhile
    sender = Sent()
    replay = Replay(Sink(world.settings.elasticsearch), sender, again, print)
    replay.run(found, 1)
    assert (replay.counts, sender.values) == (Counts(skipped=1), [])
    assert named(world, MARY) == 0


@pytest.mark.parametrize("first", [None, b'{"user_id": "mary", '])
def test_a_record_that_comes_to_stand_in_the_place_of_an_erased_one_is_noticed(
    world: World, first: bytes | None
) -> None:
    world.event(None, NOW, user_id=MARY) if first is None else world.send(first)
    killed_at(world, "bulk", 2, Fault.KILLED_AFTER)
    found = world.erase(MARY)
    assert found.events + found.letters == 1
    world.log.partitions[0].clear()
    world.event(None, NOW + 1, user_id=JOHN)
    assert "Delete topic" in world.consume()
