# SPDX-License-Identifier: Apache-2.0
"""What both users of kafka-python's producer need."""

from typing import TYPE_CHECKING, Any

from kafka.errors import KafkaTimeoutError

if TYPE_CHECKING:
    from kafka import KafkaProducer

_CONNECTING_MS = 50.0


def close_now(producer: "KafkaProducer") -> None:
    """Close a producer whose unsent records are nobody's any more: they must not go out behind our back."""
    try:
        producer.close(timeout=1)
    except KafkaTimeoutError:
        # Its close() stops at the first batch it cannot flush, and would try and raise again when it
        # is collected; there is no public way to drop the batches.
        producer._sender.force_close()
        producer._closed = True


def rest_between_tries(producer: "KafkaProducer") -> None:
    """Let a producer wait until it may connect again, where it would use a whole processor as long as Kafka is away.

    Seen with kafka-python 3.0.12: its sender takes the seconds of that wait for milliseconds, does not wait at all
    while a connection is being made, and wakes itself when it asks for the leaders of partitions, as it does in each
    round without one. What happens on a connection, and new records, still wake it at once.
    """
    client, metadata = producer._sender._client, producer._sender._metadata
    seconds_to_wait, ask = client.connection_delay, metadata.request_update

    def ask_once() -> Any:
        asked = metadata._future
        return asked if metadata.need_update and asked is not None and not asked.is_done else ask()

    client.connection_delay = lambda node: max(_CONNECTING_MS, 1000 * seconds_to_wait(node))
    metadata.request_update = ask_once
