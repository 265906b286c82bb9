# SPDX-License-Identifier: Apache-2.0
"""Which backups are kept, and what they tell; with services: tests/pipeline/test_backup.py."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from login_common.elastic import Unavailable
from login_common.times import rfc3339_ms
from login_consumer import backup as module
from login_consumer.backup import as_text, backup, look, status, too_old
from login_consumer.counts import OffsetRange
from login_consumer.progress import Progress
from login_consumer.settings import BackupSettings
from login_consumer.snapshots import Position, Snapshot, name_of

DAY = 86_400_000
NOWHERE = Path("/nowhere/verified.json")
NOW = rfc3339_ms("2026-03-15T12:00:00Z")
ELASTICSEARCH = {"hosts": ["https://es.example.org:9200"], "ca_file": "/ca.pem", "api_key": "key"}
OURS = {"made_by": "login-consumer", "topic": "login-events", "sequence": 7}


def snapshot(days: float, state: str = "SUCCESS", **other: Any) -> Snapshot:
    """One that began so many days ago."""
    start = round(NOW - days * DAY)
    fields = {"name": name_of(start), "state": state, "start": start, "end": start + 1500, "indices": ("a", "b")}
    return Snapshot(**{**fields, "metadata": OURS, **other})


def ages(snapshots: list[Snapshot], days: int = 30, least: int = 2) -> list[float]:
    return [(NOW - each.start) / DAY for each in too_old(snapshots, NOW, days, least)]


def test_good_ones_go_by_age_but_the_newest_stay() -> None:
    assert ages([snapshot(age) for age in (33, 32, 31, 30, 1)]) == [33, 32, 31]
    assert ages([snapshot(age) for age in (34, 33, 32, 31)]) == [34, 33]
    assert ages([snapshot(age) for age in (34, 33)]) == []


@pytest.mark.parametrize("state", ["FAILED", "PARTIAL"])
def test_others_go_once_there_is_a_good_one_after_them(state: str) -> None:
    assert ages([snapshot(3), snapshot(2, state), snapshot(1)]) == [2]
    assert ages([snapshot(3), snapshot(2, state)]) == []
    # they count for nothing among the newest
    assert ages([snapshot(40), snapshot(39), snapshot(38, state), snapshot(37, state)]) == []


def test_one_that_is_being_made_stays() -> None:
    assert ages([snapshot(3, "IN_PROGRESS"), snapshot(1)]) == []


@pytest.mark.parametrize(
    ("name", "metadata", "ours"),
    [
        ("login-20260315t120000z", OURS, True),
        ("login-20260315t120000z", {}, False),
        ("login-20260315t120000z", {"made_by": "somebody"}, False),
        ("login-20260315t120000z-copy", OURS, False),
        ("login-before-upgrade", OURS, False),
    ],
)
def test_which_are_ours(name: str, metadata: dict[str, Any], ours: bool) -> None:
    assert snapshot(1, name=name, metadata=metadata).is_ours == ours


def progress(partitions: int) -> Progress:
    ranges = {partition: OffsetRange(10_000_000, 10_000_040) for partition in range(partitions)}
    shape = {"events.period": "month", "metrics.window_seconds": 60, "metrics.keys": ["start", "country"], "schema": 1}
    lineage = "01234567-89ab-cdef-0123-456789abcdef"
    return Progress(lineage, 7, 30, "T1", ranges, shape, {})


def test_the_metadata_bring_the_position_back() -> None:
    known = Position.progress(json.loads(json.dumps(Position.metadata("login-events", progress(6)))))
    assert known and (known.id, known.sequence, known.topic_id) == (progress(6).id, 30, "T1")
    assert known.offsets == progress(6).offsets and known.shape == progress(6).shape


@pytest.mark.parametrize("partitions", [6, 30, 200, 10_000])
def test_the_metadata_are_never_too_long_for_elasticsearch(partitions: int) -> None:
    told = Position.metadata("login-events", progress(partitions))
    assert len(json.dumps(told)) < 1024 and told["sequence"] == 30
    assert (Position.progress(told) is None) == (partitions > 30)


def test_a_pipeline_that_has_read_nothing_has_a_position() -> None:
    told = Position.metadata("login-events", None)
    assert told["sequence"] == -1 and Position.progress(told) is None


def test_the_status_tells_the_newest_good_one() -> None:
    told = status([snapshot(3), snapshot(2), snapshot(1, "PARTIAL")], NOW)
    assert told["last_good"]["name"] == name_of(NOW - 2 * DAY) and told["age_seconds"] == 2 * 86_400
    assert [each["state"] for each in told["backups"]] == ["SUCCESS", "SUCCESS", "PARTIAL"]
    *_, last = as_text(told)
    assert last == f"last good backup: {name_of(NOW - 2 * DAY)}, 172800 s ago"


def test_the_status_without_a_good_one() -> None:
    told = status([snapshot(1, "FAILED")], NOW)
    assert told["last_good"] is None and told["age_seconds"] is None
    assert list(as_text(told))[-1].startswith("there is no good backup; if there was one")


@pytest.mark.parametrize("snapshots", [[], [snapshot(1, "FAILED")]])
def test_a_folder_that_is_not_mounted_is_named(snapshots: list[Snapshot]) -> None:
    stored = Stored(snapshots, [])
    told = look(stored, NOW, NOWHERE)  # type: ignore[arg-type]
    assert "in the repository r (/srv/backup); if there was one" in list(as_text(told))[-1]
    stored.fault = "not every node can write to it"
    with pytest.raises(Unavailable, match=r"no backup is seen in the repository r \(/srv/backup\): not every.*mounted"):
        look(stored, NOW, NOWHERE)  # type: ignore[arg-type]
    stored.fault = "the disk of the repository r is full (500)"
    assert look(stored, NOW, NOWHERE)["last_good"] is None  # type: ignore[arg-type]


def test_a_good_backup_needs_no_other_look() -> None:
    stored = Stored([snapshot(1)], [])
    stored.fault = "away"
    assert look(stored, NOW, NOWHERE)["last_good"]["name"] == name_of(NOW - DAY)  # type: ignore[arg-type]


def test_elasticsearchs_own_reasons_are_kept() -> None:
    told = {
        "snapshot": "login-20260315t120000z",
        "state": "PARTIAL",
        "start_time_in_millis": NOW,
        "reason": "shards failed",
        "failures": [{"index": "login-events-2026.03", "reason": "No space left on device"}],
        "feature_states": [{"feature_name": "kibana", "indices": [".kibana_1"]}],
    }
    found = Snapshot.of(told)
    assert found.failures == ("shards failed", "login-events-2026.03: No space left on device")
    assert found.features == ("kibana",) and not found.is_good and not found.is_ours


class Stored:
    """A repository with these snapshots, beside an Elasticsearch whose accounts are so many days old."""

    def __init__(self, snapshots: list[Snapshot], accounts: list[float]) -> None:
        self._snapshots, self.accounts = snapshots, [NOW - age * DAY for age in accounts]
        self.deleted: list[str] = []
        self.fault = ""
        self.sink = self

    def check(self) -> None:
        if self.fault:
            raise Unavailable(self.fault)

    def where(self) -> str:
        return "r (/srv/backup)"

    def snapshots(self) -> list[Snapshot]:
        return self._snapshots

    def make(self, name: str, metadata: Any, _: bool) -> Snapshot:
        self._snapshots = [*self._snapshots, snapshot(0, name=name, metadata=OURS | metadata | {"sequence": 8})]
        return self._snapshots[-1]

    def delete(self, names: list[str]) -> None:
        self.deleted += names

    def bytes_of(self, _: str) -> tuple[int, int]:
        return 1, 2

    def ask(self, request: Callable[[Any], Any]) -> Any:
        return request(self)

    def number_of(self, _: str, query: Any) -> int:
        span = query["range"]["@timestamp"]
        return sum(span["gte"] <= each < span.get("lt", each + 1) for each in self.accounts)


@pytest.mark.parametrize(
    ("accounts", "force", "deletes"),
    [
        ([0, 4], False, True),
        ([365], False, False),  # the clock has jumped
        ([365, 0], False, False),  # and batches were written since
        ([4, 5], False, False),  # the consumer stands
        ([365], True, True),
    ],
)
def test_a_clock_that_may_be_ahead_deletes_no_backup(
    accounts: list[float], force: bool, deletes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Stored([snapshot(age) for age in (40, 39, 38, 2)], accounts)
    monkeypatch.setattr(module, "Repository", lambda _: stored)
    monkeypatch.setattr(module, "last_progress", lambda *_: progress(1))
    settings = BackupSettings.model_validate({"elasticsearch": ELASTICSEARCH, "repository": "r"})
    made = backup(settings, NOW, False, lambda _: None, force)
    assert made.snapshot.is_good and made.kept == (3 if deletes else 5)
    assert stored.deleted == ([name_of(NOW - age * DAY) for age in (40, 39)] if deletes else [])
    assert ("it may be ahead. Nothing was deleted" in made.doubt) != deletes
