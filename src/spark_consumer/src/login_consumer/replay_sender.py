# SPDX-License-Identifier: Apache-2.0
"""Kafka as `dead replay` uses it: values go out, and for each it is told whether it arrived."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaProducer
from kafka.errors import AuthorizationError, KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from login_common.kafka_producer import close_now
from login_common.network import host_and_port

from login_consumer.dead_replay import Outcome, Record, ReplayStopped
from login_consumer.hops import first_fault, network_hops
from login_consumer.settings import Kafka

_DELIVERY_S = 60
_GRACE_S = 5
_LARGEST = 128 << 20  # what the topic takes is the broker's to say, after compression
_CLIENT = {
    "client_id": "login-consumer-replay",
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "gzip",
    "delivery_timeout_ms": _DELIVERY_S * 1000,
    "max_request_size": _LARGEST,
    "bootstrap_timeout_ms": 10_000,
    "max_block_ms": 10_000,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
}


class ReplaySender:
    """A producer for one topic, made anew after a failure: a failed one may never work again."""

    def __init__(self, kafka: Kafka, make: Callable[..., Any] = KafkaProducer) -> None:
        """Connect to Kafka. Raises ReplayStopped or SettingsError."""
        self._kafka, self._make = kafka, make
        self._producer: Any = None
        self._partitions: set[int] = set()
        self._open()

    def send(self, records: Sequence[Record]) -> list[Outcome]:
        """Send records; return an outcome for each once all are settled.

        Raises ReplayStopped if nothing could be sent.
        """
        if self._producer is None:
            self._open()
        futures = [self._submit(record) for record in records]
        try:
            self._producer.flush(timeout=_DELIVERY_S + _GRACE_S)
        except KafkaTimeoutError:
            logging.getLogger(__name__).debug("not all is settled")  # the futures tell which
        outcomes = [self._outcome(future, alone=len(records) == 1) for future in futures]
        if any(outcome.fault for outcome in outcomes):
            self.close()
        return outcomes

    def close(self) -> None:
        """End the connection; `send` makes a new one."""
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        close_now(producer)

    def _open(self) -> None:
        kafka = self._kafka
        options = kafka.client_config()
        try:
            producer = self._make(**options, **_CLIENT)
        except KafkaError as error:
            # kafka-python reports a refused password, too, only as a time-out
            raise ReplayStopped(
                self._network_fault()
                or f"Kafka did not accept the login of user {kafka.username} ({type(error).__name__}); "
                "check replay.username and replay.password_file"
            ) from None
        self._producer = producer
        try:
            self._partitions = set(producer.partitions_for(kafka.topic))
        except KafkaError as error:
            self.close()
            raise ReplayStopped(
                f"user {kafka.username} sees no topic {kafka.topic} ({type(error).__name__}); "
                "create it, or grant Write and Describe"
            ) from None

    def _network_fault(self) -> str:
        addresses = [host_and_port(server) for server in self._kafka.bootstrap_servers]
        return first_fault(network_hops("Kafka", addresses, self._kafka.ca_file, "kafka.bootstrap_servers"))

    def _submit(self, record: Record) -> Any:
        try:
            return self._producer.send(
                self._kafka.topic,
                record.value,
                # the client takes no record without both; the letter does not hold the key, and nobody reads it
                key=b"" if record.value is None else None,
                headers=list(record.headers),
                # where it was, beside its sender's other records, unless the topic was made anew with fewer
                partition=record.partition if record.partition in self._partitions else None,
            )
        except KafkaError as error:
            return error

    def _outcome(self, future: Any, alone: bool) -> Outcome:
        if isinstance(future, KafkaError):  # not even tried
            return Outcome(fault=_cause(future))
        if not future.is_done:
            return Outcome(fault=f"no acknowledgement within {_DELIVERY_S} s", unclear=True)
        error = future.exception
        if error is None:
            return Outcome(future.value.partition, future.value.offset)
        # one value that is too large makes the client give up others, which may have arrived
        certain = isinstance(error, AuthorizationError) or (alone and isinstance(error, MessageSizeTooLargeError))
        return Outcome(fault=_cause(error), unclear=not certain)


def _cause(error: BaseException) -> str:
    if isinstance(error, MessageSizeTooLargeError):
        return "larger than the topic takes; raise its max.message.bytes"
    if isinstance(error, AuthorizationError):
        return "the user of [replay] may not write to the topic; grant Write and Describe"
    return f"Kafka did not take it ({type(error).__name__})"
