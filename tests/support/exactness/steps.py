"""The steps of a random history, as data: made from a seed, and made less, so that the smallest that fails is found."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

ACCIDENTS = {
    "lost": 3,
    "of a backup": 3,
    "newest plan empty": 2,
    "newest plan gone": 8,
    "newest note gone": 2,
    "plans and notes removed": 1,
    "rebuild": 2,
    "other windows": 1,
    "rebuild killed": 2,
    "another retention": 3,
    "erase": 3,
    "erase killed": 2,
    "partition added": 2,
    "clock ahead": 2,
    "clock behind": 2,
    "dead letters replayed": 3,
    "retention": 4,
}
KAFKA_LOSES = {"begin deleted": 3, "topic made anew": 2, "end lost": 3, "end lost and refilled": 3}


@dataclass(frozen=True)
class Step:
    """What happens between two starts of the consumer: records, then a run with faults, then an accident."""

    seed: int
    records: int = 0
    batches: int = 0
    most: int = 1
    faults: float = 0.0
    """The chance of a fault at each request, and of a kill at each commit."""
    accident: str = ""
    poison: int = 0
    """How many of the records kill the consumer each time it reads them."""
    amid: str = ""
    """An accident of Kafka while the consumer waits for Elasticsearch, if it does."""


Schedule = tuple[Step, ...]


def made(seed: int) -> Schedule:
    """Return the schedule of a seed."""
    rng, poison = random.Random(seed), random.Random(f"poison {seed}")
    is_poisoned = poison.random() < 0.2
    faults = rng.choice([0.0, 0.02, 0.05, 0.15])
    accidents = ACCIDENTS | (KAFKA_LOSES if rng.random() < 0.5 else {})
    names, weights = list(accidents), list(accidents.values())
    steps = []
    for _ in range(rng.randrange(2, 7)):
        accident = rng.choices(names, weights)[0] if rng.random() < 0.6 else ""
        amid = rng.choice(list(KAFKA_LOSES)) if accidents != ACCIDENTS and rng.random() < 0.3 else ""
        size = (rng.randrange(10), rng.randrange(1, 5), rng.randrange(1, 7))
        kill = poison.randrange(3) if is_poisoned else 0
        steps.append(Step(rng.randrange(1 << 30), *size, faults, accident, kill, amid))
    return tuple(steps)


def smaller(schedule: Schedule) -> Iterator[Schedule]:
    """Yield schedules with one thing less."""
    for number, step in enumerate(schedule):
        yield schedule[:number] + schedule[number + 1 :]
        none: list[dict[str, Any]] = [{"amid": ""}, {"accident": ""}, {"faults": 0.0}, {"poison": 0}, {"batches": 0}]
        for change in (*none, {"records": step.records // 2}):
            changed = replace(step, **change)
            if changed != step:
                yield (*schedule[:number], changed, *schedule[number + 1 :])
