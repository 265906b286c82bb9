"""Random histories of the pipeline: made from a seed, run, and made smaller as long as they still fail.

A schedule is data, a list of steps, so that steps can be left out; all chance inside a step comes from its own seed.
"""

import logging
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from login_consumer.checkpoint import CheckpointError

from exactness import truth
from exactness.elastic import Crash, Fault
from exactness.world import DAY, NOW, Log, World

_LOSES_NOTHING = {
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
}
_KAFKA_LOSES = {"begin deleted": 3, "topic made anew": 1, "end lost": 3, "end lost and refilled": 3}


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
    accidents = _LOSES_NOTHING | (_KAFKA_LOSES if rng.random() < 0.5 else {})
    names, weights = list(accidents), list(accidents.values())
    steps = []
    for _ in range(rng.randrange(2, 7)):
        accident = rng.choices(names, weights)[0] if rng.random() < 0.6 else ""
        amid = rng.choice(list(_KAFKA_LOSES)) if accidents != _LOSES_NOTHING and rng.random() < 0.3 else ""
        size = (rng.randrange(10), rng.randrange(1, 5), rng.randrange(1, 7))
        kill = poison.randrange(3) if is_poisoned else 0
        steps.append(Step(rng.randrange(1 << 30), *size, faults, accident, kill, amid))
    return tuple(steps)


def faults_of(schedule: Schedule, partitions: int = 2) -> list[str]:
    """Run the schedule, then read all that is left; return what does not hold at its end."""
    logging.disable(logging.CRITICAL)
    try:
        return _play(schedule, partitions)
    except (Exception, Crash) as error:
        return [f"{type(error).__name__}: {error}"]
    finally:
        logging.disable(logging.NOTSET)


def _play(schedule: Schedule, partitions: int) -> list[str]:
    with World(partitions) as world:
        # What Kafka loses behind the last record, a mark of a transaction, is not noticed.
        player = _Player(world, marks=not any("end lost" in step.accident + step.amid for step in schedule))
        for step in schedule:
            player.play(step)
        return player.settle()


class _Outage:
    """Single faults, and an Elasticsearch that is away from some request on until the consumer waits for it."""

    def __init__(self, step: Step, rng: random.Random, accident: Callable[[str, random.Random], None]) -> None:
        self._step, self._rng, self._accident = step, rng, accident
        self._left = rng.randrange(30) if step.amid else -1

    def fault(self, _: str) -> Fault | None:
        """Return what happens to the next request."""
        self._left -= self._left > 0
        if self._left == 0:
            return self._rng.choice([Fault.LOST, Fault.UNANSWERED, Fault.HALF_UNANSWERED])
        return self._rng.choice(list(Fault)) if self._rng.random() < self._step.faults else None

    def passes(self) -> None:
        """Let it come back, and have Kafka changed by then."""
        if self._left == 0:
            self._left = -1
            self._accident(self._step.amid, self._rng)


class _Player:
    def __init__(self, world: World, marks: bool) -> None:
        self._world, self._marks, self._least = world, marks, 0.0
        self._backup = world.home / "backup"

    def play(self, step: Step) -> None:
        world, rng = self._world, random.Random(step.seed)
        self._send(rng, step.records)
        self._poison(random.Random(f"poison {step.seed}"), step.poison)
        if step.batches:
            outage = _Outage(step, rng, self._accident)
            world.elastic.fault, world.while_waiting = outage.fault, outage.passes
            world.commit_fails = lambda: rng.random() < step.faults
            self._consume(step.batches, step.most, rng)
            world.while_waiting = lambda: None
        world.calm()
        if rng.random() < 0.3 and world.checkpoint.exists():
            shutil.rmtree(self._backup, ignore_errors=True)
            shutil.copytree(world.checkpoint, self._backup)
        self._accident(step.accident, rng)

    def settle(self) -> list[str]:
        """Let all be read without a fault, by an operator who does as he is asked; return what does not hold."""
        world = self._world
        for _ in range(4 + 16 * len(world.poison)):
            told = self._consume(99, 5, None)
            if told == "idle":
                break
        else:
            return [f"it does not go on: {told}"]
        return [*truth.faults(world), *(f"audit: {fault}" for fault in world.audit())]

    def _consume(self, batches: int, most: int, rng: random.Random | None) -> str:
        world = self._world
        told = world.consume(batches, most, rng)
        if "Delete topic" in told:
            self._make_anew()
        if "allow_data_loss" in told:
            world.options["kafka"] = {"allow_data_loss": True}
        elif "login-consumer rebuild" in told:
            self._rebuild()
        elif told.startswith("refused") and "made anew" not in told:
            world.options["kafka"] = {"allow_data_loss": True}
        return told

    def _send(self, rng: random.Random, number: int) -> None:
        world = self._world
        for _ in range(number):
            partition, kind = rng.randrange(len(world.log.partitions)), rng.uniform(self._least, 1)
            if kind < 0.12:
                world.send(rng.choice([b"junk", b"", None, b"{}"]), partition)
            elif kind < 0.16 and self._marks:
                world.send(None, partition, is_mark=True)
            elif kind < 0.19:
                # what the consumer would make for one of the next records
                end = len(world.log.partitions[partition])
                world.event(f"{world.log.topic.id}-{partition}-{end + rng.randint(1, 3)}", NOW, partition)
            else:
                name = rng.randrange(40)
                at = NOW - name % 3 * 31 * DAY - rng.randrange(2) * 60_000 * (kind < 0.4)
                fields: dict[str, Any] = (
                    {"user_id": f"u{rng.randrange(1000)}"} if kind < 0.4 else {"user_id": f"u{name}"}
                )
                fields |= {"browser": rng.choice(["Firefox", "Chrome"]), "country": rng.choice(["KR", "DE"])}
                world.event(None if kind < 0.4 else f"e{name}", at, partition, **fields)

    def _poison(self, rng: random.Random, number: int) -> None:
        """Have some of the records that Kafka holds kill the consumer from now on, read before or not."""
        log = self._world.log
        places = [(log.topic.id, p, o) for p, held in enumerate(log.partitions) for o in range(log.first[p], len(held))]
        self._world.poison.update(rng.sample(places, min(number, len(places))))

    def _accident(self, name: str, rng: random.Random) -> None:
        world = self._world
        home, log = world.checkpoint, world.log
        partition = rng.randrange(len(log.partitions))
        match name:
            case "lost" | "of a backup":
                world.lose_checkpoint()
                if name == "of a backup" and self._backup.exists():
                    shutil.copytree(self._backup, home)
            case "newest plan empty" | "newest plan gone" | "newest note gone":
                self._lose_file(name)
            case "plans and notes removed":
                for folder in ("offsets", "commits"):
                    shutil.rmtree(home / folder, ignore_errors=True)
            case "rebuild":
                self._rebuild()
            case "rebuild killed":
                world.options["metrics"] = {"window_seconds": rng.choice([60, 300])}
                world.elastic.fault = lambda _: Fault.KILLED_AFTER if rng.random() < 0.2 else None
                with suppress(Crash, CheckpointError):
                    self._world.rebuild()
                world.calm()
                world.options["metrics"] = {"window_seconds": rng.choice([60, 300])}
            case "erase" | "erase killed":
                if name == "erase killed":
                    world.elastic.fault = lambda _: Fault.KILLED_HALFWAY if rng.random() < 0.2 else None
                with suppress(Crash):
                    world.erase(*(f"u{number}" for number in range(rng.randrange(10), 1000, 3)), "junk")
                world.calm()
            case "other windows":
                world.options["metrics"] = {"window_seconds": rng.choice([60, 300])}
            case "another retention":
                world.options["events"] = {"max_age_days": rng.choice([20, 45, 400])}
            case "partition added":
                log.partitions.append([])
                log.first.append(0)
            case "begin deleted":
                log.first[partition] = rng.randint(log.first[partition], len(log.partitions[partition]))
            case "topic made anew":
                self._make_anew()
                self._send(rng, rng.randrange(20))
            case "end lost" | "end lost and refilled":
                # In the place of an event junk would be taken for the same record, which reads otherwise now.
                self._least = 0.19
                del log.partitions[partition][rng.choice(self._noticed(partition)) :]
                end = len(log.partitions[partition])
                # What is unreadable cannot be compared with what is stored from its place.
                world.poison -= {each for each in world.poison if each[1] == partition and each[2] >= end}
                world.clock.sleep(1)
                if "refilled" in name:
                    for number in range(30):
                        world.event(None, NOW - rng.randrange(1 << 20) * 30 - number, number % len(log.partitions))

    def _noticed(self, partition: int) -> list[int]:
        """Return where the partition may end if it loses its end, so that it can be noticed.

        That is where the first record lost is in a batch record, or has an event or a dead letter, or was not read yet.
        """
        log, elastic = self._world.log, self._world.elastic
        places = [event["login"]["kafka"] for event in elastic.documents("login-events")]
        places += elastic.documents("login-dead-letters")
        stored = {
            each["offset"] for each in places if (each["topic_id"], each["partition"]) == (log.topic.id, partition)
        }
        recorded = 0
        for record in elastic.documents("login-pipeline"):
            if record["topic_id"] == log.topic.id:
                ends = [each["next"] for each in record["ranges"] if each["partition"] == partition]
                recorded = max([recorded, *ends])
        end = len(log.partitions[partition])
        read = max(stored, default=-1)
        return [o for o in range(log.first[partition], end + 1) if o < recorded or o in stored or o > read or o == end]

    def _lose_file(self, name: str) -> None:
        folder = self._world.checkpoint / ("commits" if "note" in name else "offsets")
        newest = max(folder.glob("*"), key=lambda file: int(file.name), default=None)
        if newest and "empty" in name:
            newest.write_text("")
        elif newest:
            newest.unlink()
            (self._world.checkpoint / "commits" / newest.name).unlink(missing_ok=True)

    def _rebuild(self) -> None:
        if self._world.elastic.documents("login-pipeline"):
            self._world.calm()
            self._world.rebuild()

    def _make_anew(self) -> None:
        self._world.log = Log(f"{self._world.log.topic.id}x", len(self._world.log.partitions))


def smaller(schedule: Schedule) -> Iterator[Schedule]:
    """Yield schedules with one thing less."""
    for number, step in enumerate(schedule):
        yield schedule[:number] + schedule[number + 1 :]
        none: list[dict[str, Any]] = [{"amid": ""}, {"accident": ""}, {"faults": 0.0}, {"poison": 0}, {"batches": 0}]
        for change in (*none, {"records": step.records // 2}):
            changed = replace(step, **change)
            if changed != step:
                yield (*schedule[:number], changed, *schedule[number + 1 :])


def smallest(schedule: Schedule) -> Schedule:
    """Return a schedule that fails as well and of which nothing can be left out, as far as is found soon."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = next((each for each in smaller(schedule) if faults_of(each)), None)
        if found is None:
            break
        schedule = found
    return schedule


def failing(seeds: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
    """Yield the seeds whose schedules fail, with what does not hold."""
    for seed in seeds:
        if found := faults_of(made(seed)):
            yield seed, found
