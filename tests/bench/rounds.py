# SPDX-License-Identifier: Apache-2.0
"""Contestants by turns, and what their runs say together."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run. `cpu` are seconds by unit; `others` are the cores that all else on the machine took meanwhile."""

    records: int
    seconds: float
    cpu: Mapping[str, float]
    others: float

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / self.seconds


class LeftOut(Exception):
    """A contestant has failed and takes no part any more; the text says why."""


def by_turns(names: Sequence[str], rounds: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the number of each round with its order: A B, B A, A B ..., so that none always finds warm caches.

    Round 0 is the warm-up, which does not count if there are others.
    """
    for number in range(rounds + 1):
        yield number, names if number % 2 == 0 else names[::-1]


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Return medians: records a second with the lowest and the highest, CPU seconds for 100,000 records by unit."""
    rates = [run.rate for run in runs]
    units = {unit for run in runs for unit in run.cpu}
    cpu = {unit: statistics.median(run.cpu[unit] / run.records * 1e5 for run in runs) for unit in sorted(units)}
    return {
        "rate": statistics.median(rates),
        "lowest": min(rates),
        "highest": max(rates),
        "rounds": len(runs),
        "records": runs[0].records,
        "cpu": cpu,
        "cpu_all": statistics.median(sum(run.cpu.values()) / run.records * 1e5 for run in runs),
        "others": statistics.median(run.others for run in runs),
    }


def compete(
    names: Sequence[str],
    rounds: int,
    before: Callable[[int], None],
    run: Callable[[str], Run],
    tell: Callable[[str], None] = print,
) -> dict[str, dict[str, Any]]:
    """Let all run in each round, after `before` was called with its number; return the summary of each.

    One whose run raises LeftOut is left out from then on, and has `failed` instead of a summary.
    """
    runs: dict[str, list[Run]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    for number, order in by_turns(names, rounds):
        tell(f"round {number} of {rounds}" if number else "warm-up")
        before(number)
        for name in order:
            if name in failed:
                continue
            try:
                done = run(name)
            except LeftOut as why:
                failed[name] = str(why)
                tell(f"  {name:<16}HAS FAILED: {why}")
                continue
            tell(f"  {name:<16}{done.rate:>10,.0f} /s   CPU s per 100,000: {_told(done)}")
            if number or not rounds:
                runs[name].append(done)
    return {name: {"failed": failed[name]} if name in failed else summary(each) for name, each in runs.items()}


def _told(run: Run) -> str:
    parts = ", ".join(f"{unit} {seconds / run.records * 1e5:.2f}" for unit, seconds in run.cpu.items() if seconds > 0)
    return f"{parts}; others took {run.others:.2f} cores"


def percentiles(seconds: Iterable[float]) -> dict[str, float]:
    """Return p50, p90, p99, the highest (all in ms) and the number of values, of which there must be one."""
    found = sorted(seconds)
    last = len(found) - 1
    at = {f"p{share}": found[min(last, share * len(found) // 100)] * 1000 for share in (50, 90, 99)}
    return at | {"max": found[-1] * 1000, "count": len(found)}
