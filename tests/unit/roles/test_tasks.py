# SPDX-License-Identifier: Apache-2.0
"""What holds for each task of the roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
URI = "ansible.builtin.uri"


def _requests(tasks: list[dict[str, Any]], defaults: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield name and settings of each request to a service, those of the blocks around it included."""
    for task in tasks:
        inner = defaults | task.get("module_defaults", {}).get(URI, {})
        for part in ("block", "rescue", "always"):
            yield from _requests(task.get(part, []), inner)
        if URI in task:
            yield {"name": task["name"]} | inner | task[URI]


def test_no_request_to_a_service_goes_by_the_proxy_that_a_host_has_for_downloads() -> None:
    found = [
        request | {"file": path.relative_to(ROOT)}
        for path in sorted(ROOT.glob("roles/*/tasks/*.yml"))
        for request in _requests(yaml.safe_load(path.read_text()) or [], {})
    ]
    assert len(found) > 5
    assert [request for request in found if request.get("use_proxy") is not False] == []
