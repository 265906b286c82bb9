# SPDX-License-Identifier: Apache-2.0
"""Shows by host what a run of site.yml in check mode would have changed; reads what ansible.posix.json tells.

Exit code 0: nothing; 1: the run has failed; 2: something.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Run = dict[str, Any]


def read(text: str) -> Run | None:
    """Return the run in Ansible's output, None if it has ended before it could tell."""
    begin = text.find("{\n")  # the other callbacks' lines stand around it
    run: Run | None = json.JSONDecoder().raw_decode(text[begin:])[0] if begin >= 0 else None
    return run


def faults(run: Run) -> list[str]:
    """Return what has ended the run of a host, empty if all hosts came to the end."""
    stopped = {host for host, stats in run["stats"].items() if stats["failures"] or stats["unreachable"]}
    return [
        f"{host}: {task}: {' '.join(str(result.get('msg', '')).split())}"
        for host, task, result in _results(run)
        if host in stopped and (result.get("failed") or result.get("unreachable"))
    ]


def changes(run: Run) -> dict[str, list[str]]:
    """Return by host what would change there, in the order of the run."""
    found: dict[str, list[str]] = {}
    for host, task, result in _results(run):
        if result.get("changed"):
            items = [str(each["_ansible_item_label"]) for each in result.get("results", []) if each.get("changed")]
            # The modules of this project tell each change in a line.
            items = items or [str(line) for line in result.get("changes", [])]
            found.setdefault(host, []).append(f"{task}: {', '.join(items)}" if items else task)
    return found


def _results(run: Run) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for play in run["plays"]:
        for task in play["tasks"]:
            for host, result in task["hosts"].items():
                yield host, task["task"]["name"], result


def main() -> int:
    run = read(Path(sys.argv[1]).read_text())
    if run is None:
        return 1
    if stopped := faults(run):
        print("\n".join(stopped), file=sys.stderr)
        return 1
    found = changes(run)
    for host, lines in found.items():
        print("\n".join([host, *(f"  {line}" for line in lines), ""]))
    number = sum(map(len, found.values()))
    print(
        f"site.yml would change {number} things on {len(found)} of {len(run['stats'])} hosts"
        if found
        else "nothing would change"
    )
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main())
