# SPDX-License-Identifier: Apache-2.0
"""Which indices cannot be read now, and why: red, closed, blocked, or whatever else.

Each index is asked by itself, so that none hides another. That takes `read` and `view_index_metadata` on them, and no
right to see the cluster.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from login_common.elastic import BUSY, RED_CURE, Client, error_in, status_cause

_AT_ONCE = 200
_NOTHING: dict[str, Any] = {"size": 0, "track_total_hits": False}
_PASSES_S, _STEP_S = 5.0, 0.5
"""An index that was made just now answers within this time."""


def indices(client: Client, patterns: Sequence[str]) -> dict[str, str]:
    """Return all indices of `patterns`, open or closed, each with why it cannot be read now and what helps; else "".

    Raises the client's own errors.
    """
    end = time.monotonic() + _PASSES_S
    while True:
        found = _look(client, patterns)
        if not any(each.may_pass for each in found.values()) or time.monotonic() > end:
            return {name: each.why for name, each in sorted(found.items())}
        time.sleep(_STEP_S)


def unreadable(client: Client, patterns: Sequence[str]) -> dict[str, str]:
    """Return those of `indices` that cannot be read."""
    return {name: why for name, why in indices(client, patterns).items() if why}


class _State(NamedTuple):
    why: str = ""
    may_pass: bool = False


def _look(client: Client, patterns: Sequence[str]) -> dict[str, _State]:
    told = client.indices.resolve_index(name=list(patterns), expand_wildcards="open,closed")["indices"]
    found = {each["name"]: _closed(each["name"]) for each in told if "closed" in each["attributes"]}
    names = [each["name"] for each in told if each["name"] not in found]
    for first in range(0, len(names), _AT_ONCE):
        some = names[first : first + _AT_ONCE]
        lines = [line for name in some for line in ({"index": name, "allow_partial_search_results": False}, _NOTHING)]
        answers = client.msearch(searches=lines)["responses"]
        found |= {
            name: _state(name, answer)
            for name, answer in zip(some, answers, strict=True)
            if answer["status"] != 404  # deleted meanwhile
        }
    return found


def _state(name: str, answer: Mapping[str, Any]) -> _State:
    if "error" not in answer:
        return _State()
    status, (kind, reason) = answer["status"], error_in(answer["error"])
    if "index_closed" in kind:
        return _closed(name)
    if "cluster_block" in kind:
        return _State(f'blocked ({reason}): PUT /{name}/_settings {{"index.blocks.read": null}} lets it be read')
    if status in BUSY - {429}:
        return _State(f"red: {RED_CURE}", may_pass=True)
    return _State(status_cause(status, kind, reason), may_pass=status in BUSY)


def _closed(name: str) -> _State:
    return _State(f"closed: POST /{name}/_open opens it")
