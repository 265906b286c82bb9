# SPDX-License-Identifier: Apache-2.0
"""A snapshot is read whole before a restore replaces anything; with services: tests/pipeline/test_restore.py."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from elasticsearch import BadRequestError
from login_common.elastic import Unavailable
from login_consumer import restore as restoring
from login_consumer import trial
from login_consumer.checkpoint import CheckpointError
from login_consumer.settings import BackupSettings, Settings
from login_consumer.snapshots import Position, Snapshot
from login_consumer.trial import PREFIX, innermost, require_readable

JANUARY, FEBRUARY, ACCOUNTS = "login-events-2026.01", "login-events-2026.02", "login-pipeline-2026.02"
DETAILS = (
    "failed shard on node [n]: failed recovery, failure RecoveryFailedException[Recovery failed on {a}]; nested: "
    "IndexShardRestoreFailedException[restore failed]; nested: CorruptIndexException[verification failed : expected=1 "
    "actual=2 (resource=name [_0.cfs])]; "
)


def snapshot(name: str, *indices: str, state: str = "SUCCESS") -> Snapshot:
    return Snapshot(name, state, 0, 1, indices, Position.metadata("login-events", None))


NEWEST = snapshot("c", JANUARY, FEBRUARY, ACCOUNTS)
ALL = [snapshot("a", ACCOUNTS), snapshot("b", JANUARY), NEWEST, snapshot("d", state="FAILED")]


class Stored:
    """A repository and its Elasticsearch; of the indices in `faults` the one copy cannot be restored."""

    def __init__(self, faults: dict[str, Any] | None = None, live: tuple[str, ...] = ()) -> None:
        self.faults, self.there = faults or {}, set(live)
        self.asked: list[tuple[str, str]] = []
        self.sink = self.indices = self.cat = self.cluster = self

    def snapshots(self) -> list[Snapshot]:
        return ALL

    def restore_copy(self, _: Snapshot, index: str, copy: str, settings: dict[str, Any]) -> str:
        assert not any(each.startswith(PREFIX) for each in self.there), "one copy at a time"
        assert settings["index.number_of_replicas"] == 0
        self.asked.append(("copy", index))
        if isinstance(self.faults.get(index), str):
            return str(self.faults[index])
        self.there.add(copy)
        return ""

    def restore(self, _: Snapshot, indices: list[str], features: Any) -> None:
        self.asked.append(("restore", ",".join(indices)))

    def ask(self, request: Callable[[Any], Any]) -> Any:
        return request(self)

    def resolve_index(self, **_: Any) -> Any:
        return {"indices": [{"name": each} for each in sorted(self.there)]}

    def delete(self, index: Any, **_: Any) -> None:
        names = [index] if isinstance(index, str) else index
        self.asked += [("delete", each) for each in names if each in self.there and not each.startswith(PREFIX)]
        self.there -= set(names)

    def shards(self, index: str, **_: Any) -> Any:
        state = "UNASSIGNED" if self.faults.get(index.removeprefix(PREFIX)) else "STARTED"
        return SimpleNamespace(body=[{"shard": "0", "state": state}])

    def allocation_explain(self, index: str, **_: Any) -> Any:
        return self.faults[index.removeprefix(PREFIX)]


def explained(details: str, attempts: int, *deciders: str) -> dict[str, Any]:
    told = [{"decider": each, "decision": "NO", "explanation": f"{each} says no"} for each in deciders]
    unassigned = {"details": details, "failed_allocation_attempts": attempts}
    return {"unassigned_info": unassigned, "node_allocation_decisions": [{"deciders": told}]}


CORRUPT = explained(DETAILS, 1, "restore_in_progress")
DISK = explained("", 0, "disk_threshold", "restore_in_progress")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_UNDECIDED_S", 0.02)
    monkeypatch.setattr(trial, "_STEP_S", 0.01)


def tried(stored: Any) -> None:
    require_readable(stored, ALL, NEWEST, NEWEST.indices, lambda _: None)


def test_each_index_is_read_under_another_name_and_removed() -> None:
    stored = Stored(live=(JANUARY,))
    tried(stored)
    assert stored.asked == [("copy", each) for each in NEWEST.indices] and stored.there == {JANUARY}


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (CORRUPT, r"CorruptIndexException\[verification failed"),
        ("Elasticsearch answered 404: snapshot_missing_exception", "snapshot_missing"),
    ],
)
def test_what_is_damaged_is_named_with_the_backups_that_share_it(fault: Any, why: str) -> None:
    stored = Stored({JANUARY: fault})
    with pytest.raises(CheckpointError, match=r"^nothing was changed: 1 of 3 indices of snapshot c") as raised:
        tried(stored)
    assert raised.match(f"{JANUARY}: .*{why}") and raised.match("share the damaged files: b; without them: a\\.")
    assert stored.there == set() and ("copy", ACCOUNTS) in stored.asked  # all are tried, so that all are named


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (DISK, "disk_threshold says no"),
        (explained("; nested: IOException[No space left on device]; ", 5, "restore_in_progress"), "No space left"),
    ],
)
def test_a_disk_without_room_is_no_damage(fault: Any, why: str) -> None:
    stored = Stored({FEBRUARY: fault})
    with pytest.raises(Unavailable, match=f"^nothing was changed. Whether index {FEBRUARY}.*{why}"):
        tried(stored)
    assert stored.there == set()


def test_a_copy_of_a_trial_that_was_interrupted_goes() -> None:
    stored = Stored(live=(PREFIX + JANUARY,))
    tried(stored)
    assert stored.there == set()


def test_a_shard_that_has_a_node_by_now_is_no_fault() -> None:
    def away(**_: Any) -> Any:
        raise BadRequestError("illegal_argument_exception", SimpleNamespace(status=400), {})  # type: ignore[arg-type]

    client: Any = SimpleNamespace(cluster=SimpleNamespace(allocation_explain=away))
    assert trial._refused(client, "a", 0) == ("", [])


def test_the_innermost_cause_is_told() -> None:
    assert innermost(DETAILS).startswith("CorruptIndexException[verification failed")
    assert innermost("plain") == "plain" and "see its log" in innermost("")


@pytest.mark.parametrize("fault", [None, CORRUPT, DISK, "broken metadata"])
@pytest.mark.parametrize("index", NEWEST.indices)
def test_nothing_is_deleted_before_all_is_read(
    fault: Any, index: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = Stored({index: fault}, live=(JANUARY, "login-events-2026.01-copy"))
    monkeypatch.setattr(restoring, "Repository", lambda _: stored)
    monkeypatch.setattr(restoring, "topic_state", lambda _: None)
    monkeypatch.setattr(restoring, "what_follows", lambda *_: 0)
    monkeypatch.setattr(restoring, "_cut_accounts", lambda *_: 0)
    monkeypatch.setattr(restoring, "_check_position", lambda *_: None)
    elasticsearch = settings.elasticsearch.model_dump()
    backup = BackupSettings.model_validate({"elasticsearch": elasticsearch, "repository": "r"})
    if fault:
        with pytest.raises((CheckpointError, Unavailable), match=r"^nothing was changed"):
            restoring.restore(backup, settings, "c", False, lambda _: None)
        assert not [each for each in stored.asked if each[0] != "copy"]
        assert stored.there == {JANUARY, "login-events-2026.01-copy"}
    else:
        restoring.restore(backup, settings, "c", False, lambda _: None)
        assert stored.asked[-2:] == [("delete", JANUARY), ("restore", ",".join(NEWEST.indices))]
