# SPDX-License-Identifier: Apache-2.0
"""What each item of a bulk answer means, and which requests follow. The answers are Elasticsearch 8.19's own."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from elastic_errors import FULL_DISK, api_error, meta
from elastic_transport import ConnectionError, ObjectApiResponse
from login_common.elastic import Unavailable
from login_consumer.answers import CREATED
from login_consumer.documents import Document
from login_consumer.settings import Settings
from login_consumer.sink import Sink, in_bulks


def item(status: int, kind: str = "", reason: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {"status": status}
    if kind:
        fields["error"] = {"type": kind, "reason": reason}
    return {"create": fields}


def bulk(*items: dict[str, Any]) -> dict[str, Any]:
    return {"errors": True, "items": list(items)}


class Client:
    """Answers requests from a list and keeps what it was asked."""

    def __init__(self, *answers: dict[str, Any] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    def bulk(self, operations: bytes, filter_path: str) -> ObjectApiResponse[Any]:
        self.asked.append([json.loads(line)["create"]["_id"] for line in operations.splitlines()[::2]])
        return self._answer()

    def mget(self, docs: list[dict[str, str]], source_includes: list[str]) -> ObjectApiResponse[Any]:
        self.asked.append([doc["_id"] for doc in docs])
        return self._answer()

    def _answer(self) -> ObjectApiResponse[Any]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return ObjectApiResponse(body=answer, meta=meta(200))


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass only by sleeping; return the delays."""
    slept: list[float] = []
    monkeypatch.setattr("login_consumer.sink.time.sleep", slept.append)
    monkeypatch.setattr("login_consumer.sink.time.monotonic", lambda: sum(slept))
    monkeypatch.setattr("login_consumer.sink.random.uniform", lambda low, high: 1.0)
    return slept


@pytest.fixture
def sink_with(settings: Settings, delays: list[float], monkeypatch: pytest.MonkeyPatch) -> Callable[[Client], Sink]:
    def make(client: Client) -> Sink:
        monkeypatch.setattr("login_consumer.sink.connect", lambda _: client)
        return Sink(settings.elasticsearch)

    return make


def documents(*ids: str) -> list[Document]:
    return [Document("login-events-2026.03", id_, b"{}") for id_ in ids]


def test_bulks_keep_the_limit_and_lose_nothing() -> None:
    lines = [b"x" * size for size in (4, 4, 4, 20, 1, 9, 10)]
    parts = [lines[part] for part in in_bulks(lines, 10)]
    assert [line for part in parts for line in part] == lines
    assert [[len(line) for line in part] for part in parts] == [[4, 4], [4], [20], [1, 9], [10]]
    assert list(in_bulks([], 10)) == []


def test_only_busy_items_are_sent_again(sink_with: Callable[[Client], Sink], delays: list[float]) -> None:
    busy = item(429, "es_rejected_execution_exception")
    client = Client(bulk(item(201), busy, item(409), item(201)), bulk(busy), bulk(item(201)))
    assert [each.status for each in sink_with(client).create(documents("a", "b", "c", "d"))] == [201, 201, 409, 201]
    assert client.asked == [["a", "b", "c", "d"], ["b"], ["b"]]
    assert delays == sorted(delays)
    assert delays[1] > delays[0]


def test_busy_for_ever_gives_the_batch_back(sink_with: Callable[[Client], Sink]) -> None:
    client = Client(*[bulk(item(429, "es_rejected_execution_exception"))] * 100)
    with pytest.raises(Unavailable, match="is overloaded"):
        sink_with(client).create(documents("a"))
    assert 3 < len(client.asked) < 20


def test_what_waits_for_an_operator_gives_the_batch_back_at_once(sink_with: Callable[[Client], Sink]) -> None:
    blocked = item(429, "cluster_block_exception", FULL_DISK)
    client = Client(bulk(item(201), item(429, "es_rejected_execution_exception"), blocked))
    with pytest.raises(Unavailable, match="disk is nearly full"):
        sink_with(client).create(documents("a", "b", "c"))
    assert len(client.asked) == 1


def test_one_refused_document_stands_alone(sink_with: Callable[[Client], Sink]) -> None:
    answers = [item(201)] * 1001
    answers[2] = item(400, "document_parsing_exception", "failed to parse field [@timestamp]")
    items = sink_with(Client(bulk(*answers))).create(documents(*map(str, range(1001))))
    assert [number for number, each in enumerate(items) if each.refused] == [2]
    assert sum(each.taken for each in items) == 1000


@pytest.mark.parametrize("status", [400, 413])
def test_a_refused_request_is_halved(sink_with: Callable[[Client], Sink], status: int) -> None:
    text = "Validation Failed: 1: id [d] is too long, must be no longer than 512 bytes but was: 513;"
    whole = api_error(status, "action_request_validation_exception", text)
    client = Client(whole, bulk(item(201), item(201)), whole, bulk(item(201)), whole)
    items = sink_with(client).create(documents("a", "b", "c", "d"))
    assert client.asked == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]
    assert [each.taken for each in items] == [True, True, True, False]
    assert items[3].refused


@pytest.mark.parametrize("failure", [api_error(503), api_error(429), ConnectionError("Connection refused")])
def test_a_busy_or_absent_server_is_asked_again(sink_with: Callable[[Client], Sink], failure: Exception) -> None:
    client = Client(failure, bulk(item(201)))
    assert sink_with(client).create(documents("a")) == [CREATED]
    assert client.asked == [["a"], ["a"]]


@pytest.mark.parametrize(("status", "text"), [(401, "API key"), (403, "lacks a privilege")])
def test_what_an_operator_must_cure_is_given_back_at_once(
    sink_with: Callable[[Client], Sink], delays: list[float], status: int, text: str
) -> None:
    with pytest.raises(Unavailable, match=text):
        sink_with(Client(api_error(status, "security_exception", "no"))).create(documents("a"))
    assert delays == []


def stored(id_: str, offset: int) -> dict[str, Any]:
    source = {
        "@timestamp": "2026-03-01T10:00:00.000Z",
        "event": {"outcome": "failure"},
        "user_agent": {"name": "Firefox"},
        "login": {"kafka": {"topic_id": "T1", "partition": 0, "offset": offset}},
    }
    return {"_index": "login-events-2026.03", "_id": id_, "found": True, "_source": source}


def test_a_replica_that_lags_is_asked_again(sink_with: Callable[[Client], Sink]) -> None:
    missing = {"_index": "login-events-2026.03", "_id": "b", "found": False}
    client = Client({"docs": [stored("a", 1), missing]}, {"docs": [stored("a", 1), stored("b", 2)]})
    assert sink_with(client).stored(documents("a", "b")) == [
        (("T1", 0, 1), 1_772_359_200_000, None, "Firefox", "failure"),
        (("T1", 0, 2), 1_772_359_200_000, None, "Firefox", "failure"),
    ]


def test_a_document_that_cannot_be_read_gives_the_batch_back(sink_with: Callable[[Client], Sink]) -> None:
    client = Client(*[{"docs": [{"_index": "login-events-2026.03", "_id": "a", "found": False}]}] * 100)
    with pytest.raises(Unavailable, match="1 documents exist but cannot be read"):
        sink_with(client).stored(documents("a"))


def test_nothing_to_do_asks_nothing(sink_with: Callable[[Client], Sink]) -> None:
    client = Client()
    assert sink_with(client).create([]) == []
    assert sink_with(client).stored([]) == []
    assert client.asked == []


REFUSED = item(400, "document_parsing_exception", "failed to parse field [user.id] of type [long]")
MANY = [str(number) for number in range(20)]


@pytest.mark.parametrize("taken", [0, 2])
def test_an_index_that_refuses_nearly_all_is_at_fault_and_nothing_becomes_a_dead_letter(
    sink_with: Callable[[Client], Sink], delays: list[float], taken: int
) -> None:
    client = Client(bulk(*[item(201)] * taken, *[REFUSED] * (20 - taken)))
    with pytest.raises(
        Unavailable, match=r"index login-events-2026\.03 is at fault.*failed to parse field \[user\.id\]"
    ):
        sink_with(client).create(documents(*MANY))
    assert delays == []


def test_a_few_refused_among_many_are_at_fault_themselves(sink_with: Callable[[Client], Sink]) -> None:
    items = sink_with(Client(bulk(*[item(201)] * 10, *[REFUSED] * 10))).create(documents(*MANY))
    assert [each.refused for each in items] == [False] * 10 + [True] * 10


def test_many_refused_one_by_one_are_innocent_as_well(sink_with: Callable[[Client], Sink]) -> None:
    sink = sink_with(Client(*[bulk(REFUSED)] * 11, bulk(item(201)), bulk(REFUSED)))
    assert all(sink.create(documents(id_))[0].refused for id_ in MANY[:9])
    for _ in range(2):
        with pytest.raises(Unavailable, match="at fault, not the records"):
            sink.create(documents(MANY[9]))
    assert sink.create(documents("good")) == [CREATED], "the index is cured"
    assert sink.create(documents(MANY[10]))[0].refused


def test_a_refused_document_of_a_batch_that_is_repeated_counts_once(sink_with: Callable[[Client], Sink]) -> None:
    sink = sink_with(Client(*[bulk(REFUSED)] * 30))
    assert all(sink.create(documents("bad"))[0].refused for _ in range(30))


@pytest.mark.parametrize(
    "fault",
    [
        item(400, "illegal_argument_exception", "pipeline with id [gone] does not exist"),
        item(400, "a_type_that_nobody_knows_yet", "no"),
        item(500, "ingest_processor_exception", "field [x] not present"),
        item(200),
    ],
)
def test_a_fault_of_the_index_is_told_with_the_index(
    sink_with: Callable[[Client], Sink], fault: dict[str, Any]
) -> None:
    with pytest.raises(Unavailable, match=r"index login-events-2026\.03"):
        sink_with(Client(bulk(fault))).create(documents("a"))


def test_a_single_request_that_is_refused_for_an_unknown_reason_waits(sink_with: Callable[[Client], Sink]) -> None:
    whole = api_error(400, "illegal_argument_exception", "request [/_bulk] contains unrecognized parameter")
    with pytest.raises(Unavailable, match="unrecognized parameter"):
        sink_with(Client(whole)).create(documents("a"))
