# SPDX-License-Identifier: Apache-2.0
"""The traffic under faults: what it knows to have sent is what it sent, also around a pause."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "pipeline"))

import traffic as module
from traffic import Record, Traffic

NOT_READ = ("timestamp_in_future", "timestamp_out_of_range", "not_json")


class Kafka:
    """All records that producers have sent, and how many of these producers are open."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.open = 0
        self.fails = False

    def producer(self, **_: Any) -> Any:
        self.open += 1

        def send(topic: str, value: bytes | None, **_: Any) -> Any:
            self.values.append(value)
            place = SimpleNamespace(partition=0, offset=len(self.values) - 1)
            return SimpleNamespace(add_errback=lambda _: None, get=lambda timeout: place)

        def flush(timeout: float) -> None:
            if self.fails:
                raise TimeoutError("Kafka is away")

        def close(timeout: float = 0) -> None:
            self.open -= 1

        return SimpleNamespace(send=send, flush=flush, close=close)


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    made = Kafka()
    monkeypatch.setattr(module, "KafkaProducer", made.producer)
    monkeypatch.setattr(module, "rest_between_tries", lambda _: None)
    monkeypatch.setattr(module, "ROUND_SECONDS", 0.001)
    return made


@pytest.fixture
def flowing(kafka: Kafka) -> Iterator[Traffic]:
    made = Traffic({}, "login-events", 60, 1)
    made.start()
    yield made
    made.close()


def rounds_pass(kafka: Kafka) -> None:
    end, number = time.monotonic() + 30, len(kafka.values)
    while len(kafka.values) < number + 30:
        assert time.monotonic() < end, "nothing is sent"
        time.sleep(0.001)


def test_a_pause_sends_nothing_and_leaves_no_client(kafka: Kafka, flowing: Traffic) -> None:
    rounds_pass(kafka)
    with flowing.paused():
        number = len(kafka.values)
        time.sleep(0.05)
        assert (len(kafka.values), kafka.open) == (number, 0)
        (place,) = flowing.send([Record(b"hostile")])
        assert (place.offset, kafka.open) == (number, 0)
    rounds_pass(kafka)
    with flowing.paused():
        assert kafka.open == 0
    rounds_pass(kafka)
    flowing.stop()
    sent = [value for value in kafka.values if value != b"hostile"]
    assert len(sent) == flowing.records and kafka.open == 0
    ids = {json.loads(value)["event_id"] for value in sent if value not in flowing.dead}
    assert ids == flowing.events.keys()
    assert set(flowing.dead.values()) == set(NOT_READ)


def test_what_is_not_acknowledged_before_a_pause_is_told(kafka: Kafka, flowing: Traffic) -> None:
    rounds_pass(kafka)
    kafka.fails = True
    with pytest.raises(AssertionError, match="Kafka is away"), flowing.paused():
        pytest.fail("it is not still")
