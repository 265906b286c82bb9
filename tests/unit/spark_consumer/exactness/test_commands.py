# SPDX-License-Identifier: Apache-2.0
"""A rebuild, a restore or a replay of dead letters that is killed, or whose answers are lost."""

from collections.abc import Sequence

import pytest
from exactness.elastic import Crash, Fault, Hit
from exactness.histories import events, settle
from exactness.world import NOW, World
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


def test_a_rebuild_counts_what_is_not_searchable_yet(world: World) -> None:
    world.options = {"refresh": "none"}
    events(world, "abc")
    world.consume()
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
