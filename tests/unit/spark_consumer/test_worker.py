# SPDX-License-Identifier: Apache-2.0
"""How the answers for documents become the account of a batch."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from login_common.elastic import Unavailable
from login_common.settings import SettingsError
from login_consumer import worker as worker_module
from login_consumer.answers import CREATED, Item
from login_consumer.counts import Counts, OffsetRange
from login_consumer.documents import Document, Stored, Topic
from login_consumer.oversized import COLUMNS
from login_consumer.settings import GeoIP, Settings
from login_consumer.unrecognised import PER_MINUTE
from login_consumer.worker import Worker
from login_formats.reasons import Reason
from mmdb_writer import MMDBWriter
from netaddr import IPSet

NOW = 1_772_359_260_000  # 2026-03-01T10:01:00Z
LOG_APPEND_TIME, CREATE_TIME = 1, 0


class Store:
    """Holds documents by index and id, refuses those named in `refuse`, and fails if `fault` is set."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.refuse: set[str] = set()
        self.fault = ""

    def create(self, documents: Sequence[Document]) -> list[Item]:
        if self.fault:
            raise Unavailable(self.fault)
        return [self._create(document) for document in documents]

    def _create(self, document: Document) -> Item:
        if document.id in self.refuse and document.target.startswith("login-events"):
            return Item(400, "document_parsing_exception", "failed to parse")
        if (document.target, document.id) in self.documents:
            return Item(409)
        self.documents[document.target, document.id] = json.loads(document.source)
        return CREATED

    def stored(self, documents: Sequence[Document]) -> list[Stored]:
        return [Stored.of(self.documents[each.target, each.id]) for each in documents]

    def sources(self, documents: Sequence[Document], fields: Sequence[str]) -> list[dict[str, Any]]:
        found = [self.documents[each.target, each.id] for each in documents]
        return [{name: each[name] for name in fields} for each in found]

    def named(self, prefix: str) -> list[dict[str, Any]]:
        return [fields for (target, _), fields in self.documents.items() if target.startswith(prefix)]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    monkeypatch.setattr(worker_module, "_sink", lambda _: made)
    return made


def message(event_id: str | None, **changes: Any) -> bytes:
    fields = {"event_id": event_id, "user_id": "u1", "timestamp": "2026-03-01T10:00:00Z", "outcome": "success"}
    return json.dumps(fields | changes).encode()


CUT = pa.struct([("size", pa.int64()), ("header_bytes", pa.int64()), ("sha256", pa.string())])
HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))


def records(
    values: Sequence[bytes | None],
    first: int = 0,
    kind: int = LOG_APPEND_TIME,
    headers: Mapping[str, bytes | None] | None = None,
    cut: Mapping[str, Any] | None = None,
) -> pa.RecordBatch:
    pairs = headers and [{"key": key, "value": value} for key, value in headers.items()]
    count = len(values)
    columns = [
        pa.array(values, pa.binary()),
        pa.array([0] * count, pa.int32()),
        pa.array(range(first, first + count), pa.int64()),
        pa.array([NOW] * count, pa.int64()),
        pa.array([kind] * count, pa.int32()),
        pa.array([pairs] * count, HEADERS),
        pa.array([cut] * count, CUT),
    ]
    return pa.RecordBatch.from_arrays(columns, names=list(COLUMNS))


def run(settings: Settings, *batches: pa.RecordBatch, topic_id: str = "T1") -> Counts:
    (row,) = Worker(settings, Topic("login-events", topic_id))(batches)
    return Counts.from_bytes(row.column("counts")[0].as_py())


def test_every_record_is_accounted_for(settings: Settings, store: Store) -> None:
    store.refuse = {"bad"}
    values = [message("a"), message("b"), message("a", outcome="failure"), b"junk", None, message("bad")]
    counts = run(settings, records(values, first=10))
    counts.check()
    assert (counts.read, counts.indexed, counts.duplicates) == (6, 2, 1)
    assert counts.dead == {"not_json": 1, "null_value": 1, "refused": 1}
    assert counts.offsets == {0: [OffsetRange(10, 16)]}
    assert set(counts.by_index("month")) == {"login-events-2026.03"}
    assert list(counts.windows.values()) == [2]
    assert sorted(letter["offset"] for letter in store.named("login-dead-letters")) == [13, 14, 15]
    (kept,) = (fields for fields in store.named("login-events") if fields["event"]["id"] == "a")
    assert kept["event"]["outcome"] == "success", "the first copy wins"


def test_a_refused_document_costs_no_other(settings: Settings, store: Store) -> None:
    store.refuse = {"e2"}
    batch = records([message(f"e{number}") for number in range(1001)])
    counts = run(settings, batch)
    counts.check()
    assert (counts.indexed, counts.dead) == (1000, {"refused": 1})
    (letter,) = store.named("login-dead-letters")
    assert (letter["offset"], letter["detail"]) == (2, "400 document_parsing_exception: failed to parse")
    assert base64.b64decode(letter["raw"]) == batch.column("value")[2].as_py()


def test_a_replay_counts_the_same_and_writes_nothing_new(settings: Settings, store: Store) -> None:
    store.refuse = {"bad"}
    batch = records([message("a"), message("a"), message(None), b"junk", message("bad")])
    first, before = run(settings, batch), dict(store.documents)
    assert run(settings, batch) == first
    assert store.documents == before


@pytest.mark.parametrize(
    ("head", "size", "header_bytes", "detail"),
    [
        (
            b"x" * 1024,
            3 << 20,
            0,
            "3145728 bytes of value, above 2097152: only the first 1024 bytes of the value are kept",
        ),
        (b"{}", 2, 70_000, "70000 bytes of headers, above 65536: only the first 2 bytes of the value are kept"),
        (None, 0, 70_000, "70000 bytes of headers, above 65536: only the first 0 bytes of the value are kept"),
    ],
)
def test_a_record_that_was_cut_is_accounted_for(
    settings: Settings, store: Store, head: bytes | None, size: int, header_bytes: int, detail: str
) -> None:
    cut = {"size": size, "header_bytes": header_bytes, "sha256": "5e" * 32}
    counts = run(settings, records([head], first=7, cut=cut), records([message("a")], first=8))
    counts.check()
    assert (counts.read, counts.indexed, counts.dead) == (2, 1, {"too_large": 1})
    (letter,) = store.named("login-dead-letters")
    assert {name: letter[name] for name in ("offset", "detail", "size", "sha256")} == {
        "offset": 7,
        "detail": detail,
        "size": size,
        "sha256": "5e" * 32,
    }
    assert (base64.b64decode(letter["head"]), "raw" in letter) == (head or b"", False)


def test_a_crash_halfway_counts_the_same(settings: Settings, store: Store) -> None:
    batch = records([message("a"), message("b"), message("a"), message("c")])
    run(settings, batch.slice(0, 2))
    counts = run(settings, batch)
    assert (counts.indexed, counts.duplicates) == (3, 1)


def test_the_same_event_from_another_offset_is_a_duplicate(settings: Settings, store: Store) -> None:
    run(settings, records([message("a")], first=0))
    counts = run(settings, records([message("a")], first=5))
    assert (counts.indexed, counts.duplicates, counts.windows.total()) == (0, 1, 0)


def test_the_same_offset_of_a_topic_made_anew_is_another_record(settings: Settings, store: Store) -> None:
    batch = records([message("a"), message(None), b"junk"])
    run(settings, batch)
    counts = run(settings, batch, topic_id="T2")
    assert (counts.indexed, counts.duplicates, counts.dead.total()) == (1, 1, 1)
    assert len(store.named("login-dead-letters")) == 2


def test_gaps_in_the_offsets_are_kept(settings: Settings, store: Store) -> None:
    counts = run(settings, records([message("a")], first=3), records([message("b")], first=7))
    assert counts.offsets == {0: [OffsetRange(3, 4), OffsetRange(7, 8)]}


@pytest.mark.parametrize("header", [None, {"login-id": b"T1-0-1"}])
def test_an_id_of_the_consumers_own_making_is_refused(
    settings: Settings, store: Store, header: dict[str, bytes] | None
) -> None:
    """Else whoever sends it first has the record of that place taken for a duplicate."""
    counts = run(
        settings, records([message(None if header else "T1-0-1")], headers=header), records([message(None)], first=1)
    )
    assert (counts.indexed, counts.duplicates, counts.dead) == (1, 0, {"event_id_reserved": 1})
    (stored,) = store.named("login-events")
    assert (stored["event"]["id"], stored["login"]["kafka"]["offset"]) == ("T1-0-1", 1)
    assert run(settings, records([message("T2-0-1"), message("T1")], first=2)).indexed == 2


def test_equal_events_without_an_id_are_two_events(settings: Settings, store: Store) -> None:
    assert run(settings, records([message(None), message(None)])).indexed == 2


def test_several_arrow_batches_make_one_account(settings: Settings, store: Store) -> None:
    counts = run(settings, *(records([message(f"e{number}")], first=number) for number in range(7)))
    assert (counts.read, counts.indexed) == (7, 7)
    assert counts.offsets == {0: [OffsetRange(0, 7)]}


def test_an_unavailable_store_is_told_and_the_input_read_to_its_end(settings: Settings, store: Store) -> None:
    store.fault = "it is away"
    batches = iter([records([message("a")], first=number) for number in range(9)])
    (row,) = Worker(settings, Topic("login-events", "T1"))(batches)
    assert Counts.from_bytes(row.column("counts")[0].as_py()).unavailable == "it is away"
    assert next(batches, None) is None


def test_a_refused_dead_letter_stops_the_batch(settings: Settings, store: Store) -> None:
    store.create = lambda documents: [Item(400, "strict_dynamic_mapping_exception", "no")] * len(documents)  # type: ignore[method-assign]
    assert "dead letter was refused" in run(settings, records([b"junk"])).unavailable


def test_late_is_judged_by_arrival(settings: Settings, store: Store) -> None:
    early = message("late", timestamp=NOW - 600_001)
    run(settings, records([early, message("on-time", timestamp=NOW - 600_000)]))
    late = {fields["event"]["id"]: fields["login"].get("late") for fields in store.named("login-events")}
    assert late == {"late": True, "on-time": None}


def test_a_producers_own_time_is_not_trusted(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    year = 365 * 86_400_000
    ahead = message("a", timestamp=NOW + year)
    assert run(settings, records([ahead], kind=LOG_APPEND_TIME)).dead == {"timestamp_in_future": 1}
    monkeypatch.setattr(worker_module, "_now_ms", lambda: NOW + year)
    assert run(settings, records([ahead], kind=LOG_APPEND_TIME)).dead == {"timestamp_in_future": 1}
    assert run(settings, records([ahead], kind=CREATE_TIME)).indexed == 1


OKTA = json.dumps(
    {
        "uuid": "okta-1",
        "published": "2026-03-01T10:00:00Z",
        "eventType": "user.session.start",
        "actor": {"alternateId": "alice@example.org"},
        "outcome": {"result": "FAILURE"},
    }
).encode()


def test_a_header_tells_the_format(settings: Settings, store: Store) -> None:
    counts = run(settings, records([OKTA], headers={"login-format": b"okta", "traceparent": b"x"}))
    (fields,) = store.named("login-events")
    assert (counts.indexed, fields["user"]["name"], fields["event"]["outcome"]) == (1, "alice@example.org", "failure")
    assert fields["event"]["original"] == OKTA.decode()


def test_without_a_header_the_setting_tells_the_format(settings: Settings, store: Store) -> None:
    okta = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"format": "okta"})})
    assert run(okta, records([OKTA, message("a")], first=0)).indexed == 1
    assert run(okta, records([message("a")], first=5, headers={"login-format": b"native"})).indexed == 1


def test_what_is_no_login_is_counted_and_stored_nowhere(settings: Settings, store: Store) -> None:
    end = OKTA.replace(b"session.start", b"session.end")
    counts = run(settings, records([end, OKTA], headers={"login-format": b"okta"}))
    counts.check()
    assert (counts.read, counts.indexed, counts.ignored, len(store.documents)) == (2, 1, 1, 1)


def test_an_unrecognised_record_is_counted_and_kept_up_to_a_bound(settings: Settings, store: Store) -> None:
    flood = [b'{"hello":"world"}'] * (PER_MINUTE + 50)
    batch = records([*flood, b"junk"], headers={"login-format": b"okta"})
    counts = run(settings, batch)
    counts.check()
    assert (counts.read, counts.ignored, counts.indexed) == (PER_MINUTE + 51, 0, 0)
    assert (counts.unrecognised, counts.unrecognised_kept) == (PER_MINUTE + 50, PER_MINUTE)
    assert counts.dead == {"not_json": 1}, "the unrecognised ones are not among them"
    before = dict(store.documents)
    assert run(settings, batch) == counts
    assert store.documents == before
    letters = [each for each in store.named("login-dead-letters") if each["reason"] == Reason.UNRECOGNISED]
    assert {letter["detail"] for letter in letters} == {"eventType is missing"}
    assert run(settings, records([message("a")], first=500)).unrecognised == 0


def test_a_dead_letter_keeps_the_headers(settings: Settings, store: Store) -> None:
    headers = {"login-format": b"guess", "note": None}
    assert run(settings, records([message("a")], headers=headers)).dead == {"format_unknown": 1}
    (letter,) = store.named("login-dead-letters")
    value = base64.b64encode(b"guess").decode()
    assert letter["headers"] == [{"key": "login-format", "value": value}, {"key": "note", "value": None}]
    assert "okta" in letter["detail"]


def test_an_event_without_an_id_has_that_of_the_header(settings: Settings, store: Store) -> None:
    counts = run(settings, records([message(None), message("own"), message(None)], headers={"login-id": b"line-7"}))
    assert (counts.indexed, counts.duplicates) == (2, 1)
    assert {fields["event"]["id"] for fields in store.named("login-events")} == {"line-7", "own"}


def test_a_replay_counts_an_event_as_what_it_is_stored(settings: Settings, store: Store) -> None:
    run(settings, records([message("a", country="DE")]))
    counts = run(settings, records([message("a", country="FR", browser="Firefox")]))
    ((key, count),) = counts.windows.items()
    assert (key.country, key.browser, count) == ("DE", None, 1)


def test_what_the_user_agent_and_the_address_tell_is_added(settings: Settings, store: Store, tmp_path: Path) -> None:
    writer = MMDBWriter(4, "GeoLite2-Country")
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"country": {"iso_code": "SE"}})
    writer.to_db_file(str(tmp_path / "places.mmdb"))
    located = settings.model_copy(update={"geoip": GeoIP(places=tmp_path / "places.mmdb")})
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
    counts = run(located, records([message("a", source_ip="192.0.2.1", user_agent=agent)]))
    (fields,) = store.named("login-events")
    assert fields["source"]["geo"]["country_iso_code"] == "SE"
    assert fields["user_agent"]["name"] == "Firefox" and fields["user_agent"]["version"] == "133.0"
    ((key, _),) = counts.windows.items()
    assert (key.country, key.browser) == ("SE", "Firefox")


def test_a_database_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.mmdb").write_bytes(b"no database")
    with pytest.raises(SettingsError, match=r"broken\.mmdb cannot be opened"):
        GeoIP(places=tmp_path / "broken.mmdb").open()
