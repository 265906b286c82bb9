# SPDX-License-Identifier: Apache-2.0
"""The Python client's bulk helpers, called by Spark's workers. Counts are made in the same pass, which costs least."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
from documents import Key, add_counts, as_document, key_of
from elasticsearch import helpers
from job import THREADS, Job
from login_common.times import iso
from spark import Batches, begin, source, spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# The helpers' own 500 is slower
_CHUNK = 2500
_COUNTS = "start LONG, country STRING, browser STRING, outcome STRING, count LONG"


def streaming(job: Job) -> None:
    """Write by helpers.streaming_bulk."""
    _write_all(job, parallel=False)


def parallel(job: Job) -> None:
    """Write by helpers.parallel_bulk."""
    _write_all(job, parallel=True)


def _write_all(job: Job, parallel: bool) -> None:
    def each_batch(frame: DataFrame, _: int) -> None:
        values = frame.select("value", "partition", "offset")
        found: Counter[Key] = Counter()
        for row in values.mapInArrow(partial(_write, job, parallel), _COUNTS).collect():
            found[Key(row.start, row.country, row.browser, row.outcome)] += row["count"]
        add_counts(job.client(), job.windows, found)
        job.refresh()

    begin(source(job, spark()), each_batch).awaitTermination()


def _write(job: Job, parallel: bool, batches: Batches) -> Iterator[pa.RecordBatch]:
    counts: Counter[Key] = Counter()
    actions = _actions(job, batches, counts)
    if parallel:
        done: Iterable[Any] = helpers.parallel_bulk(
            job.client(), actions, thread_count=THREADS, queue_size=THREADS, chunk_size=_CHUNK
        )
    else:
        done = helpers.streaming_bulk(job.client(), actions, chunk_size=_CHUNK)
    for _ in done:  # raises on the first that fails
        pass
    names = [*Key._fields, "count"]
    rows = [dict(zip(names, (*key, count), strict=True)) for key, count in counts.items()]
    types = [pa.int64(), pa.string(), pa.string(), pa.string(), pa.int64()]
    yield pa.RecordBatch.from_pylist(rows, pa.schema(list(zip(names, types, strict=True))))


def _actions(job: Job, batches: Batches, counts: Counter[Key]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        ingested = iso(time.time_ns() // 1_000_000)
        columns = [batch.column(name).to_pylist() for name in ("value", "partition", "offset")]
        for raw, partition, offset in zip(*columns, strict=True):
            told = orjson.loads(raw)
            counts[key_of(told)] += 1
            document = as_document(told, job, partition, offset, ingested)
            yield {"_op_type": "index", "_index": job.events, "_id": told["event_id"], "_source": document}
