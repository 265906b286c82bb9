# SPDX-License-Identifier: Apache-2.0
"""The documents and their index templates: the same fields, ids that replays meet again."""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from login_consumer.counts import Counts, Mark, OffsetRange
from login_consumer.documents import (
    DEAD_LETTERS,
    EVENTS,
    METRICS,
    PIPELINE,
    Origin,
    Topic,
    WindowKey,
    count_windows,
    dead_letter,
    event_document,
    index_name,
    iso,
    metric_id,
    metric_update,
)
from login_consumer.oversized import Cut, cut_letter
from login_consumer.privacy import SCHEME, WITHHELD, Protection
from login_consumer.progress import Batch, Progress, Times, progress_lines
from login_consumer.tombstones import event_tombstone, letter_tombstone
from login_formats import Event
from login_formats.event import OWN
from login_formats.fields import FIELDS, Kind
from login_formats.reasons import Reason, Rejected

TEN = 1_772_359_200_000  # 2026-03-01T10:00:00Z
NEW_YEAR = 1_767_225_600_000  # 2026-01-01T00:00:00Z
ORIGIN = Origin(Topic("login-events", "T1"), 2, 77, TEN + 5)
FULL = Event("e-1", "u1", TEN, "Firefox", "DE", "failure", "192.0.2.1", "192.0.2.1", "Mozilla/5.0", "bad password")
KEY = WindowKey(TEN, "DE", "Firefox", "failure")
BARE = Event(None, "u1", TEN, None, None, "unknown", None, None, None, None)
REPOSITORY = Path(__file__).parents[3]


def full_event() -> dict[str, Any]:
    return dict(json.loads(event_document(FULL, ORIGIN, "month", True, TEN).source))


VALUES = {Kind.TEXT: "x", Kind.WHOLE: 1, Kind.NUMBER: 0.5, Kind.TRUTH: True, Kind.TEXTS: ["x"]}


def fullest_event() -> dict[str, Any]:
    """Return an event that has every field there is."""
    more = {name: VALUES[kind] for name, kind in FIELDS.items() if name not in OWN} | {SCHEME: "x"}
    return dict(json.loads(event_document(FULL._replace(more=more), ORIGIN, "month", True, TEN).source))


def full_metric() -> dict[str, Any]:
    line = metric_update(KEY, 3, 60_000, "lineage", 4).splitlines()[1]
    return dict(json.loads(line)["upsert"])


def full_letter() -> dict[str, Any]:
    # what a replay adds later
    replay = {"replay": {"state": "sent", "started": TEN, "at": TEN, "partition": 2, "offset": 7}}
    headers = [("login-format", b"sshd")]
    protected = Protection(["user"], "a key", keep_original=False)
    whole = json.loads(dead_letter(Rejected(Reason.NOT_JSON), b"\xff", ORIGIN, TEN, headers).source)
    cut = json.loads(cut_letter(Cut(3 << 20, 0, "5e" * 32), b"{", ORIGIN, TEN).source)
    withheld = json.loads(dead_letter(Rejected(Reason.NOT_JSON), b"", ORIGIN, TEN, protection=protected).source)
    return cut | whole | replay | {WITHHELD: withheld[WITHHELD]}


SHAPE = {"schema": 1, "events.period": "month"}


def full_progress() -> dict[str, Any]:
    counts = Counts(
        read=4,
        indexed=2,
        duplicates=1,
        dead=Counter({"not_json": 1}),
        windows=Counter({WindowKey(TEN, "DE", "Firefox", "success"): 2}),
        offsets={2: [OffsetRange(70, 74)]},
        marks={2: Mark(73, TEN + 10)},
        arrivals=Counter({TEN: 1, TEN + 10: 3}),
        arrival_last=TEN + 10,
    )
    ranges = {0: OffsetRange(9, 9), 2: OffsetRange(68, 74)}
    batch = Batch(
        "lineage",
        4,
        17,
        Topic("login-events", "T1"),
        ranges,
        SHAPE,
        6,
        "two records",
        {0: Mark(8, TEN), 2: Mark(67, TEN)},
    )
    return dict(json.loads(progress_lines(batch, counts, Times(10, 5, 5, TEN + 100)).splitlines()[1]))


def leaves(fields: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of a document's fields."""
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def mapped(name: str) -> tuple[set[str], set[str]]:
    """Return the dotted names that a template maps, and those of objects stored without looking inside."""
    template = (REPOSITORY / f"roles/spark_consumer/templates/index_templates/{name}.json.j2").read_text()
    # the variables are numbers and a text; any will do here
    body = json.loads(re.sub(r"\{\{.*?\}\}", "1", template))
    assert body["index_patterns"] == [f"{name}-*"]
    assert body["template"]["mappings"]["dynamic"] == "strict"
    fields: set[str] = set()
    opaque: set[str] = set()

    def collect(properties: dict[str, Any], prefix: str) -> None:
        for field, mapping in properties.items():
            if "properties" in mapping:
                collect(mapping["properties"], f"{prefix}{field}.")
            else:
                (opaque if mapping.get("enabled") is False else fields).add(f"{prefix}{field}")

    collect(body["template"]["mappings"]["properties"], "")
    return fields, opaque


@pytest.mark.parametrize(
    ("name", "document"),
    [
        (EVENTS, fullest_event()),
        (METRICS, full_metric() | {"rebuild": "a mark"}),
        (DEAD_LETTERS, full_letter()),
        (PIPELINE, full_progress()),
    ],
)
def test_template_and_document_have_the_same_fields(name: str, document: dict[str, Any]) -> None:
    fields, opaque = mapped(name)
    assert opaque <= set(document)
    written = [document]
    written += [event_tombstone(document, "a time")] if name == EVENTS else []
    written += [letter_tombstone(document, "a time")] if name == DEAD_LETTERS else []
    assert {field for each in written for field in leaves(each) if field.split(".")[0] not in opaque} == fields


def test_event_in_ecs() -> None:
    assert full_event() == {
        "@timestamp": "2026-03-01T10:00:00.000Z",
        "ecs": {"version": "8.17.0"},
        "event": {
            "id": "e-1",
            "ingested": "2026-03-01T10:00:00.000Z",
            "kind": "event",
            "category": ["authentication"],
            "type": ["start"],
            "outcome": "failure",
            "reason": "bad password",
        },
        "user": {"id": "u1"},
        "source": {"address": "192.0.2.1", "ip": "192.0.2.1", "geo": {"country_iso_code": "DE"}},
        "user_agent": {"name": "Firefox", "original": "Mozilla/5.0"},
        "login": {"late": True, "kafka": {"topic": "login-events", "topic_id": "T1", "partition": 2, "offset": 77}},
    }


@pytest.mark.parametrize("event", [FULL, BARE, FULL._replace(user_id=None), FULL._replace(more={SCHEME: "x"})])
def test_both_ways_to_a_document_give_the_same(event: Event) -> None:
    for late in (True, False):
        quick = event_document(event, ORIGIN, "month", late, TEN)
        slow = event_document(
            event._replace(more={**(event.more or {}), "user.name": None}), ORIGIN, "month", late, TEN
        )
        assert json.loads(quick.source) == json.loads(slow.source)
        assert (quick.target, quick.id) == (slow.target, slow.id)


def test_absent_fields_are_absent() -> None:
    document = event_document(BARE, ORIGIN, "month", False, TEN)
    assert document.id == "T1-2-77"
    fields = json.loads(document.source)
    assert fields["event"]["id"] == document.id
    assert set(fields) == {"@timestamp", "ecs", "event", "user", "login"}
    assert "late" not in fields["login"]


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\0", "\u2028", "\N{GRINNING FACE}", "}{", "%b"])
def test_texts_are_escaped(text: str) -> None:
    event = Event(text, text, TEN, text, "DE", "success", text, None, text, text)
    action, source = event_document(event, ORIGIN, "month", False, TEN).action().rstrip(b"\n").split(b"\n")
    assert json.loads(action) == {"create": {"_index": "login-events-2026.03", "_id": text}}
    fields = json.loads(source)
    assert fields["user_agent"] == {"name": text, "original": text}
    assert (fields["user"]["id"], fields["event"]["id"], fields["event"]["reason"]) == (text, text, text)
    assert fields["source"]["address"] == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (TEN + 7, "2026-03-01T10:00:00.007Z"),
        (NEW_YEAR - 1, "2025-12-31T23:59:59.999Z"),
    ],
)
def test_iso(moment: int, text: str) -> None:
    assert iso(moment) == text


def test_index_follows_the_time_in_utc() -> None:
    assert index_name(EVENTS, NEW_YEAR - 1) == "login-events-2025.12"
    assert index_name(EVENTS, NEW_YEAR) == "login-events-2026.01"
    assert index_name(EVENTS, NEW_YEAR, "day") == "login-events-2026.01.01"
    assert index_name(DEAD_LETTERS, -1) == "login-dead-letters-1970.01"
    assert index_name(DEAD_LETTERS, 1 << 62) == "login-dead-letters-1970.01"


def test_dead_letter_keeps_the_bytes() -> None:
    letter = full_letter()
    assert base64.b64decode(letter["raw"]) == b"\xff"
    assert (letter["reason"], letter["size"], letter["offset"]) == ("not_json", 1, 77)
    tombstone = json.loads(dead_letter(Rejected(Reason.NULL_VALUE), None, ORIGIN, TEN).source)
    assert "raw" not in tombstone


@pytest.mark.parametrize("timestamp", [-1, 1 << 62])
def test_dead_letter_of_a_record_without_a_usable_time(timestamp: int) -> None:
    letter = dead_letter(Rejected(Reason.NOT_JSON), b"", ORIGIN._replace(timestamp=timestamp), TEN)
    assert json.loads(letter.source)["@timestamp"] == "1970-01-01T00:00:00.000Z"
    assert letter.target == "login-dead-letters-1970.01"


def test_windows_start_at_whole_minutes() -> None:
    events = [FULL._replace(timestamp=TEN + later) for later in (0, 59_999, 60_000)]
    assert count_windows(events, 60_000) == {KEY: 2, KEY._replace(start=TEN + 60_000): 1}


def test_metric_ids_tell_keys_apart() -> None:
    keys = [
        WindowKey(start, country, browser, outcome)
        for start in (TEN, TEN + 60_000)
        for country in (None, "DE", "US")
        for browser in (None, "a", "a|", "|a", "a|success", "DE|a")
        for outcome in ("success", "failure", "unknown")
    ]
    assert len({metric_id(key) for key in keys}) == len(keys)


def test_metric_update_is_guarded_by_lineage_and_batch() -> None:
    action, body = (json.loads(line) for line in metric_update(KEY, 3, 60_000, "L", 4).splitlines())
    assert action["update"]["_index"] == "login-metrics-2026.03"
    assert body["script"]["params"] == {"lineage": "L", "batch": 4, "count": 3}
    assert body["upsert"]["count"] == 3
    assert (body["upsert"]["lineage"], body["upsert"]["last_batch"]) == ("L", 4)
    assert body["upsert"]["window_end"] == "2026-03-01T10:01:00.000Z"


def test_progress_tells_latency_offsets_and_loss() -> None:
    progress = full_progress()
    assert progress["latency_ms"] == {"p50": 90, "p95": 100, "p99": 100, "max": 100}
    assert progress["ranges"] == [
        {"partition": 0, "first": 9, "next": 9, "last": [8, TEN]},
        {"partition": 2, "first": 68, "next": 74, "last": [73, TEN + 10]},
    ]
    assert progress["records_per_second"] == 200.0
    assert (progress["lag"], progress["lag_seconds"], progress["skipped"]) == (6, 0.09, 2)
    assert progress["skipped_ranges"] == [{"partition": 2, "first": 68, "next": 70}]
    assert progress["loss"] == "two records"


def test_progress_is_read_back() -> None:
    read = Progress.of(full_progress())
    assert (read.id, read.sequence, read.topic_id, read.shape) == ("lineage-4", 17, "T1", SHAPE)
    assert read.offsets == {0: 9, 2: 74}
    assert read.marks == {0: Mark(8, TEN), 2: Mark(73, TEN + 10)}


def test_progress_of_an_older_release_names_no_records() -> None:
    older = full_progress()
    for each in older["ranges"]:
        del each["last"]
    assert (Progress.of(older).offsets, Progress.of(older).marks) == ({0: 9, 2: 74}, {})


def test_the_account_of_an_empty_batch_is_filed_under_its_own_time() -> None:
    batch = Batch("lineage", 4, 17, Topic("login-events", "T1"), {}, SHAPE)
    action = progress_lines(batch, Counts(), Times(10, 5, 5, TEN)).splitlines()[0]
    assert json.loads(action)["index"]["_index"] == "login-pipeline-2026.03"
