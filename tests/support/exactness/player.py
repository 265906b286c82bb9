"""Plays the steps of a random history in a world."""

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from login_consumer.checkpoint import CheckpointError

from exactness import truth
from exactness.commands import delete_what_is_old, replay_dead_letters
from exactness.elastic import Crash, Fault
from exactness.steps import Step
from exactness.world import DAY, NOW, Log, World


class _Outage:
    """Single faults, and an Elasticsearch that is away from some request on until the consumer waits for it."""

    def __init__(self, step: Step, rng: random.Random, accident: Callable[[str, random.Random, str], None]) -> None:
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
            self._accident(self._step.amid, self._rng, "amid: ")


class Player:
    """One for a world."""

    def __init__(self, world: World, marks: bool) -> None:
        """Make it; without `marks` of transactions nothing is in Kafka but records, and no dead letter is replayed."""
        self._world, self._marks, self._least = world, marks, 0.0
        self._backup = world.home / "backup"

    def play(self, step: Step) -> None:
        """Carry out one step."""
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
        self._after(step, rng)

    def _after(self, step: Step, rng: random.Random) -> None:
        world = self._world
        if rng.random() < 0.3 and world.checkpoint.exists():
            shutil.rmtree(self._backup, ignore_errors=True)
            shutil.copytree(world.checkpoint, self._backup)
        self._accident(step.accident, rng)

    def settle(self) -> list[str]:
        """Let all be read without a fault, by an operator who does as he is asked; return what does not hold."""
        world = self._world
        for _ in range(4 + 16 * len(world.poison)):
            told = self._consume(99, 5, None)
            world.clock.jump(0)
            if told == "idle":
                break
        else:
            return [f"it does not go on: {told}"]
        return truth.faults(world)

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

    def _accident(self, name: str, rng: random.Random, when: str = "") -> None:
        world, before = self._world, self._state()
        self._change(name, rng)
        if name and self._state() != before:
            world.happened[when + name] += 1

    def _state(self) -> list[Any]:
        """Return all that an accident may change, as far as it tells whether something was."""
        world = self._world
        files = sorted((str(file), file.stat().st_mtime_ns) for file in world.checkpoint.rglob("*"))
        log = [world.log.topic.id, list(world.log.first), [len(each) for each in world.log.partitions]]
        return [files, log, repr(world.options), world.clock.wrong, world.elastic.changes, len(world.elastic.stored)]

    def _change(self, name: str, rng: random.Random) -> None:
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
                if self._is_open():
                    world.happened["another retention between two tries"] += 1
                world.options["events"] = {"max_age_days": rng.choice([20, 45] if world.kept_since else [20, 45, 400])}
            case "partition added":
                log.partitions.append([])
                log.first.append(0)
            case "clock ahead":
                world.clock.jump(0 if world.clock.wrong else 500 * DAY / 1000)
                if rng.random() < 0.5:
                    self._change("retention", rng)
            case "clock behind":
                world.clock.jump(0 if world.clock.wrong else -rng.choice([3601.537, 40 * DAY / 1000 + 0.537]))
            case "dead letters replayed":
                if self._marks:  # else Kafka loses its end, and letters must not come in the place of events
                    self._struck(rng, replay_dead_letters)
            case "retention":
                world.options["events"] = {"max_age_days": 45}
                self._struck(rng, lambda world: delete_what_is_old(world, 45))
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

    def _struck(self, rng: random.Random, command: Callable[[World], None]) -> None:
        """Run a command of an operator, in which faults happen as well."""
        chance = rng.choice([0.0, 0.2])
        self._world.elastic.fault = lambda _: rng.choice(list(Fault)) if rng.random() < chance else None
        with suppress(Crash):
            command(self._world)
        self._world.calm()

    def _is_open(self) -> bool:
        """Return whether Spark has planned a batch and not noted it."""
        planned, noted = (
            {file.name for file in (self._world.checkpoint / name).glob("*")} for name in ("offsets", "commits")
        )
        return bool(planned - noted)

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
