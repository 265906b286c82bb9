# SPDX-License-Identifier: Apache-2.0
"""What is made of kafka-python's producer, on the client that it has."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from login_common.kafka_producer import rest_between_tries


@pytest.fixture
def producer() -> Iterator[Any]:
    """What matters here of a KafkaProducer, which would not come to be without a broker."""
    client = KafkaNetClient(bootstrap_servers=["127.0.0.1:9"])
    client.cluster.attach(client._manager)
    yield SimpleNamespace(_sender=SimpleNamespace(_client=client, _metadata=client.cluster))
    client.close()


def test_a_producer_rests_until_it_may_connect_again(producer: Any) -> None:
    client = producer._sender._client
    client._manager._backoff[1] = (3, time.monotonic() + 4, 10_000)
    # as long as that is so: a client that gives milliseconds itself needs no help
    assert 3 < client.connection_delay(1) <= 4
    rest_between_tries(producer)
    assert 3_000 < client.connection_delay(1) <= 4_000
    assert client.connection_delay(2) == 50, "a connection is being made"


def test_it_asks_for_leaders_once_until_it_is_answered(producer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata, woken = producer._sender._metadata, []
    monkeypatch.setattr(metadata._wakeup, "notify", lambda: woken.append(1))
    rest_between_tries(producer)
    asked = metadata.request_update()
    assert metadata.request_update() is asked and woken == [1]
    metadata.failed_update(KafkaError("away"))
    assert metadata.request_update() is not asked and woken == [1, 1]
