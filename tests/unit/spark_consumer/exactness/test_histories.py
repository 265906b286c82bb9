# SPDX-License-Identifier: Apache-2.0
"""Single histories that once broke "exactly once", each as short as it can be."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence

import pytest
from exactness import truth
from exactness.elastic import Crash, Fault, Hit
from exactness.world import DAY, NOW, Log, World
from login_consumer.checkpoint import CheckpointError
from login_consumer.dead_letters import Found
from login_consumer.dead_replay import Counts, Outcome, Record, Replay
from login_consumer.progress import last_progress
from login_consumer.rebuild import rebuild
from login_consumer.restore import restore
from login_consumer.settings import BackupSettings
from login_consumer.sink import Sink
from login_consumer.snapshots import Position, Snapshot
from login_consumer.windows import Span


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
        killed = killed or (kind == "bulk" and world.evaluations > before and merged_events(world) > counted)
        return Fault.KILLED_BEFORE if killed else None

    before, counted = world.evaluations, merged_events(world)
    world.elastic.fault = struck
    assert world.consume() == "killed"
    world.calm()


def away(world: World, fault: Fault, change: Callable[[], None], since: Callable[[], bool] = lambda: True) -> None:
    """Let writes meet a fault until the consumer waits for Elasticsearch; by then Kafka has changed."""
    back: list[bool] = []

    def waiting() -> None:
        if not back:
            change()
        back.append(True)

    world.while_waiting = waiting
    world.elastic.fault = lambda kind: fault if kind == "bulk" and not back and since() else None


def merged_events(world: World) -> int:
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


def lose_end(world: World, left: int) -> None:
    """Let Kafka lose all but the first records of partition 0, as in a power cut."""
    del world.log.partitions[0][left:]


def made_anew(world: World) -> None:
    """Do as the consumer asks if Kafka has lost its end."""
    world.log = Log("TopicTwo", len(world.log.partitions))
    world.options = {"kafka": {"allow_data_loss": True}}


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


@pytest.mark.parametrize("fault", [Fault.UNANSWERED, Fault.HALF_UNANSWERED, Fault.LOST])
def test_a_replay_of_dead_letters_knows_its_own_mark(world: World, fault: Fault) -> None:
    """Sent again after a lost answer, the request to mark a letter meets the mark that it has made itself."""
    for _ in range(4):
        world.send(b"junk")
    world.consume()
    found = [Found(hit.index, hit.id, 4) for hit in world.elastic.hits("login-dead-letters")]
    world.strike("bulk", 1, fault)
    sender = Sent()
    replay = Replay(Sink(world.settings.elasticsearch), sender, False, print)
    replay.run(found, len(found))
    assert (replay.counts, sender.number) == (Counts(sent=4), 4)
    assert {letter["replay"]["state"] for letter in world.elastic.documents("login-dead-letters")} == {"sent"}


def test_another_replays_mark_is_left_alone(world: World) -> None:
    world.send(b"junk")
    world.consume()
    (hit,) = world.elastic.hits("login-dead-letters")
    sender = Sent()

    def meanwhile(kind: str) -> None:
        world.elastic.fault = lambda _: None
        if kind == "bulk":
            Replay(Sink(world.settings.elasticsearch), sender, False, print).run([Found(hit.index, hit.id, 4)], 1)
        else:
            world.elastic.fault = meanwhile

    world.elastic.fault = meanwhile
    late = Replay(Sink(world.settings.elasticsearch), sender, False, print)
    late.run([Found(hit.index, hit.id, 4)], 1)
    assert (late.counts, sender.number) == (Counts(skipped=1), 1)


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
    world.strike("bulk", number, Fault.KILLED_AFTER)
    assert world.consume() == "killed"
    world.calm()
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


def test_settings_change_while_longer_batches_are_open(world: World) -> None:
    """A short batch, which is repeated, must not make the consumer forget what was written behind it."""
    events(world, "a")
    world.event("old", NOW - 60 * DAY)
    world.strike("bulk", 2, Fault.KILLED_AFTER)
    assert world.consume() == "killed"
    world.calm()
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


def test_other_records_stand_in_the_place_of_an_open_batch(world: World) -> None:
    """No batch record tells of them; what is stored does."""
    for name in "abc":
        world.event(None, user_id=name)
    world.strike("bulk", 3, Fault.KILLED_AFTER)
    assert world.consume() == "killed"
    world.calm()
    lose_end(world, 1)
    for number, name in enumerate("uvwx"):
        world.event(None, NOW - number - 1, user_id=name)
    assert "offset 1 of partition 0 is now another record than the one that was stored from there" in world.consume()
    made_anew(world)
    events(world, "uvwx")
    settle(world)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_batch_is_planned_twice_and_the_first_plan_comes_back(world: World, recorded: bool) -> None:
    """A power cut takes the plan, Spark makes another one of that number, and a backup of the host has the first."""
    events(world, "ab")
    world.consume()
    events(world, "cde")
    world.strike("bulk", 1, Fault.KILLED_AFTER)
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
    world.strike("bulk", 1, Fault.KILLED_AFTER)
    assert world.consume() == "killed"
    world.calm()
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


@pytest.mark.parametrize("seconds", [300, 60])
def test_a_rebuild_is_killed(world: World, seconds: int) -> None:
    """Whatever the settings are by then, nobody counts on windows of two lengths."""
    for number in range(8):
        world.event(str(number), NOW + number * 60_000)
    world.consume()
    world.options = {"metrics": {"window_seconds": 300}}
    world.strike("bulk", 1, Fault.KILLED_AFTER)
    with pytest.raises(Crash):
        world.rebuild()
    world.calm()
    world.options = {"metrics": {"window_seconds": seconds}}
    world.event("z", NOW)
    assert "'login-consumer rebuild' was interrupted" in world.consume()
    with pytest.raises(CheckpointError, match="'login-consumer rebuild' was interrupted"):
        rebuild(world.settings, Span(NOW, NOW + 1), lambda _: None)
    world.rebuild()
    settle(world)


class Snapshots:
    """Stands for a repository that holds one snapshot, whose accounts are ahead of its events."""

    def __init__(self, world: World, held: Snapshot, documents: dict[str, dict[str, Hit]]) -> None:
        self.sink, self._world, self._held, self._documents = Sink(world.settings.elasticsearch), world, held, documents

    def snapshots(self) -> list[Snapshot]:
        return [self._held]

    def restore(self, snapshot: Snapshot, indices: Sequence[str], features: Sequence[str]) -> None:
        self._world.elastic.put_back(self._documents)


@pytest.mark.parametrize("kind", ["delete", "delete_by_query", "search"])
@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
def test_a_restore_is_killed(world: World, kind: str, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    events(world, "ab")
    world.consume()
    before = world.elastic.copy()
    newest = last_progress(world.elastic, "login-events")  # type: ignore[arg-type]
    events(world, "c")
    world.consume()
    accounts = {name: docs for name, docs in world.elastic.copy().items() if name.startswith("login-pipeline")}
    events(world, "d")
    world.consume()
    held = Snapshot("s", "SUCCESS", 0, 1, tuple(before), Position.metadata("login-events", newest))
    monkeypatch.setattr("login_consumer.restore.Repository", lambda _: Snapshots(world, held, before | accounts))
    monkeypatch.setattr("login_consumer.restore.topic_state", lambda _: world.log.state({}))
    monkeypatch.setattr("login_consumer.restore.require_readable", lambda *_: None)  # test_trial.py has it
    elastic = world.settings.elasticsearch.model_dump() | {"api_key": "key"}
    told = {"elasticsearch": elastic, "repository": "r"}
    settings = BackupSettings.model_validate(told)
    world.strike(kind, 1, fault)
    with pytest.raises(Crash):
        restore(settings, world.settings, "s", False, lambda _: None)
    world.calm()
    assert "'login-consumer restore' was interrupted" in world.consume()
    with pytest.raises(CheckpointError, match="'login-consumer restore' was interrupted"):
        world.rebuild()
    restore(settings, world.settings, "s", False, lambda _: None)
    settle(world)
    assert {event["event"]["id"] for event in world.elastic.documents("login-events")} == set("abcd")


class Sent:
    """Stands for Kafka, which takes all."""

    number = 0

    def send(self, records: Sequence[Record]) -> list[Outcome]:
        self.number += len(records)
        return [Outcome(0, 100) for _ in records]


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
