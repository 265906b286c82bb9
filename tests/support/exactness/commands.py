"""What an operator or a timer does beside the consumer: replays of dead letters, and the retention."""

from collections.abc import Sequence

from login_common.elastic import Unavailable
from login_consumer.dead_letters import Found
from login_consumer.dead_replay import Outcome, Record, Replay, ReplayStopped
from login_consumer.retention import retention
from login_consumer.settings import RetentionSettings
from login_consumer.sink import Sink
from login_consumer.witness import ClockDoubted

from exactness.world import DAY, World


class _ToLog:
    """Stands for ReplaySender: what it sends is in Kafka at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, records: Sequence[Record]) -> list[Outcome]:
        world, outcomes = self._world, []
        for record in records:
            partition = min(record.partition, len(world.log.partitions) - 1)
            world.replayed[record.value] += 1
            world.send(record.value, partition)
            outcomes.append(Outcome(partition, len(world.log.partitions[partition]) - 1))
        world.happened["a dead letter is replayed"] += len(records)
        return outcomes


def replay_dead_letters(world: World) -> None:
    """Send all letters again that were not, as `login-consumer dead replay --all` does, or until that is stopped."""
    letters = world.elastic.hits("login-dead-letters")
    hits = [hit for hit in letters if not (hit.source.get("replay") or {}).get("state")]
    replay = Replay(Sink(world.settings.elasticsearch), _ToLog(world), False, lambda _: None)
    try:
        replay.run([Found(hit.index, hit.id, 4) for hit in hits], len(hits))
    except (Unavailable, ReplayStopped):
        world.happened["a replay is stopped"] += 1


def delete_what_is_old(world: World, days: int) -> None:
    """Run `login-consumer retention`; an operator who is asked whether the clock is right looks at it."""
    settings = RetentionSettings(
        elasticsearch=world.settings.elasticsearch, events_days=days, checkpoint_dir=world.checkpoint
    )
    now = round(world.clock.time() * 1000)
    true = now - round(world.clock.wrong * 1000)
    world.kept_since = max(world.kept_since, true - days * DAY)
    try:
        removed = retention(settings, now, False, lambda _: None)
    except ClockDoubted:
        if world.clock.wrong:
            world.happened["a retention by a wrong clock is stopped"] += 1
            return
        removed = retention(settings, now, False, lambda _: None, force=True)
    except Unavailable:
        return
    world.happened["a retention deletes an index"] += removed.indices
