# SPDX-License-Identifier: Apache-2.0
"""What the end of a query means, where its partitions end, and how an outage is told."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import UnsupportedCodecError
from login_consumer.batch import source_ends
from login_consumer.counts import Mark
from login_consumer.hops import HopFailed
from login_consumer.kafka_side import _records_at, diagnose, is_outage, lasting_cause
from login_consumer.outage import Outage, waits_for


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        ("org.apache.kafka.common.errors.SslAuthenticationException: handshake", "kafka.ca_file"),
        ("org.apache.kafka.common.errors.TopicAuthorizationException: no", "grant Read"),
        ("offset was changed from 4 to 9, some data may have been missed", "kafka.allow_data_loss"),
        ("KafkaIllegalStateException: Some data may have been lost because", "kafka.allow_data_loss"),
    ],
)
def test_what_an_operator_must_cure(failure: str, remedy: str) -> None:
    assert remedy in str(lasting_cause(failure))


def test_lost_ranges_are_told() -> None:
    failure = "data may have been lost\nReason: Could not read records in offset [3, 9) for topic partition t-0\nwith"
    assert str(lasting_cause(failure)).endswith("Not all could be read of: [3, 9) for topic partition t-0")


@pytest.mark.parametrize(
    "failure",
    [
        "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment.",
        # A password that is being replaced: its file, which is read anew, holds the new one soon.
        "org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed",
    ],
)
def test_what_passes_by_itself(failure: str) -> None:
    assert lasting_cause(failure) is None
    assert is_outage(failure)
    assert not is_outage("ArithmeticError: 5 records were read but 4 are accounted for")
    cannot_unpack = "fetching the next record from p-0. If needed, please seek past the record to continue consumption."
    assert not is_outage(f"org.apache.kafka.common.KafkaException: Received exception when {cannot_unpack}")


@pytest.mark.parametrize(
    ("latest", "ends"), [('{"login-events":{"0":7,"1":9}}', {0: 7, 1: 9}), ('{"other":{"0":7}}', {}), (None, {})]
)
def test_source_ends(latest: str | None, ends: dict[int, int]) -> None:
    progress: Any = SimpleNamespace(sources=[SimpleNamespace(latestOffset=latest)])
    assert source_ends(progress, "login-events") == ends
    assert source_ends(None, "login-events") == {}


def test_what_is_waited_for_stands_in_a_file_until_it_is_over(tmp_path: Path) -> None:
    file = tmp_path / "waiting.json"
    outage = Outage("Elasticsearch", 30.0, file)
    assert waits_for(file) is None
    for cause in ("refused", "refused", "index login-events-2026.03 is at fault"):
        outage.next_delay(cause)
        told = waits_for(file)
        assert told is not None
        assert (told["service"], told["cause"]) == ("Elasticsearch", cause)
    assert told["since"].endswith("Z")
    outage.over()
    assert waits_for(file) is None


def test_an_outage_is_told_once_a_minute(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    monkeypatch.setattr("login_consumer.outage.time.monotonic", lambda: now)
    outage = Outage("Kafka", 30.0)
    delays = []
    with caplog.at_level(logging.INFO):
        for _ in range(12):
            delays.append(outage.next_delay("refused"))
            now += delays[-1]
        outage.over()
        outage.over()
    assert delays == [1, 2, 4, 8, 16] + [30] * 7
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 4
    assert [record.getMessage() for record in caplog.records][-1] == "Kafka works again after 241 s"


@pytest.mark.parametrize(
    ("hop", "said"), [("", "an unknown codec"), ("the port is shut", "the port is shut")], ids=["all work", "one fails"]
)
def test_a_fault_that_no_hop_explains_is_said_itself(hop: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the consumer would wait for Kafka, and say that it answers."""
    monkeypatch.setattr("login_consumer.kafka_side.kafka_hops", lambda _: [])
    monkeypatch.setattr("login_consumer.kafka_side.first_fault", lambda _: hop)
    assert diagnose(Any, "an unknown codec") == said  # type: ignore[arg-type]


class Partitions:
    """A Kafka client over offsets and times by partition; a partition gives its records when it was asked twice."""

    def __init__(self, records: dict[int, list[tuple[int, int]] | None], ends: dict[int, int]) -> None:
        self._records, self._ends, self._polls = records, ends, 0

    def assign(self, places: list[Any]) -> None:
        (self._place,) = places
        self._polls = 0

    def seek(self, place: Any, offset: int) -> None:
        self._at = offset

    def position(self, place: Any) -> int:
        return self._at

    def poll(self, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        self._polls += 1
        records = self._records[self._place.partition]
        if records is None:
            raise UnsupportedCodecError
        rest = [each for each in records if each[0] >= self._at]
        if self._polls < 2:
            return {}
        self._at = rest[0][0] + 1 if rest else self._ends[self._place.partition]
        return {self._place: [SimpleNamespace(offset=rest[0][0], timestamp=rest[0][1])]} if rest else {}


def test_the_records_at_offsets_are_found() -> None:
    """The record itself, the one after it where it is gone, and nothing but marks of transactions."""
    client: Any = Partitions({0: [(4, 40), (5, 50)], 1: [(7, 70)], 2: []}, {0: 6, 1: 8, 2: 9})
    assert _records_at(client, "login-events", {0: 4, 1: 6, 2: 8}) == {0: Mark(4, 40), 1: Mark(7, 70), 2: Mark(9, 0)}


def test_a_record_of_a_codec_that_is_not_there_is_not_known() -> None:
    client: Any = Partitions({0: None, 1: [(7, 70)]}, {0: 6, 1: 8})
    assert _records_at(client, "login-events", {0: 4, 1: 6}) == {1: Mark(7, 70)}


def test_records_that_do_not_come_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("login_consumer.kafka_side._READ_S", 0.0)
    client: Any = Partitions({9: []}, {9: 5})
    with pytest.raises(HopFailed, match="does not give the records of login-events"):
        _records_at(client, "login-events", {9: 4})
