# SPDX-License-Identifier: Apache-2.0
"""Shipped objects come into Kibana when they are missing or have changed, and users' changes stay until then."""

import json
from pathlib import Path
from typing import Any

import pytest
from kibana_saved_objects import Kibana, Refused, apply, shipped

VIEW = ("index-pattern", "login-events")
BOARD = ("dashboard", "login-overview")


def line(key: tuple[str, str], title: str) -> str:
    return json.dumps({"type": key[0], "id": key[1], "attributes": {"title": title}})


EXPORTS = [line(VIEW, "login-events-*") + "\n", line(BOARD, "Logins") + "\n"]


class Fake:
    """A Kibana that has objects by key."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], str] = {}

    def present(self, keys: list[tuple[str, str]]) -> set[tuple[str, str]]:
        return self.objects.keys() & set(keys)

    def put(self, lines: list[str]) -> None:
        self.objects |= shipped(["\n".join(lines)])


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record.json"


def run(kibana: Any, exports: list[str], record: Path, check: bool = False) -> list[str]:
    return apply(kibana, shipped(exports), record, check)


def test_what_is_missing_is_imported_once(record: Path) -> None:
    kibana = Fake()
    assert len(run(kibana, EXPORTS, record, check=True)) == 2
    assert not kibana.objects and not record.exists()
    assert run(kibana, EXPORTS, record) == [
        "index-pattern login-events-* imported: it was not there",
        "dashboard Logins imported: it was not there",
    ]
    assert run(kibana, EXPORTS, record) == []


def test_changes_made_in_kibana_stay(record: Path) -> None:
    kibana = Fake()
    run(kibana, EXPORTS, record)
    kibana.objects[BOARD] = "changed by a user"
    assert run(kibana, EXPORTS, record) == []
    assert kibana.objects[BOARD] == "changed by a user"


def test_another_shipped_version_replaces_and_says_so(record: Path) -> None:
    kibana = Fake()
    run(kibana, EXPORTS, record)
    newer = [EXPORTS[0], line(BOARD, "All logins")]
    (change,) = run(kibana, newer, record)
    assert "All logins imported: its shipped version is another" in change
    assert kibana.objects[BOARD] == newer[1]
    assert run(kibana, newer, record) == []


def test_what_a_user_deleted_comes_back(record: Path) -> None:
    kibana = Fake()
    run(kibana, EXPORTS, record)
    del kibana.objects[BOARD]
    assert run(kibana, EXPORTS, record) == ["dashboard Logins imported: it was not there"]


def test_without_a_record_nothing_is_overwritten(record: Path) -> None:
    kibana = Fake()
    run(kibana, EXPORTS, record)
    record.unlink()
    kibana.objects[BOARD] = "changed by a user"
    assert run(kibana, EXPORTS, record) == []
    assert kibana.objects[BOARD] == "changed by a user"
    assert run(kibana, [line(BOARD, "All logins")], record) != []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            {
                "success": False,
                "errors": [
                    {
                        "type": "dashboard",
                        "id": "login-overview",
                        "meta": {"title": "Logins"},
                        "error": {
                            "type": "missing_references",
                            "references": [{"type": "index-pattern", "id": "login-events"}],
                        },
                    }
                ],
            },
            r"dashboard login-overview \(Logins\): missing_references: index-pattern login-events",
        ),
        ({"success": True, "warnings": [{"message": "odd"}]}, "warning: odd"),
        ({"success": False}, "did not take all"),
    ],
)
def test_an_answer_of_200_is_not_yet_success(
    answer: dict[str, Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kibana, "call", lambda *_: answer)
    params = {"url": "https://kibana.example.org", "ca_file": "/ca.pem", "username": "u", "password": "p"}
    with pytest.raises(Refused, match=text):
        Kibana(params).put(EXPORTS)
