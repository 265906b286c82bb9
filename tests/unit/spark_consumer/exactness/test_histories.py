# SPDX-License-Identifier: Apache-2.0
"""Single histories that once broke "exactly once", each as short as it can be."""

import shutil
from collections.abc import Iterator

import pytest
from exactness import truth
from exactness.elastic import Fault
from exactness.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made


def settle(world: World) -> None:
    """Read all that is left; what has to hold holds then, and the audit finds no more than the truth."""
    world.calm()
    assert world.consume() == "idle"
    assert truth.faults(world) == []
    assert world.audit() == []


def events(world: World, names: str, partition: int = 0) -> None:
    """Send an event for each letter."""
    for name in names:
        world.event(name, partition=partition)


def killed_before_the_record(world: World) -> None:
    """Let the consumer write and merge one batch, and be killed before its record is written."""
    killed = False

    def struck(kind: str) -> Fault | None:
        nonlocal killed
        killed = killed or (kind == "bulk" and world.evaluations > before and merged(world) > counted)
        return Fault.KILLED_BEFORE if killed else None

    before, counted = world.evaluations, merged(world)
    world.elastic.fault = struck
    assert world.consume() == "killed"
    world.calm()


def merged(world: World) -> int:
    """Return how many events the windows count."""
    return sum(window["count"] for window in world.elastic.documents("login-metrics"))


def test_nothing_happens(world: World) -> None:
    events(world, "abca")
    world.event(None)
    world.send(b"junk")
    settle(world)
    assert [len(world.elastic.documents(family)) for family in ("login-events", "login-dead")] == [4, 1]


@pytest.mark.parametrize("left", [("sources",), ("sources", "commits"), ("metadata",)])
def test_a_checkpoint_without_planned_batches_starts_no_query(world: World, left: tuple[str, ...]) -> None:
    """Its initial offsets would win over those of the last batch record, and all be counted twice."""
    events(world, "abc")
    world.consume()
    events(world, "def")
    for each in world.checkpoint.iterdir():
        if each.name not in left:
            each.unlink() if each.is_file() else shutil.rmtree(each)
    settle(world)


@pytest.mark.parametrize("first_start", [True, False])
@pytest.mark.parametrize("empty_file", [True, False])
def test_checkpoints_are_lost_one_after_the_other_before_a_batch_is_recorded(
    world: World, first_start: bool, empty_file: bool
) -> None:
    """What a lineage has merged without a record is found, also if it never had one of a batch."""
    if not first_start:
        events(world, "ab")
        world.consume()
        world.lose_checkpoint()
    events(world, "cd")
    killed_before_the_record(world)
    if empty_file:
        (world.checkpoint / "offsets/0").write_text("")
    else:
        world.lose_checkpoint()
    settle(world)


def test_the_first_position_is_kept_without_a_checkpoint(world: World) -> None:
    world.options = {"kafka": {"starting_offsets": "latest"}}
    events(world, "abc")
    world.consume()
    world.lose_checkpoint()
    events(world, "de")
    world.consume()
    assert {event["event"]["id"] for event in world.elastic.documents("login-events")} == {"d", "e"}


def test_the_newest_plan_of_spark_never_reached_the_disk(world: World) -> None:
    """Spark gives the same number to a longer batch, of which the windows would ignore all."""
    events(world, "ab")
    world.consume()
    events(world, "c")
    killed_before_the_record(world)
    (world.checkpoint / "offsets/1").unlink()
    events(world, "de")
    settle(world)
