# SPDX-License-Identifier: Apache-2.0
"""docs/records.md is what the consumer does: every record of the page, by its very bytes."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from login_consumer.documents import Document, Origin, Topic, count_windows, event_document
from login_consumer.settings import Events
from login_formats import Limits
from login_formats.native import parse
from login_formats.reasons import Reason, Rejected
from records import PAGE as PAGE_FILE
from records import PLACE, Page, Row, Step, field

REPOSITORY = Path(__file__).parents[3]
PAGE = Page()
STEPS = [step for steps in PAGE.sequences.values() for step in steps]
DEFAULTS = Events()
LIMITS = Limits.of(DEFAULTS.max_future_seconds, DEFAULTS.max_age_days)
WINDOW_MS = 60_000


def document_of(row: Row, offset: int = 7) -> Document:
    """Return the document of the record at `offset`. Raises Rejected."""
    event = parse(row.raw, row.arrival, LIMITS)
    late = row.arrival - event.timestamp > DEFAULTS.late_after_seconds * 1000
    origin = Origin(topic=Topic("login-events", "T1"), partition=0, offset=offset, timestamp=row.arrival)
    return event_document(event, origin, "month", late, row.arrival)


def check(row: Row) -> None:
    if row.becomes == "dead":
        with pytest.raises(Rejected) as caught:
            document_of(row)
        assert caught.value.reason == row.reason
        assert caught.value.detail
        return
    document = document_of(row)
    source = json.loads(document.source)
    found = {name: field(source, name) for name in row.stored}
    assert found == {name: document.id if value is PLACE else value for name, value in row.stored.items()}
    assert document.id == source["event"]["id"]
    # without an id of its own, each place in Kafka is another document
    assert (document_of(row, offset=8).id == document.id) == (row.stored.get("event.id") is not PLACE)


@pytest.mark.parametrize("row", PAGE.rows, ids=lambda row: f"{row.section}: {row.what}")
def test_record(row: Row) -> None:
    assert row.becomes in ("event", "dead"), "a duplicate needs a record before it"
    check(row)


@pytest.mark.parametrize("steps", PAGE.sequences.values(), ids=PAGE.sequences)
def test_sequence(steps: list[Step]) -> None:
    stored: set[str] = set()
    windows: Counter[int] = Counter()
    for offset, step in enumerate(steps):
        if step.becomes == "dead":
            assert (step.window, step.count) == (None, None)
        else:
            identity = document_of(step, offset).id
            assert step.becomes == ("duplicate" if identity in stored else "event")
            (key,) = count_windows([parse(step.raw, step.arrival, LIMITS)], WINDOW_MS)
            windows[key.start] += identity not in stored
            stored.add(identity)
            assert (key.start, windows[key.start]) == (step.window, step.count)
        check(step)


@pytest.fixture(params=["UTC", "America/New_York", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def test_times_mean_the_same_in_every_zone(zone: str) -> None:
    assert (time.timezone == 0) == (zone == "UTC"), "this machine does not know the zone"
    rows = [row for row in PAGE.rows if row.section == "Timestamps"]
    assert rows
    for row in [*rows, *STEPS]:
        check(row)
    test_sequence(PAGE.sequences["Two hours with one name on the clocks of Berlin"])


def test_every_reason_has_its_record() -> None:
    told = {row.reason for row in [*PAGE.rows, *STEPS] if row.becomes == "dead"}
    others = {Reason.FORMAT_UNKNOWN, Reason.HEADER_INVALID, Reason.NOT_A_LINE, Reason.SEVERAL_EVENTS}
    others.add(Reason.UNRECOGNISED)
    of_the_worker = {Reason.REFUSED, Reason.EVENT_ID_RESERVED, Reason.UNREADABLE}
    assert set(Reason) - told == others | of_the_worker, "those of the worker are tested there, others with the formats"
    assert told < set(Reason)


def test_no_record_is_told_twice() -> None:
    raws = Counter(row.raw for row in PAGE.rows)
    assert [raw for raw, count in raws.items() if count > 1] == []


def test_the_named_tests_exist() -> None:
    assert PAGE.tests
    for path, _, name in (test.partition("::") for test in PAGE.tests):
        assert f"def {name}(" in (REPOSITORY / path).read_text(), name


@pytest.mark.parametrize(
    ("record", "raw"),
    [
        ("*no value*", None),
        ("*zero bytes*", b""),
        ("`G`", b'{"id":"e","n":1}'),
        ('`G, no id, n: {"a": 1, "b": 2}, x: "é", and n: 2`', '{"n":{"a": 1, "b": 2},"x":"é","n":2}'.encode()),
        (r"`\x20\xe9\u00e9`", b"\x20\xe9" rb"\u00e9"),
        ("`<3 of ab>`", b"ababab"),
        ('`<"k#":1 for # from 0 to 2>`', b'"k0":1,"k1":1,"k2":1'),
        ("`a<fill to 4>b`", b"axxb"),
        ("`[ + string(G, no id) + ]`", rb'["{\"n\":1}"]'),
    ],
)
def test_notation(record: str, raw: bytes | None) -> None:
    page = Page('```json\n{"id":"e","n":1}\n```\narrive at `2026-11-01T00:00:00Z`')
    assert page.raw(record) == raw


def test_the_base_record_is_what_the_page_shows() -> None:
    assert f"```json\n{PAGE.raw('`G`').decode()}\n```" in PAGE_FILE.read_text()
