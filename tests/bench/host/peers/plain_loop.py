# SPDX-License-Identifier: Apache-2.0
"""A loop around a Kafka consumer, without Spark: helpers.streaming_bulk, then the counts, then the offsets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from confluent_kafka import Message
from documents import Key, add_counts, as_document, key_of
from elasticsearch import helpers
from job import Job
from login_common.times import iso
from logins import chunks

_CHUNK = 5000


def backlog(job: Job) -> None:
    """Take all records of the job."""
    for consumer, messages in chunks(job, _CHUNK):
        counts: Counter[Key] = Counter()
        for _ in helpers.streaming_bulk(job.client(), _actions(job, messages, counts), chunk_size=_CHUNK):
            pass
        add_counts(job.client(), job.windows, counts)
        consumer.commit(asynchronous=False)
    job.refresh()


def _actions(job: Job, messages: Sequence[Message], counts: Counter[Key]) -> Iterator[dict[str, Any]]:
    ingested = iso(time.time_ns() // 1_000_000)
    for message in messages:
        told = orjson.loads(message.value())
        counts[key_of(told)] += 1
        document = as_document(told, job, message.partition(), message.offset(), ingested)
        yield {"_op_type": "index", "_index": job.events, "_id": told["event_id"], "_source": document}
