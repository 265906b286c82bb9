"""A host with the real consumer, its checkpoint as Spark writes it, and a Kafka; no threads, so all can be repeated."""

import json
import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Self
from unittest.mock import patch

from login_common.times import iso
from login_consumer import afresh, audit, batch, dead_replay, metrics, outage, rebuild, run, sink, worker
from login_consumer.batch import Stopped
from login_consumer.checkpoint import CheckpointError
from login_consumer.counts import Mark
from login_consumer.documents import Topic
from login_consumer.erasure import Found, erase
from login_consumer.plan import TopicState
from login_consumer.settings import Settings

from exactness.elastic import Crash, Elastic, Fault
from exactness.spark import Simulated

NOW = 1_772_359_200_000
"""2026-03-01T10:00:00Z, in milliseconds: when each world begins."""
DAY = 86_400_000
_MEMORY = Path("/dev/shm")  # noqa: S108  (files that are synced at each step)


class Record(NamedTuple):
    """A record of Kafka; `at`, when it was appended, in milliseconds. Without a value it is a mark of a transaction."""

    value: bytes | None
    at: int
    is_mark: bool = False


class Log:
    """A topic: records by partition, and from which offset on Kafka still holds them."""

    def __init__(self, id_: str, partitions: int) -> None:
        self.topic = Topic("login-events", id_)
        self.partitions: list[list[Record]] = [[] for _ in range(partitions)]
        self.first = [0] * partitions

    def state(self, asked: dict[int, int]) -> TopicState:
        """Return what the consumer's own module would, with the records at the offsets `asked` for."""
        ends = {p: len(records) for p, records in enumerate(self.partitions)}
        held = {p: o for p, o in asked.items() if p in ends and self.first[p] <= o < ends[p]}
        found = {p: Mark(o, self.partitions[p][o].at) for p, o in held.items()}
        return TopicState(self.topic, dict(enumerate(self.first)), ends, found)


class Clock:
    """Stands for the module time."""

    def __init__(self) -> None:
        self.now = NOW / 1000
        self.wrong = 0.0
        """By how many seconds it is ahead of the true time."""

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now - self.wrong

    def jump(self, wrong: float) -> None:
        """Be wrong by so much from now on."""
        self.now += wrong - self.wrong
        self.wrong = wrong

    def time_ns(self) -> int:
        return round(self.now * 1000) * 1_000_000

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Inline:
    """Stands for an executor: a task runs when its result is wanted."""

    def __init__(self, *_: Any) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None: ...

    def submit(self, call: Callable[..., Any], *args: Any) -> Any:
        return SimpleNamespace(result=lambda: call(*args))


class Stopping(threading.Event):
    """The operator's patience: the consumer is told to stop after so many waits for a service."""

    def __init__(self, waits: int, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.waits, self._meanwhile = waits, meanwhile

    def wait(self, timeout: float | None = None) -> bool:
        if timeout:
            self.waits -= 1
            self._meanwhile()
        if self.waits < 0:
            self.set()
        return self.is_set()


class World:
    """All of it. To be used in a `with` statement, which also removes its files."""

    def __init__(self, partitions: int = 1, **options: Any) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="exactness-", dir=_MEMORY if _MEMORY.is_dir() else None))
        self.elastic, self.clock = Elastic(), Clock()
        self.log = Log("TopicOne", partitions)
        self.sent: dict[tuple[str, int, int], list[bytes | None]] = {}
        """The values that ever stood at a place, also those that Kafka has lost."""
        self.replayed: Counter[bytes | None] = Counter()
        """The values that replays of dead letters have sent."""
        self.kept_since = 0
        """From when on no index may be deleted yet, in milliseconds since 1970."""
        self.happened = self.elastic.happened
        """How often what happened, by its name."""
        self.options: dict[str, Any] = options
        self.poison: set[tuple[str, int, int]] = set()
        """Places whose records kill the consumer when it reads them."""
        self.deaths: Counter[tuple[str, int, int]] = Counter()
        """How often the consumer was killed while it read what is at a place, whatever killed it."""
        self.timestamp_type = 1
        """Of records: 1 if Kafka has set their times, 0 if senders have."""
        self.waits = 3
        self.while_waiting: Callable[[], None] = lambda: None
        """Called when the consumer waits for a service, or before it begins its query again."""
        self.commit_fails: Callable[[], bool] = lambda: False
        """Whether the consumer is killed between the end of a batch and Spark's note of it."""
        self.evaluations = self.asked_kafka = 0
        self._stack = ExitStack()
        self._settings: tuple[str, Settings] | None = None

    def __enter__(self) -> Self:
        for module in (afresh, audit, batch, dead_replay, outage, run, sink, worker):
            if hasattr(module, "time"):
                self._stack.enter_context(patch.object(module, "time", self.clock))
        for module in (batch, worker):
            self._stack.enter_context(patch.object(module, "ThreadPoolExecutor", Inline))
        self._stack.enter_context(patch.object(sink, "connect", lambda _: self.elastic))
        for module in (run, audit):
            self._stack.enter_context(patch.object(module, "topic_state", self._topic_state))
        self._stack.enter_context(patch.object(run, "diagnose", lambda *_: "diagnosed"))
        self._stack.enter_context(patch.object(metrics.Tally, "_write", lambda _: None))
        worker._sink.cache_clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        worker._sink.cache_clear()
        shutil.rmtree(self.home)

    def _topic_state(self, _: Any, asked: dict[int, int] | None = None) -> TopicState:
        self.asked_kafka += 1
        return self.log.state(asked or {})

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's folder."""
        return self.home / "checkpoint"

    @property
    def settings(self) -> Settings:
        """The settings as the next start reads them."""
        key = json.dumps(self.options, sort_keys=True)
        if self._settings is None or self._settings[0] != key:
            kafka = {"bootstrap_servers": ["k:1"], "username": "c", "password": "p", "ca_file": "/ca"}
            elastic = {"hosts": ["https://e:1"], "ca_file": "/ca", "api_key": "key", "retry_seconds": 2}
            told = {"checkpoint_dir": self.checkpoint, "ready_file": self.home / "ready", "elasticsearch": elastic}
            told["spark"] = {"trigger_ms": 0}  # between two batches nothing is waited for
            told |= self.options | {"kafka": kafka | self.options.get("kafka", {})}
            self._settings = key, Settings.model_validate(told)
        return self._settings[1]

    # Senders

    def send(self, value: bytes | None, partition: int = 0, is_mark: bool = False) -> None:
        """Append a record as it is."""
        self.clock.sleep(0.05)
        records = self.log.partitions[partition]
        self.sent.setdefault((self.log.topic.id, partition, len(records)), []).append(value)
        records.append(Record(value, round(self.clock.time() * 1000), is_mark))

    def poisonous(self, value: bytes | None, partition: int = 0) -> None:
        """Append a record that kills the consumer when it is read."""
        self.poison.add((self.log.topic.id, partition, len(self.log.partitions[partition])))
        self.send(value, partition)

    def event(self, id_: str | None, at: int = NOW, partition: int = 0, **fields: Any) -> None:
        """Append a valid event of the native format."""
        told = {"event_id": id_, "user_id": "u", "timestamp": iso(at), "outcome": "success"} | fields
        self.send(json.dumps(told).encode(), partition)

    # The consumer

    def consume(self, batches: int = 99, most: int = 5, rng: random.Random | None = None) -> str:
        """Let the consumer run for so many batches, of at most `most` records of each partition; say how it ended.

        That is "idle" if it has read all, or so many batches, "killed", "stopped" in an outage, or why it refused.
        """
        try:
            stopping = Stopping(self.waits, self._meanwhile)
            Simulated(self, stopping, batches, most, rng).run()
        except Crash:
            return "killed"
        except Stopped:
            return "stopped"
        except (CheckpointError, run.QueryFailed) as refused:
            return f"refused: {refused}"
        return "idle" if stopping.waits >= 0 else "stopped"

    def _meanwhile(self) -> None:
        self.elastic.arrive()
        self.while_waiting()

    def rebuild(self) -> None:
        """Count all windows anew, as the command does."""
        rebuild.rebuild(self.settings, None, lambda _: None)

    def erase(self, *users: str) -> Found:
        """Erase users, as the command does, also beside a consumer that runs."""
        return erase(sink.Sink(self.settings.elasticsearch), users, round(self.clock.time() * 1000))

    def audit(self) -> list[str]:
        """Return what the consumer's own audit finds."""
        return audit.audit(self.settings, None).faults

    def strike(self, kind: str, number: int, fault: Fault) -> None:
        """Let request `number` (from 1) of a kind, counted from now, meet a fault, and no other."""
        left = number

        def struck(what: str) -> Fault | None:
            nonlocal left
            left -= what == kind
            return fault if what == kind and left == 0 else None

        self.elastic.fault = struck

    def calm(self) -> None:
        """Let nothing fail from now on, and nothing be late."""
        self.elastic.arrive()
        self.elastic.fault = lambda _: None
        self.commit_fails = lambda: False

    def lose_checkpoint(self) -> None:
        """Remove the checkpoint's folder."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)
