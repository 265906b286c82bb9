# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told of the consumer: the accounts of its batches, summed since the process began."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from login_common.exposition import Family, Kind, Sample, exposition
from login_common.files import replace_file
from login_formats.reasons import Reason

from login_consumer.counts import Counts, percentile
from login_consumer.progress import Batch, Offsets, Times

log = logging.getLogger(__name__)

_QUANTILES = (0.5, 0.95, 0.99)


class Tally:
    """Counts batches whose progress document is written, and shows the sums in a file.

    Counting begins at 0 with each process, as Prometheus expects of a counter; what is true for ever is told by the
    progress documents. A file that cannot be written is told once and stops no batch.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._failed = file, False
        self._topic, self._offsets = "", Offsets()
        self._sums = Counts()
        self._skipped = self._batches = 0
        self._stage_ms = dict.fromkeys(("write", "merge", "refresh"), 0)
        self._done = 0.0
        self._latency_ms: dict[float, int] = {}

    def begin(self, topic: str, offsets: Offsets) -> None:
        """Tell where the next batch begins, before the first one, or after an outage of Kafka."""
        self._topic, self._offsets, self._done = topic, dict(offsets), time.time()
        self._write()

    def add(self, batch: Batch, counts: Counts, times: Times) -> None:
        """Count a batch."""
        self._sums.read += counts.read
        self._sums.indexed += counts.indexed
        self._sums.duplicates += counts.duplicates
        self._sums.ignored += counts.ignored
        self._sums.unrecognised += counts.unrecognised
        self._sums.dead.update(counts.dead)
        self._skipped += sum(gap.next - gap.first for gaps in batch.skipped(counts).values() for gap in gaps)
        self._batches += 1
        for stage in self._stage_ms:
            self._stage_ms[stage] += getattr(times, stage)
        self._done = times.done / 1000
        self._offsets = {partition: each.next for partition, each in batch.ranges.items()}
        if counts.arrivals:
            # the older an arrival, the longer its record took
            self._latency_ms = {q: times.done - percentile(counts.arrivals, 1 - q) for q in _QUANTILES}
        self._write()

    def _write(self) -> None:
        try:
            replace_file(self._file, exposition(self._families()))
        except OSError as error:
            if not self._failed:
                log.error("the metrics cannot be written: %s; check owner and free space", error)
            self._failed = True
        else:
            self._failed = False

    def _families(self) -> Iterator[Family]:
        def family(name: str, kind: Kind, meaning: str, *samples: Sample) -> Family:
            return Family(f"login_consumer_{name}", kind, meaning, samples)

        def total(name: str, meaning: str, value: float) -> Family:
            return family(f"{name}_total", "counter", meaning, Sample(value))

        yield total("records_read", "Records read from Kafka.", self._sums.read)
        yield total("events_indexed", "Records that became an event of their own.", self._sums.indexed)
        yield total("records_duplicate", "Records whose event was there already.", self._sums.duplicates)
        yield total("records_ignored", "Records that are known to tell of no login.", self._sums.ignored)
        yield total("records_unrecognised", "Records that no format recognises, kept or not.", self._sums.unrecognised)
        dead = {str(reason): 0 for reason in Reason if reason is not Reason.UNRECOGNISED} | {
            str(key): value for key, value in self._sums.dead.items()
        }
        letters = [Sample(number, {"reason": reason}) for reason, number in dead.items()]
        yield family("records_dead_total", "counter", "Records that were refused: dead letters.", *letters)
        yield total("records_skipped", "Offsets that Kafka did not hold any more when they were due.", self._skipped)
        yield total("batches", "Batches that were written.", self._batches)
        stages = [Sample(spent / 1000, {"stage": stage}) for stage, spent in self._stage_ms.items()]
        yield family("batch_seconds_total", "counter", "Time spent on batches.", *stages)
        done = Sample(round(self._done, 3))
        yield family(
            "last_batch_timestamp_seconds", "gauge", "When a batch was written last, or the query began.", done
        )
        latency = [Sample(ms / 1000, {"quantile": str(quantile)}) for quantile, ms in self._latency_ms.items()]
        yield family(
            "last_batch_latency_seconds", "gauge", "From arrival in Kafka to searchable, last batch.", *latency
        )
        offsets = sorted(self._offsets.items())
        nexts = [Sample(offset, {"topic": self._topic, "partition": str(number)}) for number, offset in offsets]
        yield family("next_offset", "gauge", "Where the next batch begins; Kafka's end less this waits.", *nexts)
