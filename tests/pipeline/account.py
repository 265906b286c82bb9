# SPDX-License-Identifier: Apache-2.0
"""The account of the topic: what Kafka holds against what Elasticsearch holds."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from waiting import wait_until

# What Elasticsearch answers, or does not, while it starts
NOT_YET = (ApiError, TransportError)


@dataclass(frozen=True)
class Account:
    """Numbers of records since the topic was made, unless another time is told."""

    kafka: int
    events: int
    duplicates: int
    ignored: int
    unrecognised: int
    """Kept as a dead letter or not; `dead` leaves them out."""
    dead: int
    skipped: int
    """Offsets that Kafka did not hold any more when they were to be read."""
    stored: int
    """All events, also of earlier topics of this name."""
    counted: int
    """The sum of all windows' counts."""

    def fault(self) -> str:
        """Return what does not balance, nothing if all does."""
        told = self.events + self.duplicates + self.ignored + self.unrecognised + self.dead + self.skipped
        return "" if self.kafka == told and self.counted == self.stored else f"does not balance: {self}"

    def since(self, old: Account) -> int:
        """Return how many records have come since then, each counted once.

        One may have been sent twice when a connection broke; the consumer has told it by its id. Among the entries of
        the journal are some that tell of no login.
        """
        names = ("events", "dead", "ignored", "unrecognised")
        return sum(getattr(self, name) - getattr(old, name) for name in names)


class Ledger:
    """Reads the accounts of one topic."""

    def __init__(self, elastic: Elasticsearch, topic: str, kafka: dict[str, Any]) -> None:
        self._elastic, self._topic, self._kafka = elastic, topic, kafka

    def ends(self) -> dict[int, int]:
        """Return the end offset of each partition."""
        consumer = KafkaConsumer(**self._kafka, group_id=None)
        try:
            places = [
                TopicPartition(self._topic, number) for number in consumer.partitions_for_topic(self._topic) or ()
            ]
            return {place.partition: end for place, end in consumer.end_offsets(places).items()}
        finally:
            consumer.close()

    def done(self, topic_id: str) -> dict[int, int]:
        """Return the offset after the last record that the consumer has dealt with, by partition."""
        self._elastic.indices.refresh(index="login-*")
        newest = [{"sequence": "desc"}]
        hits = self._elastic.search(
            index="login-pipeline-*", query={"term": {"topic_id": topic_id}}, sort=newest, size=1
        )["hits"]["hits"]
        return {each["partition"]: each["next"] for hit in hits for each in hit["_source"]["ranges"]}

    def wait_for(self, ends: dict[int, int], seconds: float = 120) -> None:
        """Wait until the consumer has dealt with everything before these offsets. Kafka must answer."""
        topic_id = self.topic_id()
        wait_until(
            lambda: all(self.done(topic_id).get(partition, 0) >= end for partition, end in ends.items()),
            f"the consumer gets to the offsets {ends}",
            seconds,
            ignoring=NOT_YET,
        )

    def wait_for_flow(self) -> None:
        """Wait until Kafka answers, and a record that it did not hold then is dealt with."""
        ends = wait_until(self.ends, "Kafka answers", 120, ignoring=(KafkaError,))
        topic_id = self.topic_id()
        wait_until(
            lambda: any(self.done(topic_id).get(partition, 0) > end for partition, end in ends.items()),
            "new records arrive",
            180,
            ignoring=NOT_YET,
        )

    def sum_of(self, index: str, field: str, **query: Any) -> int:
        """Return the sum of a field over the documents of an index pattern."""
        answer = self._elastic.search(index=index, size=0, aggs={"total": {"sum": {"field": field}}}, **query)
        return int(answer["aggregations"]["total"]["value"])

    def settled(self) -> Account:
        """Return the account once all that is in Kafka now is dealt with. Nothing may be sent meanwhile."""
        ends = self.ends()
        self.wait_for(ends)
        self._elastic.indices.refresh(index="login-*")
        assert self.ends() == ends, "someone sends to the topic; the account needs it to stand still"
        return Account(
            kafka=sum(ends.values()),
            events=self._of_this_topic("login-events-*", "login.kafka.topic_id"),
            duplicates=self._told("duplicates"),
            ignored=self._told("ignored"),
            unrecognised=self._told("unrecognised"),
            dead=self._of_this_topic("login-dead-letters-*", "topic_id") - self._told("unrecognised_kept"),
            skipped=self._told("skipped"),
            stored=int(self._elastic.count(index="login-events-*")["count"]),
            counted=self.sum_of("login-metrics-*", "count"),
        )

    def topic_id(self) -> str:
        """Return the id of the topic, by Kafka, written as Kafka's own tools write it."""
        admin = KafkaAdminClient(**self._kafka)
        try:
            told = uuid.UUID(str(admin.describe_topics([self._topic])[0]["topic_id"]))
        finally:
            admin.close()
        return base64.urlsafe_b64encode(told.bytes).decode().rstrip("=")

    def _told(self, field: str) -> int:
        return self.sum_of("login-pipeline-*", field, query={"term": {"topic_id": self.topic_id()}})

    def _of_this_topic(self, index: str, field: str) -> int:
        return int(self._elastic.count(index=index, query={"term": {field: self.topic_id()}})["count"])
