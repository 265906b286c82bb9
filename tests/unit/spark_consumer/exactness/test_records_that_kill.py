# SPDX-License-Identifier: Apache-2.0
"""Records of which each process dies that reads them, and ends of a process that are no such death."""

import pytest
from exactness.elastic import Fault
from exactness.histories import events, killed_before_the_record, settle
from exactness.world import World


def until_idle(world: World, starts: int) -> int:
    """Start the consumer again as systemd does, until it has read all; return how often it died."""
    for deaths in range(starts):
        if (told := world.consume(most=100)) != "killed":
            assert told == "idle"
            return deaths
    raise AssertionError(f"it still dies after {starts} starts")


@pytest.mark.parametrize("poison", [b"junk", b'{"event_id": "p"}', None])
@pytest.mark.parametrize("before", [0, 1, 40])
@pytest.mark.parametrize("after", [0, 1, 40])
def test_a_record_kills_each_process_that_reads_it(poison: bytes | None, before: int, after: int) -> None:
    with World(2) as world:
        for number in range(before):
            world.event(f"before-{number}", partition=number % 2)
        world.poisonous(poison)
        for number in range(after):
            world.event(f"after-{number}", partition=number % 2)
        assert until_idle(world, 12) >= 3
        settle(world)
        (letter,) = world.elastic.documents("login-dead-letters")
        assert (letter["reason"], "raw" in letter, "size" in letter) == ("unreadable", False, False)
        assert len(world.elastic.documents("login-events")) == before + after
        assert not world.checkpoint.with_name("checkpoint.tries").exists()
        world.event("next")
        settle(world)


def test_several_records_kill_each_process_that_reads_them() -> None:
    with World(3) as world:
        for number in range(120):
            if number in (7, 8, 50, 119):
                world.poisonous(b"bomb", number % 3)
            else:
                world.event(f"e{number}", partition=number % 3)
        until_idle(world, 40)
        settle(world)
        letters = world.elastic.documents("login-dead-letters")
        assert sorted((each["partition"], each["offset"]) for each in letters) == [(1, 2), (2, 2), (2, 16), (2, 39)]
        assert {each["reason"] for each in letters} == {"unreadable"}


def test_a_record_that_kills_keeps_what_it_has_become_before(world: World) -> None:
    """It was read, and only then it began to kill: of a process with a smaller heap, say."""
    events(world, "abc")
    killed_before_the_record(world)
    world.poison.add((world.log.topic.id, 0, 1))
    until_idle(world, 12)
    settle(world)
    assert (len(world.elastic.documents("login-events")), world.elastic.documents("login-dead-letters")) == (3, [])


def test_a_record_that_was_given_up_stays_so_if_it_can_be_read_again(world: World) -> None:
    world.poisonous(b'{"event_id": "p"}')
    events(world, "ab")
    killed = lambda: any(each["reason"] == "unreadable" for each in world.elastic.documents("login-dead"))  # noqa: E731
    world.commit_fails = lambda: False
    while not killed():
        world.elastic.fault = lambda _: Fault.KILLED_BEFORE if killed() else None
        world.consume(most=100)
    world.calm()
    world.poison.clear()
    world.lose_checkpoint()
    world.checkpoint.with_name("checkpoint.tries").unlink()
    settle(world)
    assert [each["reason"] for each in world.elastic.documents("login-dead-letters")] == ["unreadable"]


@pytest.mark.parametrize("ending", ["stopped", "Kafka is away", "Elasticsearch is away"])
def test_what_is_no_death_makes_no_part_of_a_batch_suspect(world: World, ending: str) -> None:
    """However often the service is stopped, or waits, in a batch that is repeated: it is read as a whole."""
    events(world, "abc")
    killed_before_the_record(world)
    for _ in range(8):
        if ending == "Kafka is away":
            first, world.log.first[0] = world.log.first[0], 9
            world.options = {"kafka": {"allow_data_loss": False}}
            world.consume()
            world.log.first[0] = first
        else:
            world.waits = 0 if ending == "stopped" else 3
            world.elastic.fault = lambda kind: Fault.LOST if kind == "bulk" else None
            world.consume()
            world.waits = 3
        world.calm()
        assert not world.checkpoint.with_name("checkpoint.tries").exists()
    before = world.evaluations
    settle(world)
    assert world.evaluations == before + 1, "it was read in parts"
