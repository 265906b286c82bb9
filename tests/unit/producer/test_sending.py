# SPDX-License-Identifier: Apache-2.0
"""How far a stream is settled, and what becomes of its records; standard input as the simplest stream."""

import os
import random

import pytest
from login_producer.counters import Counters
from login_producer.settings import StdinSettings
from login_producer.sources import Event
from login_producer.sources.cutting import MAX_RECORD, Piece
from login_producer.sources.progress import Progress, Receipt
from login_producer.sources.records import Record
from login_producer.sources.sending import Sending
from login_producer.sources.stdin import StdinSource


def test_only_what_has_no_open_event_before_it_is_settled() -> None:
    rng = random.Random(2)
    progress = Progress(0)
    receipts: list[Receipt] = []
    for position in range(1, 500):
        if rng.random() < 0.2:
            progress.passed(position)
            receipts.append(Receipt(signed=True))
        else:
            receipts.append(progress.taken(position))
        rng.choice(receipts).signed = True
        first_open = next((place for place, receipt in enumerate(receipts) if not receipt.signed), len(receipts))
        assert progress.settled == first_open
    assert progress.read == 499


def test_a_line_taken_apart_is_settled_with_its_last_event() -> None:
    sending = Sending("file", 0, [("login-format", b"native")], Counters())
    events = list(sending.events(Record(Piece(0, 9, b"a line"), (b"a", b"b", b"c"), apart=True), b"s" * 32, 9))
    for event in events[::-1]:
        assert sending.progress.settled == 0
        assert event.receipt
        event.receipt.signed = True
    assert sending.progress.settled == 9
    assert events[0].headers == [("login-format", b"native"), ("login-id", events[0].event_id.encode())]


def test_too_large_is_counted_said_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    counters = Counters()
    sending = Sending("auth.log", 0, [], counters)
    assert list(sending.events(Record(Piece(0, 7, None), ()), b"s" * 32, 7)) == []
    large = b"x" * (MAX_RECORD + 1)
    assert list(sending.events(Record(Piece(7, 9, large), (large,)), b"s" * 32, 9)) == []
    assert (counters.generated, counters.failed["too_large"], sending.progress.settled) == (2, 2, 9)
    assert "auth.log: the record of 7 bytes at offset 0 is too large" in caplog.text


def test_standard_input_is_read_to_its_end_without_waiting() -> None:
    reading, writing = os.pipe()
    source = StdinSource(StdinSettings(type="stdin", format="native"), Counters(), reading)
    assert (list(source.take(10)), source.ended) == ([], False)
    os.write(writing, b"one\ntwo\nthr")
    taken: list[Event] = [*source.take(1), *source.take(10)]
    assert ([event.value for event in taken], source.ended) == ([b"one", b"two"], False)
    os.write(writing, b"ee")
    os.close(writing)
    assert [event.value for event in source.take(10)] == [b"three"]
    assert source.ended
    assert source.status() == {"type": "stdin", "read_bytes": 13}
    os.close(reading)
