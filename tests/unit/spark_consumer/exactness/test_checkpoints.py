# SPDX-License-Identifier: Apache-2.0
"""What a lost, damaged, older or doubled checkpoint must not do: a number of a batch that means two sets of records."""

import shutil

import pytest
from exactness.elastic import Fault
from exactness.histories import events, killed_before_the_record, made_anew, settle
from exactness.world import World


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


def test_a_batch_of_marks_is_repeated_in_the_next_month(world: World) -> None:
    """It has no record whose time could say in which index its own record is."""
    events(world, "a")
    world.consume()
    world.clock.now += 30 * 86_400 + 13 * 3600 + 3595
    world.send(None, is_mark=True)
    world.commit_fails = lambda: True
    assert world.consume() == "killed"
    world.clock.now += 3600
    settle(world)
    assert len(world.elastic.documents("login-pipeline")) == 3


@pytest.mark.parametrize("names", ["cde", "cda"])
@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_batch_is_planned_twice_and_the_first_plan_comes_back(
    world: World, recorded: bool, fault: Fault, names: str
) -> None:
    """A power cut takes the plan, Spark makes another one of that number, and a backup of the host has the first."""
    events(world, "ab")
    world.consume()
    events(world, names)
    world.strike("bulk", 1, fault)
    assert world.consume(1, 2) == "killed"
    kept = world.home / "kept"
    shutil.copytree(world.checkpoint, kept)
    (world.checkpoint / "offsets/1").unlink()
    if recorded:
        world.calm()
        assert world.consume() == "idle"
    else:
        killed_before_the_record(world)
    world.lose_checkpoint()
    shutil.copytree(kept, world.checkpoint)
    settle(world)


def test_the_checkpoint_of_a_topic_that_was_deleted_comes_back(world: World) -> None:
    """As from a backup of the host: the batch records of the new topic know better."""
    events(world, "ab")
    world.consume()
    kept = world.home / "kept"
    shutil.copytree(world.checkpoint, kept)
    made_anew(world)
    events(world, "cd")
    world.consume()
    world.lose_checkpoint()
    shutil.copytree(kept, world.checkpoint)
    events(world, "e")
    settle(world)


def test_the_first_record_of_a_lineage_is_written_again_as_itself(world: World) -> None:
    """However often its answer is lost, and also in the next month: a loss must not stand in two records."""
    events(world, "ab")
    world.consume()
    events(world, "cdef")
    world.log.first[0] = 4
    world.options = {"kafka": {"allow_data_loss": True}}
    world.clock.now += 30 * 86_400 + 13 * 3600 + 3599
    answers = iter([Fault.UNANSWERED] * 12)
    world.elastic.fault = lambda kind: next(answers, None) if kind == "bulk" else None
    assert world.consume() == "idle"
    settle(world)
    assert sum("loss" in record for record in world.elastic.documents("login-pipeline")) == 1


def test_all_documents_are_deleted(world: World) -> None:
    """What was read is stored nowhere then: nobody goes on as if it were."""
    events(world, "ab")
    world.consume()
    world.elastic.put_back({})
    events(world, "c")
    assert "Elasticsearch holds no progress document: its data was deleted" in world.consume()
    world.lose_checkpoint()
    settle(world)


def test_an_older_state_of_all_documents_comes_back(world: World) -> None:
    """As by a snapshot that somebody restored by hand: what came since is read again."""
    events(world, "ab")
    world.consume()
    older = world.elastic.copy()
    events(world, "c")
    world.consume()
    world.elastic.put_back(older)
    events(world, "d")
    settle(world)


def test_a_replica_does_not_have_what_is_met_again(world: World) -> None:
    events(world, "a")
    world.consume()
    events(world, "a")
    world.strike("mget", 1, Fault.STALE)
    assert world.consume() == "idle"
    settle(world)
