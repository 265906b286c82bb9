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
    monkeypatch.setattr(status, "diagnose", lambda *_: "connection refused")
    assert status.waiting(settings.kafka, BATCH) == {"not_read_yet": None, "kafka_fault": "connection refused"}


def test_a_person_is_told_what_is_left_out_and_what_to_do() -> None:
    told = {
        "unreadable": {"login-events-2025.11": "red: help", "login-pipeline-2025.11": "closed: open it"},
        "events": 5,
        "newest_event": None,
        "windows": 0,
        "windows_sum": 0,
        "dead_letters": 0,
        "dead_letters_last_day": 0,
        "dead_letters_by_reason": {},
        "kafka_fault": None,
        "not_read_yet": 0,
        "waits_for": {"service": "Elasticsearch", "since": "then", "cause": "index x is at fault"},
        "deviations": ["Kafka: the topic's settings: cleanup.policy is compact"],
        "last_batch": None,
        "unrecognised_last_day": 0,
        "unrecognised_kept": 0,
        "unknown_datasets_last_day": {},
    }
    lines = "\n".join(status.as_text(told))
    assert "NOT READABLE  login-events-2025.11 is red: help; left out below" in lines
    assert "not read yet  at most 0" in lines  # newer accounts may be among what is left out
    assert "waits for     Elasticsearch since then: index x is at fault" in lines
    assert "deviates      Kafka: the topic's settings: cleanup.policy is compact" in lines


class Client:
    """Answers a search by the index and what is summed; without an index for all else."""

    def __init__(self, strange: int, datasets: dict[str, int]) -> None:
        self._strange, self._datasets = strange, datasets

    def refresh(self, index: str) -> None:
        pass

    def number_of(self, index: str, query: Any) -> int:
        assert {"term": {"reason": "unrecognised"}} in query["bool"]["must_not"]
        return 2

    def search(self, index: str, aggs: Any = None, **_: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if aggs and "records" in aggs:
            found = {"records": {"value": float(self._strange)}}
        if aggs and "names" in aggs:
            found = {"names": {"buckets": [{"key": key, "doc_count": n} for key, n in self._datasets.items()]}}
        if aggs and "reasons" in aggs:
            reasons = {"not_json": 2, "unrecognised": 5}
            found = {"reasons": {"buckets": [{"key": key, "doc_count": n} for key, n in reasons.items()]}}
        return {"hits": {"total": {"value": 0}, "hits": []}, "aggregations": found}


def test_what_is_unrecognised_is_told_apart_from_dead_letters() -> None:
    told = status.stored(Client(7, {}), "login-events")  # type: ignore[arg-type]
    assert (told["dead_letters"], told["dead_letters_by_reason"]) == (2, {"not_json": 2})
    assert (told["unrecognised_last_day"], told["unrecognised_kept"]) == (7, 5)
    lines = list(status.as_text(told | {"not_read_yet": 0, "kafka_fault": None}))
    assert (
        "unrecognised  7 records in the last 24 hours, 5 kept in all: login-consumer dead list --reason unrecognised"
        in (lines)
    )
    assert not any(line.startswith("WARNING") for line in lines)


def test_data_sets_of_which_nobody_knows_the_logins_are_warned_of() -> None:
    told = status.stored(Client(0, {"odd\x1b[2J": 3}), "login-events")  # type: ignore[arg-type]
    text = "\n".join(status.as_text(told | {"not_read_yet": 0, "kafka_fault": None}))
    assert "WARNING       events of data sets whose logins are not known, so more may be counted: odd\\x1b[2J 3" in text
    assert "dead list --reason" not in text


def test_the_data_sets_of_our_own_formats_are_known() -> None:
    assert {"rba.login", "aws.cloudtrail", "keycloak.event", "okta.system", "system.auth"} <= set(status.KNOWN_DATASETS)
