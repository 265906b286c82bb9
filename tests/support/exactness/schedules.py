"""Random histories of the pipeline: made from a seed, run, and made smaller as long as they still fail.

A schedule is data, a list of steps, so that steps can be left out; all chance inside a step comes from its own seed.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from exactness.elastic import Crash
from exactness.player import Player
from exactness.steps import Schedule, made, smaller
from exactness.world import World


def faults_of(schedule: Schedule, happened: Counter[str] | None = None) -> list[str]:
    """Run the schedule, then read all that is left; return what does not hold at its end.

    What happened is counted in `happened`.
    """
    with quiet(), World(partitions=2) as world:
        found = [*play(world, schedule), *(f"audit: {fault}" for fault in heard(world))]
        if happened is not None:
            happened.update(world.happened)
        return found


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def play(world: World, schedule: Schedule) -> list[str]:
    """Run the schedule in a new world, then read all that is left; return what does not hold."""
    # What Kafka loses behind the last record, a mark of a transaction, is not noticed.
    player = Player(world, marks=not any("end lost" in step.accident + step.amid for step in schedule))
    try:
        for step in schedule:
            player.play(step)
        return player.settle()
    except (Exception, Crash) as error:
        return [f"{type(error).__name__}: {error}"]


def heard(world: World) -> list[str]:
    """Return what the audit finds."""
    try:
        return world.audit()
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


def smallest(schedule: Schedule) -> Schedule:
    """Return a schedule that fails as well and of which nothing can be left out, as far as is found soon."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = next((each for each in smaller(schedule) if faults_of(each)), None)
        if found is None:
            break
        schedule = found
    return schedule


def failing(seeds: Sequence[int], happened: Counter[str] | None = None) -> Iterator[tuple[int, list[str]]]:
    """Yield the seeds whose schedules fail, with what does not hold; see faults_of."""
    for seed in seeds:
        if found := faults_of(made(seed), happened):
            yield seed, found
