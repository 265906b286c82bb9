# SPDX-License-Identifier: Apache-2.0
"""The consumer's own way without its guarantees: nothing checked or counted, no ids. What exactness costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import orjson
import pyarrow as pa
from documents import as_document, send_body
from job import Job
from login_common.times import iso
from login_consumer.sink import in_bulks
from spark import Batches, begin, in_threads, run, source, spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def backlog(job: Job) -> None:
    """Take all records of the job."""

    def each_batch(frame: DataFrame, _: int) -> None:
        run(frame.select("value", "partition", "offset").mapInArrow(partial(_write, job), "done LONG"))
        job.refresh()

    begin(source(job, spark()), each_batch).awaitTermination()


def _write(job: Job, batches: Batches) -> Iterator[pa.RecordBatch]:
    action = orjson.dumps({"index": {"_index": job.events}}) + b"\n"

    def write(batch: pa.RecordBatch) -> None:
        ingested, lines = iso(time.time_ns() // 1_000_000), []
        columns = [batch.column(name).to_pylist() for name in ("value", "partition", "offset")]
        for raw, partition, offset in zip(*columns, strict=True):
            document = as_document(orjson.loads(raw), job, partition, offset, ingested)
            lines.append(action + orjson.dumps(document) + b"\n")
        for part in in_bulks(lines, job.elasticsearch.bulk_bytes):
            send_body(job.client(), b"".join(lines[part]))

    for _ in in_threads(write, batches):
        pass
    yield pa.RecordBatch.from_pydict({"done": pa.array([], pa.int64())})
