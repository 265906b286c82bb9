# SPDX-License-Identifier: Apache-2.0
"""A replay marks before and after it sends: whatever fails in between can be told from the letters."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from kafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from kafka.future import Future
from login_common.elastic import Unavailable
from login_consumer.answers import CREATED, Item
from login_consumer.dead_letters import Found, scan
from login_consumer.dead_replay import Counts, Outcome, Record, Replay, ReplayStopped, batches
from login_consumer.replay_sender import ReplaySender
from login_consumer.settings import Kafka

INDEX = "login-dead-letters-2026.03"
CONFLICT = Item(409, "version_conflict_engine_exception")


class Store:
    """Letters by id, as Elasticsearch would hold them; stands for the sink and the client alike."""

    def __init__(self, **letters: bytes | None) -> None:
        self.letters: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.answers: dict[str, Item] = {}
        self.down_after = 99
        self.pages: list[list[str]] = []
        for id_, raw in letters.items():
            self.letters[id_] = {"partition": 2} | ({} if raw is None else {"raw": base64.b64encode(raw).decode()})

    def ask(self, request: Any) -> Any:
        return request(self)

    def client(self) -> Any:
        return self

    def mget(self, docs: list[dict[str, str]]) -> dict[str, Any]:
        return {
            "docs": [
                doc | {"found": True, "_source": self.letters[doc["_id"]], "_seq_no": 5, "_primary_term": 1}
                if doc["_id"] in self.letters
                else doc | {"found": False}
                for doc in docs
            ]
        }

    def bulk(self, lines: Sequence[bytes], conflict_is_answer: bool = False) -> list[Item]:
        self.down_after -= 1
        if self.down_after < 0:
            raise Unavailable("away")
        items = []
        for line in lines:
            action, body = (json.loads(part) for part in line.splitlines())
            id_, replay = action["update"]["_id"], body["doc"]["replay"]
            sending = replay is not None and replay["state"] == "sending"
            assert ("if_seq_no" in action["update"]) == sending == conflict_is_answer
            item = self.answers.get(id_, CREATED)
            if item.taken:
                self.letters[id_]["replay"] = replay
            self.log.append(f"{id_} {replay and replay['state']}")
            items.append(item)
        return items

    def open_point_in_time(self, **_: Any) -> dict[str, str]:
        return {"id": "pit"}

    def close_point_in_time(self, id: str) -> None:
        self.log.append(f"close {id}")

    def search(self, search_after: Any, **_: Any) -> dict[str, Any]:
        self.log.append(f"after {search_after}")
        ids = self.pages.pop(0)
        hits = [{"_index": INDEX, "_id": id_, "_source": {"size": 1}, "sort": [id_]} for id_ in ids]
        return {"pit_id": "pit2", "hits": {"hits": hits}}

    def found(self) -> list[Found]:
        return [Found(INDEX, id_, len(letter.get("raw", ""))) for id_, letter in self.letters.items()]


class Sender:
    """Takes all but the values in `faults`."""

    def __init__(self, store: Store, **faults: Outcome) -> None:
        self._store, self._faults = store, {name.encode(): outcome for name, outcome in faults.items()}
        self.sent: list[bytes | None] = []

    def send(self, records: Sequence[Record]) -> list[Outcome]:
        self._store.log.append(f"send {len(records)}")
        self.sent += [record.value for record in records]
        return [
            self._faults.get(record.value or b"", Outcome(record.partition, 100 + number))
            for number, record in enumerate(records)
        ]


def replay(store: Any, sender: Any, again: bool = False) -> tuple[Counts, list[str]]:
    told: list[str] = []
    run = Replay(store, sender, again, told.append)
    run.run(store.found(), len(store.letters))
    return run.counts, told


def test_batches_are_bounded_and_lose_nothing() -> None:
    sizes = [1] * 501 + [300 << 10, 300 << 10, 2 << 20, 1]
    letters = [Found(INDEX, str(number), size) for number, size in enumerate(sizes)]
    made = list(batches(letters))
    assert [letter for batch in made for letter in batch] == letters
    assert [len(batch) for batch in made] == [500, 2, 1, 1, 1]
    assert list(batches([])) == []


def test_each_letter_is_marked_before_and_after() -> None:
    store = Store(a=b"x", b=None, c=b"")
    sender = Sender(store)
    assert replay(store, sender) == (Counts(sent=3), [])
    assert sender.sent == [b"x", None, b""]
    assert store.log == ["a sending", "b sending", "c sending", "send 3", "a sent", "b sent", "c sent"]
    mark = store.letters["b"]["replay"]
    assert (mark["state"], mark["partition"], mark["offset"]) == ("sent", 2, 101)


def test_sent_and_sending_are_left_alone_unless_again() -> None:
    store = Store(a=b"x", b=b"y", c=b"z")
    store.letters["a"]["replay"] = {"state": "sent"}
    store.letters["b"]["replay"] = {"state": "sending"}
    sender = Sender(store)
    assert replay(store, sender)[0] == Counts(sent=1, skipped=2)
    assert sender.sent == [b"z"]
    assert replay(store, sender)[0] == Counts(skipped=3)  # b is still unclear
    assert replay(store, sender, again=True)[0] == Counts(sent=3)


def test_a_letter_that_another_replay_took_is_not_sent() -> None:
    store = Store(a=b"x", b=b"y")
    store.answers["a"] = CONFLICT
    sender = Sender(store)
    assert replay(store, sender)[0] == Counts(sent=1, skipped=1)
    assert sender.sent == [b"y"]


def test_a_letter_that_is_gone_is_skipped() -> None:
    store = Store(a=b"x")
    run = Replay(store, Sender(store), False, print)  # type: ignore[arg-type]
    run.run([Found(INDEX, "gone", 1)], 1)
    assert run.counts == Counts(skipped=1)
    assert store.log == []


def test_an_index_without_the_fields_is_told() -> None:
    store = Store(a=b"x")
    store.answers["a"] = Item(400, "strict_dynamic_mapping_exception", "[replay] is not allowed")
    counts, told = replay(store, Sender(store))
    assert counts == Counts(failed=1)
    assert "a: it cannot be marked" in told[0] and "playbook" in told[0]


def test_what_kafka_refuses_is_not_replayed_and_what_is_unclear_stays_sending() -> None:
    store = Store(a=b"x", b=b"big", c=b"slow")
    counts, told = replay(
        store, Sender(store, big=Outcome(fault="too large"), slow=Outcome(fault="no answer", unclear=True))
    )
    assert counts == Counts(sent=1, failed=2)
    assert told == [
        "b: too large; the letter is not replayed",
        "c: no answer; the letter stays marked as sending, as it was perhaps sent",
    ]
    states = {id_: letter["replay"] and letter["replay"]["state"] for id_, letter in store.letters.items()}
    assert states == {"a": "sent", "b": None, "c": "sending"}


def test_a_batch_of_which_nothing_arrives_ends_the_replay() -> None:
    store = Store(a=b"slow")
    with pytest.raises(ReplayStopped, match="nothing of a whole batch"):
        replay(store, Sender(store, slow=Outcome(fault="no answer", unclear=True)))
    assert store.letters["a"]["replay"]["state"] == "sending"


def test_a_mark_that_fails_after_the_send_says_not_to_send_again() -> None:
    store = Store(a=b"x")
    store.down_after = 1
    with pytest.raises(ReplayStopped, match=r"1 letters were sent.*away; do not give --again"):
        replay(store, Sender(store))


def test_many_failures_are_only_counted() -> None:
    store = Store(ok=b"ok", **{f"l{number}": b"big" for number in range(50)})
    counts, told = replay(store, Sender(store, big=Outcome(fault="too large")))
    assert counts == Counts(sent=1, failed=50)
    assert len(told) == 21


def test_long_replays_tell_how_far_they_are() -> None:
    store, told = Store(a=b"x"), []
    ticks = iter([0.0, 6.0, 6.0, 7.0])
    run = Replay(store, Sender(store), False, told.append, lambda: next(ticks))  # type: ignore[arg-type]
    run.run([Found(INDEX, "a", 1 << 20), Found(INDEX, "a", 1)], 2)
    assert told == ["1 of 2 done"]


def test_a_scan_goes_page_by_page_and_cleans_up() -> None:
    store: Any = Store()
    store.pages = [[str(number) for number in range(500)], ["x", "y"]]
    assert [found.id for found in scan(store, {})] == [*map(str, range(500)), "x", "y"]
    assert store.log == ["after None", "after ['499']", "close pit2"]


class Producer:
    """Settles what it is given by the list of results; "open" leaves it unsettled."""

    def __init__(self, *results: Any) -> None:
        self.results, self.sent, self.closed = list(results), [], False

    def partitions_for(self, topic: str) -> set[int]:
        return {0, 1}

    def send(self, topic: str, value: bytes | None, **options: Any) -> Any:
        result = self.results.pop(0)
        self.sent.append((value, options["key"], options["partition"], options["headers"]))
        if isinstance(result, MessageSizeTooLargeError) and result.args == ("at once",):
            raise result
        future = Future()
        if isinstance(result, Exception):
            future.failure(result)
        elif result != "open":
            future.success(result)
        return future

    def flush(self, timeout: float) -> None:
        if "open" in self.results:
            raise KafkaTimeoutError("not settled")

    def close(self, timeout: float) -> None:
        self.closed = True


class Place:
    partition, offset = 1, 9


@pytest.fixture
def kafka(tmp_path: Any) -> Kafka:
    (tmp_path / "ca.pem").write_text("")
    return Kafka(bootstrap_servers=["127.0.0.1:1"], username="replay", password="x", ca_file=tmp_path / "ca.pem")


def test_values_go_where_they_were_and_a_missing_one_gets_a_key(kafka: Kafka) -> None:
    producer = Producer(Place, Place)
    sender = ReplaySender(kafka, lambda **options: producer if options["acks"] == "all" else None)
    headers = [("login-format", b"okta"), ("note", None)]
    assert sender.send([Record(b"x", 1, headers), Record(None, 7)]) == [Outcome(1, 9), Outcome(1, 9)]
    assert producer.sent == [(b"x", None, 1, headers), (None, b"", None, [])]
    assert not producer.closed


@pytest.mark.parametrize(
    ("results", "unclear"),
    [
        ([MessageSizeTooLargeError("at once"), Place], [False, None]),
        ([MessageSizeTooLargeError("told"), MessageSizeTooLargeError("told")], [True, True]),
        ([MessageSizeTooLargeError("told")], [False]),
        ([TopicAuthorizationFailedError("no"), Place], [False, None]),
        ([KafkaTimeoutError("late"), "open"], [True, True]),
    ],
)
def test_only_a_clear_refusal_is_told_as_one(kafka: Kafka, results: list[Any], unclear: list[bool | None]) -> None:
    producers = [Producer(*results), Producer(Place)]
    made = iter(producers)
    sender = ReplaySender(kafka, lambda **_: next(made))
    outcomes = sender.send([Record(b"x", 0)] * len(results))
    assert [outcome.unclear if outcome.fault else None for outcome in outcomes] == unclear
    assert producers[0].closed, "a producer that has failed is not used again"
    assert sender.send([Record(b"x", 0)]) == [Outcome(1, 9)]


def test_kafka_away_is_told_with_its_cause(kafka: Kafka) -> None:
    def refuse(**_: Any) -> Any:
        raise KafkaTimeoutError

    with pytest.raises(ReplayStopped, match="connection refused"):
        ReplaySender(kafka, refuse)
