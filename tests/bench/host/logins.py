# SPDX-License-Identifier: Apache-2.0
"""Records sent to Kafka and read from it, by librdkafka, which costs least."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import orjson
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka import Producer as Client
from job import Job
from login_common.times import iso
from login_producer.sources.synthetic import live_events

_USERS = 2000
_TUNED = {"linger.ms": 20, "batch.size": 1 << 18, "compression.type": "lz4", "enable.idempotence": True}


class Producer:
    """Sends as fast as the broker takes it. Raises RuntimeError for a record that Kafka did not take."""

    def __init__(self, job: Job, options: dict[str, Any]) -> None:
        self._client = Client(job.librdkafka() | options)

    def send(self, topic: str, value: bytes, key: bytes | None = None) -> None:
        """Send one record, soon."""
        while True:
            try:
                self._client.produce(topic, value, key, on_delivery=_check)
            except BufferError:  # its queue is full: Kafka is slower than we are
                self._client.poll(0.05)
            else:
                break
        self._client.poll(0)

    def close(self) -> None:
        """Wait until Kafka has all."""
        if left := self._client.flush(60):
            raise RuntimeError(f"Kafka did not take the last {left} records within a minute")


def producer(job: Job, **options: Any) -> Producer:
    """Return a producer with the settings of the pipeline's own, or others."""
    return Producer(job, _TUNED | options)


def _check(error: object, _: Message) -> None:
    if error:
        raise RuntimeError(f"Kafka did not take a record: {error}")


def fill(job: Job) -> None:
    """Send `records` made-up logins of the `span` of milliseconds from `moment` on, in no order, as after an outage.

    With `keys` so many browsers, each as often as another, so that there are as many counts in each window.
    """
    more, chance = job.more, random.Random(1)
    times = lambda: int(more["moment"] + chance.random() * more["span"])  # noqa: E731
    sender = producer(job)
    for number, event in enumerate(islice(live_events(1, _USERS, times), more["records"])):
        value = event.value
        if keys := more.get("keys"):
            value = orjson.dumps(
                orjson.loads(value) | {"browser": f"Browser {number % keys}", "country": "US", "outcome": "success"}
            )
        sender.send(job.kafka.topic, value, event.key)
    sender.close()


def chunks(job: Job, most: int) -> Iterator[tuple[Consumer, list[Message]]]:
    """Yield the job's records, at most so many at once, with the consumer, whose offsets may be committed."""
    consumer = Consumer(
        job.librdkafka()
        | {
            "group.id": f"{job.kafka.group_prefix}-bench-{uuid.uuid4().hex[:8]}",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    consumer.assign([TopicPartition(job.kafka.topic, partition, start) for partition, start in job.start.items()])
    left = job.records
    try:
        while left:
            messages = consumer.consume(min(most, left), 1.0)
            for message in messages:
                if message.error():
                    raise RuntimeError(str(message.error()))
            left -= len(messages)
            if messages:
                yield consumer, messages
    finally:
        consumer.close()


def consumed(job: Job) -> Iterator[Message]:
    """Yield the job's records."""
    for _, messages in chunks(job, 5000):
        yield from messages


def paced(rate: int, seconds: float, each: Callable[[int, float], None]) -> None:
    """Call `each` with a number and the time, `rate` times a second; what is late is made up for."""
    began, number = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        due = int(passed * rate)
        while number < due:
            each(number, time.time())
            number += 1
        time.sleep(0.002)


def login(number: int, moment: float, browser: str, run: str) -> bytes:
    """Return a made-up login of that moment, in seconds since 1970."""
    user = number * 7919 % _USERS
    return orjson.dumps(
        {
            "event_id": f"{run}-{number}",
            "timestamp": iso(int(moment * 1000)),
            "user_id": f"user-{user:05d}",
            "browser": browser,
            "country": ("US", "GB", "DE", "FR", "IN", "KR")[user % 6],
            "source_ip": f"198.51.100.{user % 254 + 1}",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "outcome": "failure" if number % 17 == 0 else "success",
        }
    )
