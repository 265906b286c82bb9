# SPDX-License-Identifier: Apache-2.0
"""The loop around the query: how it is started and watched. Spark is a bare object."""

from __future__ import annotations

import signal
import threading
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from login_common import disks
from login_consumer import run as run_module
from login_consumer.hops import HopFailed
from login_consumer.outage import Outage
from login_consumer.run import QueryFailed, _Consumer
from login_consumer.settings import Settings


@pytest.fixture
def consumer(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> _Consumer:
    monkeypatch.setattr(run_module, "_STEP_S", 0.001)
    monkeypatch.setattr("login_consumer.watchdog.LOOK_S", 0.01)
    return _Consumer(settings, threading.Event())


def writer(waiting: int) -> Any:
    idle = threading.Event()
    idle.set()
    return SimpleNamespace(begun=1, idle=idle, waiting=lambda ends: ends[0] and waiting)


def test_spark_waits_for_no_time_of_the_clock(consumer: _Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another interval it waits for a multiple of it since 1970."""
    source = MagicMock()
    monkeypatch.setattr(run_module, "worker_columns", lambda _: source)
    consumer._start(MagicMock(), writer(0), "earliest")
    stream = source.writeStream.queryName.return_value.option.return_value
    stream.trigger.assert_called_once_with(processingTime="0 seconds")


def test_a_query_that_stands_still_is_ended(consumer: _Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "topic_ends", lambda _: {0: 7})
    query = SimpleNamespace(isActive=True, lastProgress=None)
    with pytest.raises(QueryFailed, match="5 records wait in Kafka, and no batch begins"):
        consumer._watch(MagicMock(), query, writer(5), Outage("Kafka", 1))  # type: ignore[arg-type]


def test_a_query_that_cannot_write_names_the_full_disk(consumer: _Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "full", lambda: [disks.Full("/var/lib/login-consumer", 0, 1000, False)])
    query = SimpleNamespace(exception=lambda: "java.io.IOException: No space left on device\n\tat java.base")
    told = r"No space left on device; /var/lib/login-consumer on this host has 0 of 1000 bytes free: free space there"
    tries = MagicMock()
    with pytest.raises(QueryFailed, match=told):
        consumer._fault(query, SimpleNamespace(replaced="", moved="", tries=tries))  # type: ignore[arg-type]
    tries.take_back.assert_called_once_with()  # it is no fault of the records


def test_while_kafka_is_away_nothing_stands_still(consumer: _Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter(range(5))
    query = SimpleNamespace(isActive=True, lastProgress=None)

    def away(_: object) -> dict[int, int]:
        query.isActive = next(asked) < 4
        raise HopFailed("away")

    monkeypatch.setattr(run_module, "topic_ends", away)
    consumer._watch(MagicMock(), query, writer(5), Outage("Kafka", 1))  # type: ignore[arg-type]
    assert not list(asked), "Kafka was not asked again"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_way_to_ask_for_an_end_is_taken(
    number: signal.Signals, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    seen = []

    def told(consumer: _Consumer) -> None:
        signal.raise_signal(number)
        seen.append(consumer._stopping.is_set())

    monkeypatch.setattr(_Consumer, "run", told)
    try:
        run_module.run(settings)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert seen == [True]
