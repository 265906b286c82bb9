# SPDX-License-Identifier: Apache-2.0
"""Which indices and checkpoints a retention removes; with services: tests/pipeline/test_retention.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from login_common.settings import SettingsError
from login_common.times import rfc3339_ms
from login_consumer import retention as module
from login_consumer.checkpoint import kept_aside, move_aside
from login_consumer.counts import OffsetRange
from login_consumer.periods import Index, first_kept
from login_consumer.retention import Removed, clean_beginning, retention
from login_consumer.settings import RetentionSettings, load_retention_settings
from login_consumer.witness import ClockDoubted

NOW = rfc3339_ms("2026-03-15T12:00:00Z")
HOUR = 3_600_000


def ms(date: str) -> int:
    return rfc3339_ms(f"{date}T00:00:00Z")


@pytest.mark.parametrize(
    ("name", "first", "after"),
    [
        ("login-events-2026.02", "2026-02-01", "2026-03-01"),
        ("login-events-2024.02.29", "2024-02-29", "2024-03-01"),
        ("login-dead-letters-2025.12", "2025-12-01", "2026-01-01"),
        ("login-pipeline-2025.12", "2025-12-01", "2026-01-01"),
    ],
)
def test_a_name_tells_its_time(name: str, first: str, after: str) -> None:
    index = Index.of(name)
    assert index is not None and index.name == name
    assert index.span == OffsetRange(ms(first), ms(after))


@pytest.mark.parametrize(
    "name",
    [
        "login-events-2026.13",
        "login-events-2026.02.30",
        "login-events-2026.2",
        "login-events-2026.02-copy",
        "login-events-2026.02\n",
        "restored-login-events-2026.02",
        "login-metrics-2026.02.01",  # only events may have an index a day
        "login-events-٢٠٢٦.02",
        "login-events-0000.01",
        "login-check-2026.02",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    assert Index.of(name) is None


def test_an_index_goes_when_its_last_moment_is_old_enough() -> None:
    month = Index.of("login-events-2026.01")
    assert month
    assert not month.is_over(ms("2026-02-11") - 1, 10)
    assert month.is_over(ms("2026-02-11"), 10)
    assert first_kept(ms("2026-02-11") - 1, 10, "month") == ms("2026-01-01")
    assert first_kept(ms("2026-02-11"), 10, "month") == ms("2026-02-01")
    assert first_kept(ms("2026-02-11"), 10, "day") == ms("2026-02-01")
    assert first_kept(NOW, 10**6, "month") == 0


def indices(*names: str) -> list[Index]:
    return [index for name in names if (index := Index.of(name))]


OLD = indices("login-pipeline-2025.12", "login-pipeline-2026.01")


@pytest.mark.parametrize(
    ("sequences", "gone"),
    [
        ({"2025.12": (0, 9), "2026.01": (10, 19), "2026.03": (20, 25)}, 2),
        ({"2025.12": (0, 9), "2026.01": (10, 19)}, 1),  # the newest account
        ({"2025.12": (0, 9)}, 0),
        ({"2025.12": (0, 9), "2026.01": (10, 20), "2026.03": (19, 25)}, 1),  # batches of one month among the next one's
        ({"2025.12": (0, 11), "2026.01": (10, 20), "2026.03": (19, 25)}, 0),
        ({"2026.03": (20, 25)}, 2),  # without a document of this topic
        ({}, 2),
    ],
)
def test_accounts_go_from_their_beginning_and_something_stays(sequences: dict[str, Any], gone: int) -> None:
    told = {f"login-pipeline-{name}": OffsetRange(first, last + 1) for name, (first, last) in sequences.items()}
    assert clean_beginning(OLD, told) == OLD[:gone]


@pytest.fixture
def settings(tmp_path: Path) -> RetentionSettings:
    return RetentionSettings.model_validate(
        {
            "elasticsearch": {"hosts": ["https://es.example.org:9200"], "ca_file": "/ca.pem", "api_key": "key"},
            "events_days": 400,
            "checkpoint_dir": str(tmp_path / "checkpoint"),
        }
    )


class Elastic:
    """An Elasticsearch with these indices, as far as a retention asks for it: each has 7 documents."""

    def __init__(self, *names: str, closed: tuple[str, ...] = ()) -> None:
        self.names, self.closed = [*names, *closed], closed
        self.deleted: list[list[str]] = []
        self.accounts = [NOW - hours * HOUR for hours in (1, 4 * 24)]
        self.indices = self

    def resolve_index(self, **_: Any) -> Any:
        states = {name: ["closed" if name in self.closed else "open"] for name in self.names}
        return {"indices": [{"name": name, "attributes": state} for name, state in states.items()]}

    def refresh(self, **_: Any) -> None:
        pass

    def number_of(self, index: str, query: Any) -> int:
        assert index not in self.closed
        if "range" not in query:
            return 7
        span = query["range"]["@timestamp"]
        return sum(span["gte"] <= each < span.get("lt", each + 1) for each in self.accounts)

    def search(self, index: str, **options: Any) -> Any:
        assert index not in self.closed
        if "aggs" not in options:
            return {"hits": {"hits": [{"_source": {"@timestamp": "then", "loss": "3 records were deleted"}}]}}
        names = sorted(name for name in self.names if name.startswith("login-pipeline-"))
        bounds = [{"key": name, "first": {"value": n}, "last": {"value": n}} for n, name in enumerate(names)]
        return {"aggregations": {"indices": {"buckets": bounds}}}

    def delete(self, index: list[str], **_: Any) -> None:
        self.deleted.append(index)

    def ask(self, request: Callable[[Any], Any]) -> Any:
        return request(self)


def run(
    settings: RetentionSettings,
    elastic: Elastic,
    monkeypatch: pytest.MonkeyPatch,
    dry_run: bool = False,
    force: bool = False,
) -> tuple[Removed, str]:
    lines: list[str] = []
    monkeypatch.setattr(module, "Sink", lambda _: elastic)
    return retention(settings, NOW, dry_run, lines.append, force), "\n".join(lines)


STORED = (
    "login-events-2025.01",  # its end is 408 days ago
    "login-events-2025.02",
    "login-metrics-2025.01",
    "login-events-2025.01.31",
    "login-events-2025.01-copy",
    "login-dead-letters-2025.11",
    "login-dead-letters-2025.12",
    "login-pipeline-2026.01",
    "login-pipeline-2026.02",
    "login-pipeline-2026.03",
)
GONE = {
    "login-events-2025.01",
    "login-events-2025.01.31",
    "login-metrics-2025.01",
    "login-dead-letters-2025.11",
    "login-pipeline-2026.01",
}


def test_each_family_has_its_own_retention(settings: RetentionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    elastic = Elastic(*STORED)
    done, told = run(settings, elastic, monkeypatch)
    assert set().union(*elastic.deleted) == GONE
    assert done == Removed(5, 35, 0)
    assert all(f"deletes {name}: 7 documents" in told for name in GONE)
    assert "an audit tells this no more: then: 3 records were deleted" in told


def test_a_dry_run_deletes_nothing(settings: RetentionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    elastic = Elastic(*STORED)
    done, told = run(settings, elastic, monkeypatch, dry_run=True)
    assert elastic.deleted == [] and done.indices == len(GONE) and told.count("would delete") == len(GONE)


def test_the_newest_account_stays_however_old(settings: RetentionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    elastic = Elastic("login-pipeline-2020.01", "login-pipeline-2020.02")
    _, told = run(settings, elastic, monkeypatch)
    assert elastic.deleted == [["login-pipeline-2020.01"]] and "keeps login-pipeline-2020.02" in told


def test_a_closed_index_is_deleted_uncounted(settings: RetentionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    elastic = Elastic(closed=("login-events-2020.01",))
    done, told = run(settings, elastic, monkeypatch)
    assert done == Removed(1, 0, 0) and "login-events-2020.01: it is closed" in told


def test_many_names_go_in_several_requests(settings: RetentionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"login-events-20{year:02}.{month:02}" for year in range(10, 20) for month in range(1, 13)]
    elastic = Elastic(*names)
    run(settings, elastic, monkeypatch)
    assert [len(each) for each in elastic.deleted] == [50, 50, 20]


def test_old_checkpoints_go(settings: RetentionSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    in_use = settings.checkpoint_dir
    old, young, other = (
        in_use.with_name(f"checkpoint.{name}")
        for name in ("20260208T115959.000000", "20260208T120001.000000", "20260208")
    )
    for each in (in_use, old, young, other):
        each.mkdir()
    in_use.with_name("checkpoint.lock").touch()
    assert [directory for directory, _ in kept_aside(in_use)] == [old, young]
    assert run(settings, Elastic(), monkeypatch, dry_run=True)[0].checkpoints == 1 and old.exists()
    assert run(settings, Elastic(), monkeypatch)[0].checkpoints == 1
    assert not old.exists() and all(each.exists() for each in (in_use, young, other))


# How many hours before the clock's time batches were written
AHEAD = {
    "jumped by a year": [365 * 24],
    "jumped by a year, and batches were written since": [365 * 24, 1, 0],
    "consumer stopped for four days": [4 * 24, 5 * 24],
    "nothing was ever written": [],
}


@pytest.mark.parametrize("hours", AHEAD.values(), ids=AHEAD)
def test_a_clock_that_may_be_ahead_deletes_nothing(
    settings: RetentionSettings, monkeypatch: pytest.MonkeyPatch, hours: list[int]
) -> None:
    aside = settings.checkpoint_dir.with_name("checkpoint.20200101T000000.000000")
    aside.mkdir()
    for names in (STORED, ()):
        elastic = Elastic(*names)
        elastic.accounts = [NOW - each * HOUR for each in hours]
        with pytest.raises(ClockDoubted, match=r"it may be ahead\. Nothing was deleted.*--force"):
            run(settings, elastic, monkeypatch)
        assert elastic.deleted == [] and aside.exists()
        assert "a run would stop: the clock says 2026-03-15" in run(settings, elastic, monkeypatch, dry_run=True)[1]
    elastic = Elastic(*STORED)
    elastic.accounts = []
    run(settings, elastic, monkeypatch, force=True)
    assert set().union(*elastic.deleted) == GONE and not aside.exists()


def test_without_anything_old_no_witness_is_needed(
    settings: RetentionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    elastic = Elastic("login-events-2026.03")
    elastic.accounts = []
    assert run(settings, elastic, monkeypatch)[0] == Removed(0, 0, 0)


def test_what_is_moved_aside_is_found_again(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/metadata").touch()
    aside = move_aside(tmp_path / "checkpoint")
    assert [directory for directory, _ in kept_aside(tmp_path / "checkpoint")] == [aside]


def test_dead_letters_outlive_the_accounts_of_their_time(tmp_path: Path) -> None:
    path = tmp_path / "retention.toml"
    path.write_text(
        'progress_days = 60\n[elasticsearch]\nhosts = ["https://es:9200"]\nca_file = "/ca.pem"\napi_key = "key"\n'
    )
    with pytest.raises(SettingsError, match=r"dead_letters_days must be at least progress_days \+ 31"):
        load_retention_settings(path)
