# SPDX-License-Identifier: Apache-2.0
"""Which brokers are to hold each partition: evenly, on different racks, and with as few moves as that takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

Name = tuple[str, int]
"""A topic's name and the number of a partition."""


def spread(before: dict[Name, list[int]], racks: dict[int, str], copies: int) -> dict[Name, list[int]]:
    """Return the brokers of each partition, the leader first.

    `before` are those that it has, `racks` the brokers to use with their racks ('' if unknown), `copies` how many a
    partition has at least. What is even already stays as it is. Raises ValueError where there are too few brokers.
    """
    after: dict[Name, list[int]] = {}
    total: Counter[int] = Counter()
    for topic in sorted({name for name, _ in before}):
        rows = {name: replicas for name, replicas in sorted(before.items()) if name[0] == topic}
        for name, replicas in rows.items():
            if (needed := max(copies, len(replicas))) > len(racks):
                where = f"{name[0]}-{name[1]} has {needed} copies"
                raise ValueError(f"{where}, which need as many brokers; only {len(racks)} would be left")
        placed = _place(rows, racks, copies, total)
        _even_out(placed, racks)
        _share_leadership(placed)
        after |= placed
        total.update(broker for row in placed.values() for broker in row)
    return after


def _place(
    rows: dict[Name, list[int]], racks: dict[int, str], copies: int, total: Counter[int]
) -> dict[Name, list[int]]:
    """Keep the copies on brokers that stay; put the others where there are few."""
    placed = {name: [broker for broker in replicas if broker in racks] for name, replicas in rows.items()}
    held = Counter(broker for row in placed.values() for broker in row)
    for name, row in placed.items():
        while len(row) < max(copies, len(rows[name])):

            def cost(broker: int, row: list[int] = row) -> tuple[int, int, int, int]:
                return _clashes([*row, broker], racks), held[broker], total[broker], broker

            chosen = min((broker for broker in racks if broker not in row), key=cost)
            row.append(chosen)
            held[chosen] += 1
    return placed


def _even_out(placed: dict[Name, list[int]], racks: dict[int, str]) -> None:
    """Move copies from brokers with many to brokers with few, until no broker has two more than another."""
    while move := next(_moves(placed, racks), None):
        row, giver, taker = move
        row[row.index(giver)] = taker


def _moves(placed: dict[Name, list[int]], racks: dict[int, str]) -> Iterator[tuple[list[int], int, int]]:
    held = Counter(broker for row in placed.values() for broker in row)
    order = sorted(racks, key=lambda broker: (held[broker], broker))
    for giver in reversed(order):
        for taker in order:
            if held[giver] - held[taker] < 2:
                break
            for row in placed.values():
                if giver in row and taker not in row:
                    moved = [taker if broker == giver else broker for broker in row]
                    if _clashes(moved, racks) <= _clashes(row, racks):
                        yield row, giver, taker


def _clashes(row: list[int], racks: dict[int, str]) -> int:
    """Return how many copies stand on a rack that has another one already."""
    known = [racks[broker] for broker in row if racks[broker]]
    return len(known) - len(set(known))


def _share_leadership(placed: dict[Name, list[int]]) -> None:
    """Let brokers lead equally often, as far as their copies allow by single exchanges."""
    while exchange := next(_exchanges(placed), None):
        row, leader = exchange
        place = row.index(leader)
        row[0], row[place] = row[place], row[0]


def _exchanges(placed: dict[Name, list[int]]) -> Iterator[tuple[list[int], int]]:
    leads = Counter(row[0] for row in placed.values())
    for row in placed.values():
        for broker in row[1:]:
            if leads[row[0]] - leads[broker] >= 2:
                yield row, broker
