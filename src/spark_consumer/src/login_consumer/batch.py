# SPDX-License-Identifier: Apache-2.0
"""The driver's part of a micro-batch: run the workers, merge the windows, write the progress document."""

import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from login_common.elastic import Unavailable
from login_common.settings import SettingsError

from login_consumer import checkpoint
from login_consumer.counts import Counts, OffsetRange
from login_consumer.documents import DEAD_LETTERS, EVENTS, METRICS, Topic, index_name, metric_update
from login_consumer.hops import HopFailed
from login_consumer.metrics import Tally
from login_consumer.outage import Outage
from login_consumer.plan import Plan, told_replaced
from login_consumer.progress import Batch, Offsets, Ranges, Times, last_progress, progress_lines
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.tries import Orderly, Part, Tries, size
from login_consumer.unreadable import give_up
from login_consumer.windows import refresh
from login_consumer.worker import RESULT_SCHEMA, Worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.listener import StreamingQueryProgress

log = logging.getLogger(__name__)

_LAST_DELAY_S = 30.0


class Stopped(Orderly):
    """The consumer is to stop; the batch is replayed at the next start."""


class Moved(Orderly):
    """Kafka does not hold what the batch was planned of: the consumer has to decide anew how to go on."""


class Replaced(Orderly):
    """Kafka holds other records than those that are stored: an operator has to decide. The text says what and how."""


class BatchWriter:
    """The function for `foreachBatch`. A batch that fails for Elasticsearch is repeated until it is in.

    Repeating is harmless: events meet themselves by id and offset, and a metric document remembers the
    last batch of the lineage that it took in.
    """

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        lineage: str,
        plan: Plan,
        stopping: threading.Event,
        tally: Tally,
        written: Offsets | None = None,
    ) -> None:
        """Make it; records before the offsets `written` may have been written by a batch that was not recorded."""
        self._settings = settings
        self._tally = tally
        self._topic = topic
        self._lineage = lineage
        self._stopping = stopping
        self._shape = checkpoint.shape_of(settings)
        self._offsets, self._marks, self._recorded = plan.start, plan.marks, plan.recorded
        self._sequence = plan.sequence
        self._sink = Sink(settings.elasticsearch)
        self._beside = ThreadPoolExecutor(1, "refresh")
        self.idle = threading.Event()
        """Set between batches. After `stopping` no new batch is written."""
        self.idle.set()
        self.begun = 0
        """How many batches have begun."""
        self.done = -1
        """The number of the last batch that was written."""
        self.latest: Callable[[], Offsets] = dict
        """Returns the ends of the partitions as far as they are known, for the lag."""
        self.moved_since: Callable[[Batch], str] = lambda _: ""
        """Returns why Kafka does not hold the records of a batch any more, or nothing. Raises HopFailed."""
        self.moved = self.replaced = ""
        """Why the query was ended, if it was for such a cause."""
        self._written = written or {}
        self.tries = Tries(settings.checkpoint_dir, topic.id)
        self.read: Callable[[Part], DataFrame]
        """Returns these records as the frames of batches have them."""
        self._is_first = True
        """Whether no batch was written yet: a process before this one may have died of what comes now."""

    def __call__(self, frame: "DataFrame", batch: int) -> None:
        """Write batch number `batch`, then wait until the next may begin.

        Raises Stopped if told to stop before it, or while it waits; Moved, Replaced.
        """
        next_batch = time.monotonic() + self._settings.spark.trigger_ms / 1000
        self.begun += 1
        if batch == self._recorded:
            # Not even in the hope that it changes nothing: records may read otherwise by now.
            log.info("batch %d is recorded already, so it is not repeated", batch)
            self.done = batch
            return
        self.idle.clear()
        try:
            self._until_written(frame, batch)
        except Moved as moved:
            self.moved = str(moved)
            raise
        except Replaced as replaced:
            self.replaced = str(replaced)
            raise
        finally:
            self.idle.set()
        if (rest := next_batch - time.monotonic()) > 0:
            self._stopping.wait(rest)

    def waiting(self, ends: Offsets) -> int:
        """Return how many records there are up to `ends` that no batch has read."""
        return sum(max(0, end - self._offsets.get(partition, 0)) for partition, end in ends.items())

    def _until_written(self, frame: "DataFrame", batch: int) -> None:
        outage = Outage("Elasticsearch", _LAST_DELAY_S, self._settings.waiting_file)
        delay = 0.0
        while not self._stopping.wait(delay):
            try:
                this = self._describe(batch)
                if delay:  # much may have happened meanwhile; a query that just begins was looked after by its start
                    self._check(this)
                    self._refuse_recorded(this)
                    refresh(self._sink, EVENTS, DEAD_LETTERS)
                    self._written |= {p: max(each.next, self._written.get(p, 0)) for p, each in this.ranges.items()}
                self._write(frame, this)
            except (Unavailable, HopFailed, SettingsError) as error:
                delay = outage.next_delay(str(error))
            else:
                outage.over()
                self.done = batch
                return
        raise Stopped(f"batch {batch} is left to the next start")

    def _check(self, this: Batch) -> None:
        if moved := self.moved_since(this):
            raise Moved(moved)

    def _refuse_recorded(self, this: Batch) -> None:
        """Raise Moved if the batch is recorded, and only the answer was lost: records may read otherwise by now."""
        newest = self._sink.ask(lambda client: last_progress(client, this.topic.name))
        if newest and newest.id == f"{this.lineage}-{this.number}":
            raise Moved(f"batch {this.number} is recorded, though Elasticsearch's answer to that was lost")

    def _write(self, frame: "DataFrame", this: Batch) -> None:
        started, batch = time.monotonic(), this.number
        counts = self._read(frame, this)
        gaps = this.skipped(counts)
        if any(ranges[0].first == this.ranges[partition].first for partition, ranges in gaps.items()):
            # Retention, or a mark of a transaction. If the batch was read before, more of it is stored than was read.
            self._check(this)
        written = time.monotonic()
        # the events are made visible while their windows are merged
        visible = self._beside.submit(self._refresh, set(counts.by_index(self._settings.events.period)))
        window_ms = self._settings.metrics.window_seconds * 1000
        self._sink.put(
            [metric_update(key, count, window_ms, self._lineage, batch) for key, count in counts.windows.items()],
            "a metric document",
        )
        merged = time.monotonic()
        visible.result()
        self._refresh({index_name(METRICS, key.start) for key in counts.windows})
        refreshed = time.monotonic()
        times = Times(_ms(written - started), _ms(merged - written), _ms(refreshed - merged), _ms(time.time()))
        if gaps:
            told = [
                f"{each.first} to {each.next - 1} of partition {p}" for p, ranges in gaps.items() for each in ranges
            ]
            log.warning("batch %d: Kafka did not hold the offsets %s any more", batch, ", ".join(told))
        self._sink.put([progress_lines(this, counts, times)], "a progress document")
        self.tries.over()
        self._is_first = False
        self._offsets, self._sequence = {p: each.next for p, each in this.ranges.items()}, self._sequence + 1
        self._marks, self._written = this.marks | counts.marks, self._still_ahead(this)
        self._tally.add(this, counts, times)

    def _describe(self, batch: int) -> Batch:
        planned = checkpoint.planned_offsets(self._settings.checkpoint_dir, batch, self._topic.name)
        # a partition that was added begins at 0, one that Spark leaves out did not move
        ends = self._offsets | planned
        ranges: Ranges = {p: OffsetRange(self._offsets.get(p, 0), end) for p, end in ends.items()}
        if any(each.next < each.first for each in ranges.values()):
            raise Moved(f"Spark was told that the topic ends before batch {batch}")
        moment = checkpoint.planned_at(self._settings.checkpoint_dir, batch)
        known = self.latest()
        lag = sum(max(0, end - ends.get(partition, 0)) for partition, end in known.items()) if known else None
        return Batch(
            self._lineage, batch, self._sequence, self._topic, ranges, self._shape, lag, "", self._marks, moment
        )

    def _read(self, frame: "DataFrame", this: Batch) -> Counts:
        """Return what became of the batch's records, which are read in parts if a process has died of them before."""
        parts = self.tries.parts(this.ranges) if self._is_first else []
        if not parts:
            return self._run_workers(frame, this.size)
        if len(parts) == 1 and not self.tries.hopeless(parts[0]):
            with self.tries.trying(parts[0]):
                return self._run_workers(frame, this.size)
        log.warning(
            "batch %d or a part of it has ended the process before: it is read in %d parts", this.number, len(parts)
        )
        counts = Counts()
        for part in parts:
            if self._stopping.is_set():
                raise Stopped(f"batch {this.number} is left to the next start")
            if self.tries.hopeless(part):
                counts.add(self._give_up(part, this))
            else:
                with self.tries.trying(part):
                    counts.add(self._run_workers(self.read(part), size(part)))
        counts.check()
        return counts

    def _give_up(self, part: Part, this: Batch) -> Counts:
        (place,) = part
        log.error(
            "offset %d of partition %d is given up: the process died each time it read this record alone. It becomes "
            "a dead letter without its bytes",
            place.first,
            place.partition,
        )
        now = _ms(time.time())
        moment = now if this.planned is None else this.planned
        return give_up(self._sink, self._topic, place, moment, now, self._settings.metrics.window_seconds * 1000)

    def _run_workers(self, frame: "DataFrame", records: int) -> Counts:
        if records < self._settings.spark.small_batch:
            frame = frame.coalesce(1)
        counts = Counts()
        # the API key is read for each batch: a new one in its file counts at once
        worker = Worker(self._settings.for_workers(), self._topic, self._written)
        for row in frame.mapInArrow(worker, RESULT_SCHEMA).collect():
            counts.add(Counts.from_bytes(bytes(row.counts)))
        if counts.other:
            raise Replaced(told_replaced(counts.other, self._topic.name))
        if counts.unavailable:
            raise Unavailable(counts.unavailable)
        counts.check()
        return counts

    def _still_ahead(self, this: Batch) -> Offsets:
        return {p: end for p, end in self._written.items() if p not in this.ranges or end > this.ranges[p].next}

    def _refresh(self, indices: set[str]) -> None:
        if self._settings.refresh == "batch" and indices:
            self._sink.ask(lambda client: client.indices.refresh(index=sorted(indices)))


def source_ends(progress: "StreamingQueryProgress | None", topic: str) -> Offsets:
    """Return the ends of the partitions of `topic` as Spark last saw them; none before its first batch."""
    latest = progress.sources[0].latestOffset if progress else None
    # JSON text; the text "null" before the source has looked
    ends = json.loads(latest or "null") or {}
    return {int(partition): end for partition, end in ends.get(topic, {}).items()}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
