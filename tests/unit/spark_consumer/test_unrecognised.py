# SPDX-License-Identifier: Apache-2.0
"""Unrecognised records: each is counted, at most so many of a minute are kept, and a repeated batch finds the same."""

import json
import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from login_common.elastic import Unavailable
from login_consumer.answers import CREATED, Item
from login_consumer.counts import Counts
from login_consumer.documents import Document, Origin, Topic
from login_consumer.unrecognised import PER_MINUTE, Unrecognised, keep
from login_formats.reasons import unrecognised

NOW = 1_772_359_260_000  # 2026-03-01T10:01:00Z
TOPIC = Topic("login-events", "T1")


class Store:
    """Holds documents by index and id."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}

    def create(self, documents: Sequence[Document]) -> list[Item]:
        return [self._create(document) for document in documents]

    def _create(self, document: Document) -> Item:
        there = self.documents.setdefault((document.target, document.id), made := json.loads(document.source))
        return CREATED if there is made else Item(409)

    def sources(self, documents: Sequence[Document], fields: Sequence[str]) -> list[dict[str, Any]]:
        found = [self.documents[each.target, each.id] for each in documents]
        return [{name: each[name] for name in fields} for each in found]


def strange(offsets: Iterable[int], partition: int = 0, time: int = NOW, topic: Topic = TOPIC) -> list[Unrecognised]:
    rejected = unrecognised("program", "dropbear")
    return [Unrecognised(rejected, b"a line", Origin(topic, partition, offset, time), ()) for offset in offsets]


def offsets(store: Store) -> set[int]:
    return {letter["offset"] for letter in store.documents.values()}


def test_a_minute_of_neighbours_is_kept_up_to_the_bound() -> None:
    store: Any = Store()
    assert keep(store, strange(range(7, 7 + PER_MINUTE)), NOW) == PER_MINUTE
    assert offsets(store) == set(range(7, 7 + PER_MINUTE))
    assert keep(store, strange(range(200, 2000)), NOW) == 0
    assert keep(store, strange(range(200, 210), time=NOW + 60_000), NOW) == 10
    assert keep(store, strange(range(200, 210), partition=1), NOW) == 10
    assert keep(store, strange(range(200, 210), topic=Topic("login-events", "T2")), NOW) == 10
    assert len(store.documents) == PER_MINUTE + 30


def test_a_flood_is_bounded_at_once() -> None:
    store: Any = Store()
    assert keep(store, strange(range(10_000)), NOW) == PER_MINUTE == len(store.documents)


def test_a_few_that_lie_apart_are_all_kept() -> None:
    drawn = random.Random(1)
    for _ in range(200):
        store: Any = Store()
        some = drawn.sample(range(1_000_000), 10)
        assert keep(store, strange(some), NOW) >= 9
    store = Store()
    assert keep(store, strange([0, PER_MINUTE, 2 * PER_MINUTE]), NOW) == 3


@pytest.mark.parametrize("seed", range(20))
def test_however_a_batch_is_cut_and_wherever_it_is_killed_the_same_are_kept(seed: int) -> None:
    """What was kept at any time is found to be kept at the end: so the accounts fit what is stored."""
    drawn = random.Random(seed)
    all_records = strange(sorted(drawn.sample(range(3000), 700)))
    store: Any = Store()

    def cut() -> list[list[Unrecognised]]:
        ends = sorted(drawn.sample(range(1, len(all_records)), drawn.randrange(1, 9)))
        parts = [all_records[a:b] for a, b in zip([0, *ends], [*ends, len(all_records)], strict=True)]
        drawn.shuffle(parts)  # two threads, or tasks of one partition
        return parts

    for _ in range(3):  # killed
        for part in cut()[: drawn.randrange(4)]:
            keep(store, part, NOW)
    told = sum(keep(store, part, NOW) for part in cut())
    assert told == len(store.documents) <= PER_MINUTE
    again = sum(keep(store, part, NOW) for part in cut())
    assert again == told == len(store.documents)


class Refusing(Store):
    def create(self, documents: Sequence[Document]) -> list[Item]:
        return [Item(400, "strict_dynamic_mapping_exception", "no such field") for _ in documents]


def test_a_letter_that_is_refused_is_not_passed_over() -> None:
    store: Any = Refusing()
    with pytest.raises(Unavailable, match="a dead letter was refused"):
        keep(store, strange([1]), NOW)


def test_counts_do_not_balance_if_one_is_left_out_or_more_are_kept_than_came() -> None:
    for wrong in (Counts(read=1), Counts(read=1, unrecognised=1, unrecognised_kept=2), Counts(unrecognised=1)):
        with pytest.raises(ArithmeticError):
            wrong.check()
    Counts(read=1, unrecognised=1).check()
    both = Counts(read=2, unrecognised=2, unrecognised_kept=1)
    both.add(Counts(read=1, unrecognised=1, unrecognised_kept=1))
    assert (both.unrecognised, both.unrecognised_kept) == (3, 2)
    assert Counts.from_bytes(both.to_bytes()) == both
