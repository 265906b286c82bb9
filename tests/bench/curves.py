# SPDX-License-Identifier: Apache-2.0
"""What an event costs while more and more of them are stored, and while windows have more and more keys."""

from __future__ import annotations

import statistics
from typing import Any

from rig import Rig
from rounds import Run

_STEP, _STEPS = 1_000_000, 10
_KEYS, _KEYS_ROUNDS, _KEYS_RECORDS = (10, 50, 250, 1000, 5000), 3, 200_000
_MINUTE_MS = 60_000


def measure(rig: Rig) -> dict[str, Any]:
    """Return for both curves the points: CPU seconds for 100,000 events, and events a second."""
    rig.fill(_KEYS_RECORDS)
    rig.consumer()  # the warm-up
    return {"curves": {"keys": _by_keys(rig), "events": _by_events(rig)}}


def _by_keys(rig: Rig) -> list[dict[str, float]]:
    """All events in one window: each key is one more document that every batch has to change."""
    runs: dict[int, list[Run]] = {keys: [] for keys in _KEYS}
    for number in range(_KEYS_ROUNDS):
        for keys in _KEYS if number % 2 else reversed(_KEYS):
            rig.fill(_KEYS_RECORDS, span_ms=_MINUTE_MS, keys=keys)
            runs[keys].append(rig.consumer())
            print(f"{keys:>10,} keys in a window: {_cost(runs[keys][-1]):.2f} CPU s per 100,000", flush=True)
    return [
        {
            "at": keys,
            "cpu": statistics.median(map(_cost, each)),
            "rate": statistics.median(run.rate for run in each),
        }
        for keys, each in runs.items()
    ]


def _by_events(rig: Rig) -> list[dict[str, float]]:
    """All events in one index, which grows."""
    points = []
    for number in range(_STEPS):
        rig.fill(_STEP, new_month=number == 0)
        run = rig.consumer()
        points.append({"at": (number + 1) * _STEP, "cpu": _cost(run), "rate": run.rate})
        print(f"{(number + 1) * _STEP:>10,} events: {_cost(run):.2f} CPU s per 100,000", flush=True)
    return points


def _cost(run: Run) -> float:
    return sum(run.cpu.values()) / run.records * 1e5
