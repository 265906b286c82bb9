# SPDX-License-Identifier: Apache-2.0
"""What an audit has found, and how it is shown."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from login_consumer.left_out import as_lines


@dataclass
class Audit:
    """What was found. `faults` is empty if everything balances."""

    batches: int = 0
    offsets: int = 0
    """Offsets in the ranges of the batches."""
    read: int = 0
    skipped: int = 0
    indexed: int = 0
    duplicates: int = 0
    ignored: int = 0
    unrecognised: int = 0
    """Kept as a dead letter or not; `dead` leaves them out."""
    unrecognised_kept: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    events_stored: int = 0
    dead_stored: int = 0
    unrecognised_stored: int = 0
    windows: int = 0
    windows_sum: int = 0
    not_read_yet: int | None = None
    since: str = ""
    """The time of the first account; empty if there was none before it."""
    events_since: str = ""
    """From when on events and windows are compared: retention may have deleted older ones."""
    too_old: int = 0
    """Events that the accounts tell of and that are not compared, since they are older."""
    losses: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    """Indices that were left out, each with why and what helps."""
    not_compared: list[str] = field(default_factory=list)
    """What could not be told without them."""

    @property
    def balanced(self) -> bool:
        """Whether all was compared, and nothing differs."""
        return not (self.faults or self.unreadable)

    def as_json(self) -> dict[str, Any]:
        """Return all of it, with `balanced`."""
        return asdict(self) | {"dead": dict(self.dead), "balanced": self.balanced}


def as_text(found: Audit) -> Iterator[str]:
    """Yield the lines that show an audit to a person."""
    dead = ", ".join(f"{reason} {count}" for reason, count in sorted(found.dead.items()))
    yield f"batches        {found.batches}" + (
        f" since {found.since}; older accounts are deleted" if found.since else ""
    )
    yield f"Kafka offsets  {found.offsets} = {found.read} read + {found.skipped} skipped"
    yield (
        f"read           {found.read} = {found.indexed} events + {found.duplicates} duplicates + "
        f"{found.ignored} ignored + {found.unrecognised} unrecognised + {found.dead.total()} dead letters"
        + (f" ({dead})" if dead else "")
    )
    too_old = f" ({found.too_old} of before {found.events_since} are not compared)" if found.too_old else ""
    kept = f"{found.unrecognised_stored} of {found.unrecognised} unrecognised records"
    yield f"stored         {found.events_stored} events{too_old}, {found.dead_stored} dead letters, {kept}"
    yield f"windows        {found.windows}, counting {found.windows_sum} events"
    yield f"not read yet   {'unknown' if found.not_read_yet is None else found.not_read_yet}"
    yield from (f"loss           {loss}" for loss in found.losses)
    yield from (f"NOT READABLE   {told}" for told in as_lines(found.unreadable))
    yield from (f"not compared   {told}" for told in found.not_compared)
    yield from (f"FAULT          {fault}" for fault in found.faults)
    if found.unreadable and not found.faults:
        yield "NOT COMPLETE: what can be read balances"
    else:
        yield "DOES NOT BALANCE" if found.faults else "balanced"
