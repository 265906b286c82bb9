"""A host with the real consumer, its checkpoint as Spark writes it, and a Kafka; no threads, so all can be repeated.

What stands for Spark does as its MicroBatchExecution and its Kafka source: it writes the end offsets of a batch, hands
the batch to the consumer, then notes it as done; the initial offsets, once written, win over the option.
"""

import json
import random
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Self
from unittest.mock import patch

import pyarrow as pa
from login_common.times import iso
from login_consumer import afresh, audit, batch, dead_replay, outage, rebuild, run, sink, worker
from login_consumer.batch import Stopped
from login_consumer.checkpoint import CheckpointError
from login_consumer.counts import Mark
from login_consumer.documents import Topic
from login_consumer.erasure import Found, erase
from login_consumer.hops import HopFailed
from login_consumer.plan import TopicState
from login_consumer.settings import Settings

from exactness.elastic import Crash, Elastic, Fault

NOW = 1_772_359_200_000
"""2026-03-01T10:00:00Z, in milliseconds: when each world begins."""
DAY = 86_400_000
_MEMORY = Path("/dev/shm")  # noqa: S108  (files that are synced at each step)
_TASK_RECORDS = 3
_LOST = "org.apache.spark.sql.kafka010: Some data may have been lost because they are not available in Kafka any more"
_CUT = pa.struct([("size", pa.int64()), ("header_bytes", pa.int64()), ("sha256", pa.string())])
_HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
_SCHEMA = pa.schema(
    [
        ("value", pa.binary()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("timestamp", pa.int64()),
        ("timestampType", pa.int32()),
        ("headers", _HEADERS),
        ("cut", _CUT),
    ]
)


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

    def time(self) -> float:
        return self.now

    monotonic = time

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
        self.options: dict[str, Any] = options
        self.poison: set[tuple[str, int, int]] = set()
        """Places whose records kill the consumer when it reads them."""
        self.deaths: Counter[tuple[str, int, int]] = Counter()
        """How often the consumer was killed while it read what is at a place, whatever killed it."""
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
            stopping = Stopping(self.waits, self.while_waiting)
            _Simulated(self, stopping, batches, most, rng).run()
        except Crash:
            return "killed"
        except Stopped:
            return "stopped"
        except (CheckpointError, run.QueryFailed) as refused:
            return f"refused: {refused}"
        return "idle" if stopping.waits >= 0 else "stopped"

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
        """Let nothing fail from now on."""
        self.elastic.fault = lambda _: None
        self.commit_fails = lambda: False

    def lose_checkpoint(self) -> None:
        """Remove the checkpoint's folder."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)


class _Simulated(run._Consumer):
    """The consumer itself, with a Spark that is simulated."""

    def __init__(self, world: World, stopping: Stopping, batches: int, most: int, rng: random.Random | None) -> None:
        super().__init__(world.settings, stopping)
        self._world, self._batches, self._most, self._rng = world, batches, most, rng

    def _session(self) -> Any:
        return None

    def _start(self, spark: Any, writer: Any, start: str) -> Any:
        failure = None
        writer.read = self._part
        try:
            self._execute(writer, json.loads(start)[self._world.log.topic.name])
            self._stopping.set()
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        return SimpleNamespace(isActive=False, exception=lambda: failure, lastProgress=None, stop=lambda: None)

    def _part(self, part: Any) -> "_Frame":
        begins, ends = ({each[0]: each[at] for each in part} for at in (1, 2))
        return _Frame(self._world, begins, ends, self._rng)

    def _execute(self, writer: Any, start: dict[str, int]) -> None:
        world, home = self._world, self._world.checkpoint
        for name in ("offsets", "commits", "sources/0"):
            (home / name).mkdir(parents=True, exist_ok=True)
        (home / "metadata").write_text('{"id":"x"}')
        initial = home / "sources/0/0"
        if not initial.exists():
            initial.write_text("\0v1\n" + json.dumps({world.log.topic.name: start}))
        while self._batches > 0:
            number = max((int(file.name) for file in (home / "offsets").iterdir()), default=-1)
            if number < 0 or (home / f"commits/{number}").exists():
                begins = self._offsets(home / f"offsets/{number}" if number >= 0 else initial)
                number += 1
                if not self._write_plan(home / f"offsets/{number}", begins):
                    return
            begins = self._offsets(home / f"offsets/{number - 1}" if number else initial)
            ends = self._offsets(home / f"offsets/{number}")
            writer(_Frame(world, begins, ends, self._rng), number)
            world.clock.sleep(0.2)
            if world.commit_fails():
                raise Crash
            (home / f"commits/{number}").write_text("v1\n{}")
            self._batches -= 1

    def _write_plan(self, file: Path, begins: dict[int, int]) -> bool:
        """Write where the next batch ends; return whether there is something to read."""
        world = self._world
        known = {p: len(records) for p, records in enumerate(world.log.partitions)}
        ends = {p: max(begins.get(p, 0), min(end, begins.get(p, 0) + self._most)) for p, end in known.items()}
        if ends == {p: begins.get(p, 0) for p in known}:
            return False
        about = json.dumps({"batchWatermarkMs": 0, "batchTimestampMs": round(world.clock.time() * 1000)})
        file.write_text(f"v1\n{about}\n{json.dumps({world.log.topic.name: ends})}")
        return True

    def _offsets(self, file: Path) -> dict[int, int]:
        told = json.loads(file.read_text().split("\n")[-1])[self._world.log.topic.name]
        return {int(partition): offset for partition, offset in told.items()}


class _Frame:
    """The records of a batch, in tasks of a few; some tasks are carried out twice, the second time at any moment."""

    def __init__(self, world: World, begins: dict[int, int], ends: dict[int, int], rng: random.Random | None) -> None:
        self._world, self._begins, self._ends, self._rng = world, begins, ends, rng
        self._work: Any = None

    def coalesce(self, _: int) -> Self:
        return self

    def mapInArrow(self, work: Any, _: str) -> Self:
        self._work = work
        return self

    def collect(self) -> list[Any]:
        self._world.evaluations += 1
        tasks = [
            (p, first, min(first + _TASK_RECORDS, end))
            for p, end in self._ends.items()
            for first in range(self._begins.get(p, 0), end, _TASK_RECORDS)
        ]
        again: list[tuple[int, int, int]] = []
        if self._rng:
            self._rng.shuffle(tasks)
            again = [task for task in tasks if self._rng.random() < 0.15]
        try:
            rows = [list(self._work(iter(list(self._records(*task))))) for task in [*again, *tasks, *again]]
        except Crash:
            id_ = self._world.log.topic.id
            self._world.deaths.update((id_, p, o) for p, first, end in tasks for o in range(first, end))
            raise
        answers = rows[len(again) : len(again) + len(tasks)]
        return [SimpleNamespace(counts=row.column("counts")[0].as_py()) for answer in answers for row in answer]

    def _records(self, partition: int, first: int, end: int) -> Iterator[pa.RecordBatch]:
        log = self._world.log
        held = log.partitions[partition] if partition < len(log.partitions) else []
        if first < log.first[partition] and not self._world.settings.kafka.allow_data_loss:
            raise HopFailed(_LOST)
        if any((log.topic.id, partition, offset) in self._world.poison for offset in range(first, end)):
            raise Crash
        places = [o for o in range(max(first, log.first[partition]), min(end, len(held))) if not held[o].is_mark]
        if places:
            rows = [(held[o].value, partition, o, held[o].at, 1, None, None) for o in places]
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), _SCHEMA, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)
