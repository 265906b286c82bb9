# SPDX-License-Identifier: Apache-2.0
"""What the end of a query means, where its partitions end, and how an outage is told."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from login_consumer.batch import source_ends
from login_consumer.kafka_side import is_outage, lasting_cause
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
