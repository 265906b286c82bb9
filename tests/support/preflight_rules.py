# SPDX-License-Identifier: Apache-2.0
"""Tables of the preflight's rules: which hosts each one refuses, with which words, and which ones beside these pass."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from preflight_tasks import PREFLIGHT, ROOT, Host, Preflight

ASSERT, ROLE, TASKS = (f"ansible.builtin.{name}" for name in ("assert", "include_role", "include_tasks"))

# By the path of an assertion: hosts that are refused, each with words of the message, and hosts that pass.
Rules = dict[str, tuple[list[tuple[Host, list[str]]], list[Host]]]


def check(rules: Rules, path: str) -> None:
    """A rule refuses what it has to, each of its conditions is the reason for some host, and others pass."""
    refused, accepted = rules[path]
    broken = set()
    for host, words in refused:
        outcome = Preflight(host).do(path)
        assert outcome.refusals, f"passes: {host}"
        text = "\n".join(outcome.refusals)
        assert [word for word in words if word not in text] == [], text
        broken |= set(outcome.conditions)
    assert broken == set(assertions()[path]), "these conditions are broken by some host"
    passed = [Preflight(host).do(path) for host in accepted]
    assert [outcome.refusals for outcome in passed] == [[]] * len(passed)
    assert any(outcome.evaluated for outcome in passed), "the rule is skipped for each host that passes"


@cache
def assertions() -> dict[str, list[str]]:
    """Return the conditions of all assertions of the preflight by their paths."""
    play = yaml.safe_load(PREFLIGHT.read_text())[0]
    roles = list(dict.fromkeys(each["role"] for each in play["vars"]["__preflight_roles"]))
    found: dict[str, list[str]] = {}
    for task in _flat(play["tasks"]):
        name = task.get(ROLE, {}).get("name", "")
        for role in roles if "__preflight_step" in name else [name]:
            found |= dict(_below(task, "", PREFLIGHT.parent, role))
    return found


def _below(task: dict[str, Any], before: str, folder: Path, role: str) -> Iterator[tuple[str, list[str]]]:
    """Yield path and conditions of an assertion, or of all that a task includes."""
    if ASSERT in task:
        that = task[ASSERT]["that"]
        yield before + task["name"], that if isinstance(that, list) else [that]
    if ROLE in task:
        file = ROOT / "roles" / role / "tasks" / f"{task[ROLE]['tasks_from']}.yml"
    elif TASKS in task:
        file = folder / task[TASKS]["file"]
    else:
        return
    inner = f"{before}{task['name']} > " if before else f"{role}: "
    for each in _flat(yaml.safe_load(file.read_text()) if file.exists() else []):
        yield from _below(each, inner, file.parent, each.get(ROLE, {}).get("name", ""))


def _flat(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from _flat(task.get(part, []))
