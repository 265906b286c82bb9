# SPDX-License-Identifier: Apache-2.0
"""Odd records that flow while things break: repeated, late, out of order, from the future, or no events at all."""

from __future__ import annotations

import base64
import calendar
import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from kafka import KafkaProducer
from login_common.kafka_producer import rest_between_tries
from waiting import wait_until

DAY = 86_400
ROUND_SECONDS = 0.5
SEND_SECONDS = 600
"""How long an outage of Kafka may last."""

LARGEST_BYTES = 200_000_000

WindowCount = Counter[tuple[int, str]]
"""Events by start of the window (ms since 1970) and outcome."""


class Record(NamedTuple):
    """What a fault has sent."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class Stored:
    """What Elasticsearch holds of the traffic."""

    ids: Counter[str]
    windows: WindowCount
    dead: dict[bytes, str]
    """Raw bytes to reason."""


class Traffic:
    """Sends rounds of records in a thread, and knows what must become of them."""

    def __init__(self, kafka: dict[str, Any], topic: str, window_seconds: int, seed: int) -> None:
        self._kafka, self._topic, self._window_ms = kafka, topic, window_seconds * 1000
        self._random = random.Random(seed)
        self._marker = f"soak-{uuid.uuid4().hex[:10]}"
        self._thread = threading.Thread(target=self._run)
        self._ending, self._pausing, self._still = threading.Event(), threading.Event(), threading.Event()
        self._failures: list[BaseException] = []
        self._began = time.time()
        self.events: dict[str, dict[str, Any]] = {}
        """What was sent, by event id."""
        self.dead: dict[bytes, str] = {}
        self.records = 0
        self.others = 0
        """Events that a fault has had sent by a sender of its own."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End when Kafka has acknowledged all. Raises KafkaError if it has not, or ExceptionGroup."""
        self.close()
        if self._failures:
            raise BaseExceptionGroup("records of the test's own traffic were not sent", self._failures)

    def close(self) -> None:
        """End, whatever has become of what was sent."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Send nothing meanwhile. Raises AssertionError if what was sent before is not acknowledged."""
        self._still.clear()
        self._pausing.set()
        try:
            wait_until(lambda: self._still.is_set() or not self._thread.is_alive(), "the traffic pauses", SEND_SECONDS)
            assert not self._failures, f"records of the test's own traffic were not sent: {self._failures}"
            yield
        finally:
            self._pausing.clear()

    def send(self, records: Sequence[Record], partition: int | None = None) -> list[Any]:
        """Send records that are no events, packed by gzip; return where each has come to stand. Raises KafkaError."""
        options = {"compression_type": "gzip", "max_request_size": LARGEST_BYTES, "linger_ms": 0}
        with closing(KafkaProducer(**self._kafka, acks="all", **options)) as producer:
            sent = [
                # without a value the client wants a key
                producer.send(self._topic, record.value, key=b"odd", partition=partition, headers=[*record.headers])
                for record in records
            ]
            return [each.get(timeout=SEND_SECONDS) for each in sent]

    def windows(self) -> WindowCount:
        """Return what the windows must count."""
        return Counter(
            (event["timestamp"] // self._window_ms * self._window_ms, event["outcome"])
            for event in self.events.values()
        )

    def stored(self, elastic: Elasticsearch) -> Stored:
        """Return what Elasticsearch holds; everything must have been dealt with."""
        events = scan(elastic, index="login-events-*", query={"query": {"term": {"user_agent.name": self._marker}}})
        ids = Counter(hit["_source"]["event"]["id"] for hit in events)
        windows: WindowCount = Counter()
        for hit in scan(elastic, index="login-metrics-*", query={"query": {"term": {"browser": self._marker}}}):
            window = hit["_source"]
            start = round(datetime.fromisoformat(window["window_start"]).timestamp() * 1000)
            windows[start, window["outcome"]] += window["count"]
        since = {"range": {"ingested": {"gte": round(self._began * 1000), "format": "epoch_millis"}}}
        letters = [hit["_source"] for hit in scan(elastic, index="login-dead-letters-*", query={"query": since})]
        raw = ((base64.b64decode(letter.get("raw", "")), letter["reason"]) for letter in letters)
        return Stored(ids, windows, {bytes_: reason for bytes_, reason in raw if self._marker.encode() in bytes_})

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                if self._pausing.is_set():
                    self._still.set()
                    self._ending.wait(ROUND_SECONDS)
                else:
                    self._send_rounds()
        except BaseException as error:
            self._failures.append(error)

    def _send_rounds(self) -> None:
        """Send until the end, or a pause; all is acknowledged then."""
        producer = KafkaProducer(
            **self._kafka, acks="all", enable_idempotence=False, delivery_timeout_ms=SEND_SECONDS * 1000, linger_ms=50
        )
        rest_between_tries(producer)
        try:
            while not self._ending.wait(ROUND_SECONDS) and not self._pausing.is_set():
                for value in self._round():
                    producer.send(self._topic, value, key=self._marker.encode()).add_errback(self._failures.append)
                    self.records += 1
            producer.flush(timeout=SEND_SECONDS)
        finally:
            producer.close(timeout=10)

    def _round(self) -> list[bytes]:
        now, rng = time.time(), self._random
        fresh = [self._event(moment) for moment in self._moments(now)]
        repeated = rng.choices(fresh, k=2) + [self.events[key] for key in rng.choices(list(self.events), k=2)]
        values = [json.dumps(event).encode() for event in fresh + repeated]
        for reason, value in self._bad(now):
            self.dead[value] = reason
            values.append(value)
        rng.shuffle(values)
        return values

    def _moments(self, now: float) -> Iterator[float]:
        """Yield times of events, in seconds since 1970."""
        yield from (now, now - 0.001, now - self._random.uniform(0, 2 * DAY), now - 365 * DAY)
        for change in clock_changes(now):
            yield change - 0.001
            yield change
            # an hour that Berlin's clocks skip in March and show twice in October
            yield change + self._random.uniform(-3600, 3600)

    def _event(self, moment: float) -> dict[str, Any]:
        event = {
            "event_id": f"{self._marker}-{len(self.events)}",
            "user_id": f"user-{self._random.randrange(50)}",
            "timestamp": int(moment * 1000),
            "country": "DE",
            "browser": self._marker,
            "outcome": self._random.choice(("success", "failure")),
        }
        self.events[event["event_id"]] = event
        return event

    def _bad(self, now: float) -> Iterator[tuple[str, bytes]]:
        good = {"event_id": f"{self._marker}-bad-{self.records}", "user_id": "u", "outcome": "success"}
        yield "timestamp_in_future", json.dumps({**good, "timestamp": int((now + 2 * DAY) * 1000)}).encode()
        yield "timestamp_out_of_range", json.dumps({**good, "timestamp": 0}).encode()
        yield "not_json", json.dumps({**good, "timestamp": int(now * 1000)}).encode()[:-1]


def clock_changes(now: float) -> list[float]:
    """Return when the clocks of Europe were last set forward and back, in seconds since 1970."""
    changes = []
    for month in (3, 10):
        year = datetime.fromtimestamp(now, UTC).year
        while (change := _last_sunday(year, month)) > datetime.fromtimestamp(now, UTC) - timedelta(hours=2):
            year -= 1
        changes.append(change.timestamp())
    return changes


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, calendar.monthrange(year, month)[1], 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)
