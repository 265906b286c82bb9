# SPDX-License-Identifier: Apache-2.0
"""Two stateful queries of Spark, as its guide shows them: the events, and windowed counts with a watermark."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jvm
from documents import put_counts
from job import Job
from spark import begin, run, send_lines, source, spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.streaming.query import StreamingQuery

# Longer than the hour that the records are from, in no order: a shorter one would drop some of them, and be quicker.
_BACKLOG_WATERMARK, _LIVE_WATERMARK = "2 hours", "10 seconds"
_running: list[StreamingQuery] = []


def backlog(job: Job) -> None:
    """Take all records of the job."""
    for query in _begin(job, follow=False):
        query.awaitTermination()


def follow(job: Job) -> None:
    """Start to take what comes from now on."""
    _running.extend(_begin(job, follow=True))
    for query in _running:
        query.processAllAvailable()  # it knows then where it begins


def stop(_: Job) -> None:
    """End what `follow` has started."""
    while _running:
        query = _running.pop()
        query.stop()
        if failure := query.exception():
            raise failure


def _begin(job: Job, follow: bool) -> tuple[StreamingQuery, StreamingQuery]:
    made = spark()

    def events(frame: DataFrame, _: int) -> None:
        run((frame.coalesce(1) if follow else frame).mapInArrow(partial(send_lines, job), "done LONG"))
        job.client().indices.refresh(index=job.events)

    def windows(frame: DataFrame, _: int) -> None:
        put_counts(job.client(), job.windows, jvm.collected(frame).items())
        job.client().indices.refresh(index=job.windows)

    # each reads Kafka by itself: one query cannot have two stateful outputs
    lines = jvm.bulk_lines(jvm.documents(jvm.parsed(source(job, made, follow)), job, late=not follow), job.events)
    counted = jvm.counts(jvm.parsed(source(job, made, follow)), _LIVE_WATERMARK if follow else _BACKLOG_WATERMARK)
    return begin(lines, events, follow=follow), begin(counted, windows, "update", follow)
