# SPDX-License-Identifier: Apache-2.0
"""Pseudonyms that are switched on, off or made with another key while a batch is half written change no fate."""

from itertools import permutations
from typing import Any

import pytest
from exactness.elastic import Fault
from exactness.histories import killed_at
from exactness.world import NOW, World

MODES: dict[str, dict[str, Any]] = {
    "none": {},
    "no original": {"keep_original": False},
    "user": {"pseudonyms": ["user"], "key": "k" * 32, "keep_original": False},
    "both": {"pseudonyms": ["user", "source_ip"], "key": "k" * 32, "keep_original": False},
    "another key": {"pseudonyms": ["user"], "key": "o" * 32, "keep_original": False},
}


def fill(world: World) -> None:
    """Send events with ids and without, one twice, and what becomes dead letters."""
    for number in range(3):
        world.event(f"e{number}", NOW + number * 61_000, source_ip="192.0.2.1", browser="Firefox")
        world.event(None, NOW + number * 61_000, source_ip="192.0.2.2")
        world.send(b"junk of ann")
    world.event("e1", NOW + 61_000)
    world.send(None)


def outcome(world: World) -> tuple[list[str], dict[str, int]]:
    """Return the ids of all documents, and what windows count."""
    families = ("login-events", "login-dead-letters")
    ids = sorted(f"{hit.index} {hit.id}" for family in families for hit in world.elastic.hits(family))
    return ids, {hit.id: hit.source["count"] for hit in world.elastic.hits("login-metrics")}


def undisturbed() -> tuple[list[str], dict[str, int]]:
    with World() as world:
        fill(world)
        assert world.consume() == "idle"
        return outcome(world)


@pytest.mark.parametrize("kind", ["bulk", "search"])
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(("first", "then"), list(permutations(MODES, 2)), ids=str)
def test_a_repeated_batch_has_one_fate_and_counts_once(
    world: World, first: str, then: str, number: int, kind: str
) -> None:
    wanted = undisturbed()
    world.options["privacy"] = MODES[first]
    fill(world)
    world.strike(kind, number, Fault.KILLED_HALFWAY)
    world.consume()
    world.calm()
    world.options["privacy"] = MODES[then]
    assert world.consume() == "idle"
    assert outcome(world) == wanted
    assert world.audit() == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("record", "bulks"), [("junk of ann", 3), (None, 2)], ids=["a dead letter", "an event"])
def test_another_record_in_the_place_is_noticed(world: World, mode: str, record: str | None, bulks: int) -> None:
    """Also where what is stored has pseudonyms, or no bytes. `bulks` are written before the batch's counts."""
    world.options["privacy"] = MODES[mode]
    world.event("e0")
    world.send(record.encode()) if record else world.event(None, user_id="ann")
    world.event("e2")
    killed_at(world, "bulk", bulks + 1, Fault.KILLED_BEFORE)
    at = world.log.partitions[0][1]
    world.log.partitions[0][1] = at._replace(value=(at.value or b"").replace(b"ann", b"bob"))
    assert world.consume().startswith("refused")
