# SPDX-License-Identifier: Apache-2.0
"""Single histories that once broke "exactly once", each as short as it can be."""

import shutil
from collections.abc import Iterator

import pytest
from exactness import truth
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
