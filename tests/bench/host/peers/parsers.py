# SPDX-License-Identifier: Apache-2.0
"""Parsers side by side: values are read from Kafka, parsed and dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import jvm
import orjson
import pyarrow as pa
from job import Job
from login_formats import Limits
from login_formats.native import parse
from spark import Batches, begin, run, source, spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def read(job: Job) -> None:
    """Parse nothing."""
    _each(job, lambda frame: frame.select("value"))


def from_json(job: Job) -> None:
    """Parse by Spark's own from_json, in the JVM."""
    _each(job, jvm.parsed)


def loads(job: Job) -> None:
    """Parse by orjson in Python workers: nothing is checked."""
    _each(job, partial(_in_python, orjson.loads))


def strict(job: Job) -> None:
    """Parse by the consumer's own parser in Python workers."""
    now, limits = time.time_ns() // 1_000_000, Limits.of()
    _each(job, partial(_in_python, partial(_strict, now, limits)))


def _each(job: Job, work: Callable[[DataFrame], DataFrame]) -> None:
    begin(source(job, spark()), lambda frame, _: run(work(frame))).awaitTermination()


def _strict(now: int, limits: Limits, raw: bytes) -> Any:
    return parse(raw, now, limits)


def _in_python(parser: Callable[[bytes], Any], frame: DataFrame) -> DataFrame:
    return frame.select("value").mapInArrow(partial(_parsed, parser), "done LONG")


def _parsed(parser: Callable[[bytes], Any], batches: Batches) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for raw in batch.column("value").to_pylist():
            parser(raw)
    yield pa.RecordBatch.from_pydict({"done": pa.array([], pa.int64())})
