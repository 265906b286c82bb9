# SPDX-License-Identifier: Apache-2.0
"""What a verification of the newest backup keeps and says; with services: tests/pipeline/test_backup_verify.py."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from login_common.elastic import Unavailable
from login_consumer import trial, verify
from login_consumer.checkpoint import CheckpointError
from login_consumer.settings import BackupSettings
from login_consumer.snapshots import Position, Snapshot
from login_consumer.trial import Fault
from login_consumer.verify import Room, as_text, last_verified, require_room

GB = 10**9
JANUARY, FEBRUARY = "login-events-2026.01", "login-pipeline-2026.02"
SIZES = {JANUARY: 3 * GB, FEBRUARY: GB, ".kibana_8": 50 * GB}


def snapshot(name: str, *indices: str, state: str = "SUCCESS") -> Snapshot:
    return Snapshot(name, state, 0, 1, indices, Position.metadata("login-events", None))


class Stored:
    """A repository with three snapshots, of which the newest good one is `b`, on one node with 100 GB."""

    free = 50 * GB

    def __init__(self) -> None:
        self.there = [
            snapshot("a", FEBRUARY),
            snapshot("b", JANUARY, FEBRUARY, ".kibana_8"),
            snapshot("c", state="FAILED"),
        ]
        self.sink = self.nodes = self

    def snapshots(self) -> list[Snapshot]:
        return self.there

    def where(self) -> str:
        return "login-backup (/srv/b)"

    def bytes_by_index(self, name: str) -> dict[str, int]:
        assert name == "b"
        return SIZES

    def ask(self, request: Callable[[Any], Any]) -> Any:
        return request(self)

    def stats(self, **_: Any) -> Any:
        data = [{"path": "/var/lib/elasticsearch", "available_in_bytes": self.free, "total_in_bytes": 100 * GB}]
        node = {"name": "n1", "roles": ["data_content", "master"], "fs": {"data": data}}
        master = {"name": "n2", "roles": ["master"], "fs": {"data": [data[0] | {"available_in_bytes": 99 * GB}]}}
        return SimpleNamespace(body={"nodes": {"1": node, "2": master}})


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Stored:
    made = Stored()
    monkeypatch.setattr(verify, "Repository", lambda _: made)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> BackupSettings:
    elasticsearch = {"hosts": ["https://es.example.org:9200"], "ca_file": "/ca.pem", "api_key": "key"}
    kept = {"verified_file": tmp_path / "verified.json", "verified_metrics": tmp_path / "metrics.prom"}
    return BackupSettings.model_validate({"elasticsearch": elasticsearch, "repository": "r"} | kept)


def finding(monkeypatch: pytest.MonkeyPatch, *faults: Fault) -> list[str]:
    """Let the trial find these faults; return the list that gets what it tried."""
    tried: list[str] = []
    monkeypatch.setattr(trial, "_faults", lambda _, __, indices: tried.extend(indices) or faults)
    return tried


def run(settings: BackupSettings) -> dict[str, Any]:
    return verify.verify(settings, lambda _: None)


@pytest.mark.usefixtures("stored")
def test_all_of_the_newest_good_one_is_read(settings: BackupSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = finding(monkeypatch)
    told = run(settings)
    assert tried == [JANUARY, FEBRUARY], "not what Kibana keeps"
    assert (told["snapshot"], told["indices"], told["bytes"], told["damaged"]) == ("b", 2, 4 * GB, {})
    assert last_verified(settings.verified_file) == told
    assert next(as_text(told)).endswith("2 indices, 4000000000 bytes; all can be read")
    assert settings.verified_metrics and "login_backup_damaged_indices 0" in settings.verified_metrics.read_text()


@pytest.mark.usefixtures("stored")
def test_what_is_damaged_is_kept_and_told(settings: BackupSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    finding(monkeypatch, Fault(FEBRUARY, "CorruptIndexException"))
    with pytest.raises(
        CheckpointError, match=f"^1 of 2 indices of snapshot b cannot be read. {FEBRUARY}: Corrupt.* a;"
    ):
        run(settings)
    told = last_verified(settings.verified_file)
    assert told is not None and told["damaged"] == {FEBRUARY: "CorruptIndexException"} and told["shared_with"] == ["a"]
    lines = "\n".join(as_text(told))
    assert lines.startswith("DAMAGED: b at ") and f"  {FEBRUARY}: Corrupt" in lines and "share the damage: a" in lines
    assert settings.verified_metrics and "login_backup_damaged_indices 1" in settings.verified_metrics.read_text()


def test_without_room_nothing_is_begun(
    stored: Stored, settings: BackupSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = finding(monkeypatch)
    stored.free = 23 * GB - 1  # 3 GB for the copy, and 20 % of 100 GB; a node without data does not help
    with pytest.raises(
        Unavailable, match=f"{JANUARY} takes 3000000000 bytes.*n1: /var/lib/elasticsearch has 22999999999"
    ):
        run(settings)
    assert tried == [] and last_verified(settings.verified_file) is None
    stored.free += 1
    run(settings)
    assert tried


def test_the_copies_go_to_one_node() -> None:
    rooms = [Room("a", "/a", 10, 100), Room("b", "/b", 60, 100)]
    require_room(rooms, "i", 40, 20)
    for none in (rooms[:1], []):
        with pytest.raises(Unavailable, match="not verified"):
            require_room(none, "i", 40, 20)


def test_without_a_good_backup_its_place_is_named(stored: Stored, settings: BackupSettings) -> None:
    stored.there = [snapshot("c", state="FAILED")]
    with pytest.raises(CheckpointError, match=r"no good backup to verify in the repository login-backup \(/srv/b\)"):
        run(settings)


def test_before_the_first_one_that_is_told(settings: BackupSettings) -> None:
    assert last_verified(settings.verified_file) is None
    assert list(as_text(None)) == ["no backup was verified yet: systemctl start login-backup-verify"]


def test_copies_are_hidden_from_patterns() -> None:
    assert trial._COPY["index.hidden"] is True
    json.dumps(trial._COPY)
