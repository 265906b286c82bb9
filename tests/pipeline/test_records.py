# SPDX-License-Identifier: Apache-2.0
"""Every record of docs/records.md goes the whole way, by its very bytes, and becomes what the page says."""

from __future__ import annotations

import base64
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from account import Ledger
from deployment import Deployment
from elasticsearch import Elasticsearch
from kafka import KafkaProducer
from login_consumer.settings import Events
from login_formats import Event, Limits
from login_formats.native import parse
from login_formats.reasons import Rejected
from records import PLACE, Page, Row, Step, field, milliseconds

PAGE = Page()
DEFAULTS = Events()
LIMITS = Limits.of(DEFAULTS.max_future_seconds, DEFAULTS.max_age_days)
PAGE_WINDOW_SECONDS = 60

Outcome = tuple[str, str]  # event, duplicate or dead, and the reason of the last
Found = dict[str, dict[int, list[Any]]]  # events or letters, offset, hits


@dataclass(frozen=True)
class Sent:
    """One record as it was sent, with the page's row for it (in this run's ids)."""

    row: Row
    partition: int
    offset: int
    arrival: int
    """When Kafka took it, by its own clock: what the consumer judges by."""
    browser: str
    """This run's name for the page's Firefox, one for each row and each sequence."""

    @property
    def name(self) -> str:
        return f"{self.row.section}: {self.row.what[:80]} (offset {self.offset})"

    def event(self) -> Event:
        """Raises Rejected."""
        return parse(self.row.raw, self.arrival, LIMITS)

    def as_on_the_page(self) -> bool:
        """Whether the record's time is near enough to its arrival for the page's decision: it is of 2026."""
        time = milliseconds(self.row.stored.get("@timestamp") or PAGE.rows[0].stored["@timestamp"])
        return self.arrival - LIMITS.max_age <= time <= self.arrival + LIMITS.max_future


@dataclass(frozen=True)
class Sending:
    """All records of the run in their order, and what was there before."""

    records: list[Sent]
    duplicates_before: int
    fields_before: set[str]

    def expected(self) -> list[Outcome]:
        """Return what each record must become, by the contract at its own arrival."""
        outcomes: list[Outcome] = []
        seen: set[str] = set()
        for sent in self.records:
            try:
                event = sent.event()
            except Rejected as rejected:
                outcomes.append(("dead", str(rejected.reason)))
                continue
            outcomes.append(("duplicate" if event.id in seen else "event", ""))
            seen |= {event.id} - {None}
        return outcomes


def of_this_run(row: Row, run: str, number: int) -> Row:
    """Return `row` with other event ids and another browser, of the same lengths, in all its bytes."""

    def changed(text: bytes) -> bytes:
        text = re.sub(rb"event-\d{3}(\d{3})", lambda told: b"%b%04x%b" % (run.encode(), number, told[1]), text)
        return text.replace(b"Firefox", browser_of(run, number).encode())

    stored = {
        name: changed(value.encode()).decode() if isinstance(value, str) else value
        for name, value in row.stored.items()
    }
    raw = row.raw and changed(row.raw)
    assert raw is None or row.raw is None or len(raw) == len(row.raw)
    return replace(row, raw=raw, stored=stored)


def browser_of(run: str, number: int) -> str:
    return f"{run}{number:02x}"


def mapped_fields(elastic: Elasticsearch) -> set[str]:
    def names(properties: dict[str, Any], prefix: str = "") -> Iterator[str]:
        for name, mapping in properties.items():
            yield prefix + name
            yield from names(mapping.get("properties", {}), f"{prefix}{name}.")

    mappings = elastic.indices.get_mapping(index="login-events-*").body.values()
    return {name for each in mappings for name in names(each["mappings"].get("properties", {}))}


@pytest.fixture(scope="module")
def sending(
    deployment: Deployment, ledger: Ledger, elastic: Elasticsearch, kafka: Callable[[str], dict[str, Any]]
) -> Sending:
    """Send all records as the account of the producer, and wait until the consumer is past them."""
    run = secrets.token_hex(3)[:5]
    groups: list[list[Row] | list[Step]] = [[row] for row in PAGE.rows] + list(PAGE.sequences.values())
    assert len(groups) <= 256, "browser_of has two digits for them"
    duplicates_before = ledger.sum_of("login-pipeline-*", "duplicates")
    # The broker's limit holds for what is on the wire: compressed, even a record of more than 1 MiB gets in.
    producer = KafkaProducer(**kafka("producer"), acks="all", compression_type="gzip", max_request_size=2 << 20)
    records: list[Sent] = []

    def send(number: int) -> None:
        for row in groups[number]:
            mine = of_this_run(row, run, number)
            # one key, so one partition: sequences keep their order
            told = producer.send(deployment.topic, mine.raw, key=run.encode()).get(timeout=30)
            records.append(Sent(mine, told.partition, told.offset, told.timestamp, browser_of(run, number)))

    def wait() -> None:
        ledger.wait_for({records[-1].partition: records[-1].offset + 1})

    try:
        send(0)  # a good record, so that its index is there
        wait()
        fields_before = mapped_fields(elastic)
        for number in range(1, len(groups)):
            send(number)
    finally:
        producer.close()
    wait()
    assert len({sent.partition for sent in records}) == 1
    return Sending(records, duplicates_before, fields_before)


@pytest.fixture(scope="module")
def found(sending: Sending, deployment: Deployment, elastic: Elasticsearch) -> Found:
    """Return the hits for the records sent, by `events` or `letters` and by offset."""

    def hits(index: str, place: str, ingested: str) -> dict[int, list[Any]]:
        first = sending.records[0]
        query = {
            "bool": {
                "filter": [
                    {"term": {f"{place}topic": deployment.topic}},
                    {"term": {f"{place}partition": first.partition}},
                    {"terms": {f"{place}offset": [sent.offset for sent in sending.records]}},
                    # not those of an earlier topic of this name
                    {"range": {ingested: {"gte": first.arrival, "format": "epoch_millis"}}},
                ]
            }
        }
        told: dict[int, list[Any]] = defaultdict(list)
        for hit in elastic.search(index=index, query=query, size=5 * len(sending.records))["hits"]["hits"]:
            told[field(hit["_source"], f"{place}offset")].append(hit)
        return told

    return {
        "events": hits("login-events-*", "login.kafka.", "event.ingested"),
        "letters": hits("login-dead-letters-*", "", "ingested"),
    }


def test_the_page_tells_what_the_contract_does_today(sending: Sending) -> None:
    pairs = [
        (sent.name, outcome, (sent.row.becomes, sent.row.reason))
        for sent, outcome in zip(sending.records, sending.expected(), strict=True)
        if sent.as_on_the_page()
    ]
    assert {name: outcome for name, outcome, _ in pairs} == {name: told for name, _, told in pairs}


def test_each_record_is_exactly_one_thing(sending: Sending, found: Found) -> None:
    outcomes = {}
    for sent in sending.records:
        events, letters = found["events"][sent.offset], found["letters"][sent.offset]
        assert len(events) + len(letters) <= 1, sent.name
        reason = letters[0]["_source"]["reason"] if letters else ""
        outcomes[sent.name] = ("event" if events else "dead" if letters else "duplicate", reason)
    names = [sent.name for sent in sending.records]
    assert outcomes == dict(zip(names, sending.expected(), strict=True))


def test_events_store_what_the_page_says(sending: Sending, found: Found) -> None:
    for sent, (becomes, _) in zip(sending.records, sending.expected(), strict=True):
        if becomes != "event":
            continue
        (hit,) = found["events"][sent.offset]
        source, expected = hit["_source"], dict(sent.row.stored)
        late = sent.arrival - sent.event().timestamp > DEFAULTS.late_after_seconds * 1000
        expected["login.late"] = late or None  # on the page the records of a sequence arrive in time
        if expected["event.id"] is PLACE:
            expected["event.id"] = hit["_id"]
        assert {name: field(source, name) for name in expected} == expected, sent.name
        assert source["event"]["id"] == hit["_id"], sent.name


def test_dead_letters_keep_the_very_bytes(sending: Sending, found: Found) -> None:
    for sent, (becomes, _) in zip(sending.records, sending.expected(), strict=True):
        if becomes == "dead":
            (hit,) = found["letters"][sent.offset]
            raw = hit["_source"].get("raw")
            assert (base64.b64decode(raw) if raw is not None else None) == sent.row.raw, sent.name
            assert hit["_source"]["detail"], sent.name


def test_duplicates_are_counted(sending: Sending, ledger: Ledger) -> None:
    counted = ledger.sum_of("login-pipeline-*", "duplicates") - sending.duplicates_before
    assert counted == sum(becomes == "duplicate" for becomes, _ in sending.expected())


@pytest.mark.parametrize("sequence", PAGE.sequences)
def test_windows_count_the_events_of_a_sequence(
    sequence: str, sending: Sending, deployment: Deployment, elastic: Elasticsearch
) -> None:
    span = deployment.window_seconds * 1000
    expected: Counter[int] = Counter()
    on_page: dict[int, int] = {}
    steps = [
        (sent, becomes)
        for sent, (becomes, _) in zip(sending.records, sending.expected(), strict=True)
        if sent.row.section == sequence
    ]
    for sent, becomes in steps:
        if becomes == "event":
            expected[sent.event().timestamp // span * span] += 1
        if isinstance(sent.row, Step) and sent.row.window is not None and sent.row.count is not None:
            on_page[sent.row.window] = sent.row.count
    if deployment.window_seconds == PAGE_WINDOW_SECONDS and all(sent.as_on_the_page() for sent, _ in steps):
        assert expected == on_page
    query = {"term": {"browser": steps[0][0].browser}}
    counted: Counter[int] = Counter()
    for hit in elastic.search(index="login-metrics-*", query=query, size=100)["hits"]["hits"]:
        counted[milliseconds(hit["_source"]["window_start"])] += hit["_source"]["count"]
    assert counted == expected


def test_extra_fields_leave_the_mapping_as_it_is(sending: Sending, elastic: Elasticsearch) -> None:
    assert mapped_fields(elastic) == sending.fields_before
    assert not any(name.startswith("extra") for name in sending.fields_before)
