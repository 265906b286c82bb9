# SPDX-License-Identifier: Apache-2.0
"""What tools/changes makes of Ansible's own words."""

import json
from typing import Any

import changes
import pytest


def run(*tasks: tuple[str, dict[str, dict[str, Any]]], failures: int = 0) -> str:
    """Return what ansible.posix.json prints, with what other callbacks print around it."""
    hosts = {host for _, results in tasks for host in results}
    told = {
        "plays": [{"tasks": [{"task": {"name": name}, "hosts": results} for name, results in tasks]}],
        "stats": {host: {"failures": failures, "unreachable": 0} for host in hosts},
    }
    return f"Thursday 26 November  0:00:00.030 *****\n{json.dumps(told, indent=4)}\n====\ntotal 1s\n"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(text: str) -> tuple[int, str, str]:
        file = tmp_path / "run.json"
        file.write_text(text)
        monkeypatch.setattr("sys.argv", ["changes", str(file)])
        code = changes.main()
        return code, *capsys.readouterr()

    return call


def test_hosts_that_differ_are_named_with_what_would_change(shown: Any) -> None:
    items = [{"changed": True, "_ansible_item_label": "a.conf"}, {"changed": False, "_ansible_item_label": "b.conf"}]
    text = run(
        ("kafka : Write the settings", {"one": {"changed": True, "results": items}, "two": {"changed": False}}),
        ("kafka : Start Kafka", {"one": {"changed": True}}),
    )
    code, out, err = shown(text)
    assert (code, err) == (2, "")
    assert out.splitlines() == [
        "one",
        "  kafka : Write the settings: a.conf",
        "  kafka : Start Kafka",
        "",
        "site.yml would change 2 things on 1 of 2 hosts",
    ]


def test_what_a_module_tells_line_by_line_is_shown() -> None:
    result = {"changed": True, "changes": ["topic logins: cleanup.policy compact -> delete"]}
    told = changes.read(run(("kafka : make topics", {"one": result})))
    assert told is not None
    assert changes.changes(told) == {"one": ["kafka : make topics: topic logins: cleanup.policy compact -> delete"]}


def test_nothing_to_change(shown: Any) -> None:
    assert shown(run(("a", {"one": {"changed": False}}))) == (0, "nothing would change\n", "")


def test_a_run_that_fails_is_no_answer(shown: Any) -> None:
    tasks = ("a", {"one": {"changed": True}}), ("b", {"one": {"failed": True, "msg": "no\n password"}})
    assert shown(run(*tasks, failures=1)) == (1, "", "one: b: no password\n")


def test_a_failure_that_was_rescued_is_none(shown: Any) -> None:
    assert shown(run(("a", {"one": {"failed": True, "msg": "no"}})))[0] == 0


def test_a_run_that_did_not_begin(shown: Any) -> None:
    assert shown("")[0] == 1
