"""What single histories are made of."""

from collections.abc import Callable

from exactness import truth
from exactness.elastic import Fault
from exactness.world import Log, World


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


def killed_at(world: World, kind: str, number: int, fault: Fault) -> None:
    """Let the consumer be killed at the request of this kind and number, counted from 1; then all is well again."""
    world.strike(kind, number, fault)
    assert world.consume() == "killed"
    world.calm()


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


def lose_end(world: World, left: int) -> None:
    """Let Kafka lose all but the first records of partition 0, as in a power cut."""
    del world.log.partitions[0][left:]


def made_anew(world: World) -> None:
    """Do as the consumer asks if Kafka has lost its end."""
    world.log = Log("TopicTwo", len(world.log.partitions))
    world.options = {"kafka": {"allow_data_loss": True}}
