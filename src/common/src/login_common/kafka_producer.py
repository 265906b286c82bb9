# SPDX-License-Identifier: Apache-2.0
"""What both users of kafka-python's producer need."""

from typing import TYPE_CHECKING

from kafka.errors import KafkaTimeoutError

if TYPE_CHECKING:
    from kafka import KafkaProducer


def close_now(producer: "KafkaProducer") -> None:
    """Close a producer whose unsent records are nobody's any more: they must not go out behind our back."""
    try:
        producer.close(timeout=1)
    except KafkaTimeoutError:
        # Its close() stops at the first batch it cannot flush, and would try and raise again when it
        # is collected; there is no public way to drop the batches.
        producer._sender.force_close()
        producer._closed = True
