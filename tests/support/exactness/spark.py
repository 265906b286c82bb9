"""What stands for Spark: it does as its MicroBatchExecution and its Kafka source do.

It writes the end offsets of a batch, hands the batch to the consumer, then notes it as done; the initial offsets, once
written, win over the option.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
from login_consumer import run
from login_consumer.hops import HopFailed

from exactness.elastic import Crash

if TYPE_CHECKING:
    from exactness.world import Stopping, World

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


class Simulated(run._Consumer):
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

    def _part(self, part: Any) -> _Frame:
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
                world.happened["killed before Spark notes a batch"] += 1
                raise Crash
            (home / f"commits/{number}").write_text("v1\n{}")
            self._batches -= 1

    def _write_plan(self, file: Path, begins: dict[int, int]) -> bool:
        """Write where the next batch ends; return whether there is something to read."""
        world = self._world
        known = {p: len(records) for p, records in enumerate(world.log.partitions)}
        ends = {p: min(end, begins.get(p, 0) + self._most) for p, end in known.items()}
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
            self._world.happened["a task is carried out twice"] += len(again)
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
            self._world.happened["a record kills the consumer"] += 1
            raise Crash
        places = [o for o in range(max(first, log.first[partition]), min(end, len(held))) if not held[o].is_mark]
        if places:
            kind = self._world.timestamp_type
            rows = [(held[o].value, partition, o, held[o].at, kind, None, None) for o in places]
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), _SCHEMA, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)
