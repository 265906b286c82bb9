# SPDX-License-Identifier: Apache-2.0
"""What status makes of the answers of Kafka and Elasticsearch; with services: tests/pipeline/test_data.py."""

from typing import Any

import pytest
from login_consumer import status
from login_consumer.documents import Topic
from login_consumer.hops import HopFailed
from login_consumer.plan import TopicState
from login_consumer.settings import Settings

BATCH = {"topic_id": "T1", "ranges": [{"partition": 0, "first": 3, "next": 10}]}


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        (BATCH, 5 + 4),  # partition 1 was added
        (None, 12 + 4),
        (BATCH | {"topic_id": "T0"}, 12 + 4),  # the topic was made anew
        (BATCH | {"ranges": [{"partition": 0, "first": 0, "next": 1}]}, 12 + 4),  # what Kafka does not hold any more
    ],
)
def test_what_is_not_read_yet(
    batch: dict[str, Any] | None, count: int, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = TopicState(Topic("login-events", "T1"), {0: 3, 1: 0}, {0: 15, 1: 4})
    monkeypatch.setattr(status, "topic_state", lambda _: state)
    assert status.waiting(settings.kafka, batch) == {"not_read_yet": count, "kafka_fault": None}


def test_a_kafka_that_does_not_answer_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Any) -> TopicState:
        raise HopFailed("no answer")

    monkeypatch.setattr(status, "topic_state", away)
    monkeypatch.setattr(status, "diagnose", lambda _: "connection refused")
    assert status.waiting(settings.kafka, BATCH) == {"not_read_yet": None, "kafka_fault": "connection refused"}
