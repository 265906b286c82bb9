# SPDX-License-Identifier: Apache-2.0
"""The limit: the consumer's own documents, made beforehand, so that only to carry and to store them is left.

Events alone, nothing parsed, nothing counted.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from documents import send_body
from job import THREADS, Job
from login_consumer.documents import Origin, Topic, event_document
from login_formats import PLAIN, Limits, read
from login_formats.wrapper import Arrival
from logins import consumed, producer
from spark import begin, run, send_lines, source, spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_bodies: list[bytes] = []


def prepare(job: Job) -> None:
    """Make the documents of the job's records: as bulk requests in memory, and as records of the topic `documents`."""
    topic, now, limits = Topic(job.kafka.topic, job.topic_id), time.time_ns() // 1_000_000, Limits.of()
    lines: list[bytes] = []
    for message in consumed(job):
        event = read(message.value(), Arrival(now, PLAIN), limits, "native")
        origin = Origin(topic, message.partition(), message.offset(), message.timestamp()[1])
        lines.append(event_document(event, origin, "month", True, now)._replace(target=job.events).action())
    # what one worker of the consumer sends at once: the records of an Arrow batch
    _bodies[:] = [b"".join(lines[first : first + 5000]) for first in range(0, len(lines), 5000)]
    sender = producer(job)
    for line in lines:
        sender.send(job.more["documents"], line)
    sender.close()


def elasticsearch(job: Job) -> None:
    """Send the prepared requests: Elasticsearch alone."""
    with ThreadPoolExecutor(2 * THREADS) as pool:  # as many as the consumer's two workers
        for _ in pool.map(partial(send_body, job.client()), _bodies):
            pass
    job.refresh()


def pass_through(job: Job) -> None:
    """Let Spark bring the prepared documents from Kafka to Elasticsearch as they are."""

    def each_batch(frame: DataFrame, _: int) -> None:
        run(frame.selectExpr("value AS line").mapInArrow(partial(send_lines, job), "done LONG"))
        job.refresh()

    begin(source(job, spark()), each_batch).awaitTermination()
