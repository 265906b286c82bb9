# SPDX-License-Identifier: Apache-2.0
"""The kinds of records by which one account with a password could try to take the consumer's memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_MIB = 1 << 20
_NEAR_LIMIT = _MIB - 2048
"""Bytes of a value that the formats still take: 1 MiB, less what stands around it."""
Headers = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Kind:
    """One kind. `value` makes the value of record number N, whose id is given."""

    name: str
    text: str
    rate: float
    """Records a second."""
    value: Callable[[str, int], bytes]
    headers: Headers | None = None
    most: int = 0
    """How many are sent at most; 0: as many as the time allows."""


def login(id_: str, **more: Any) -> bytes:
    """Return a valid event of the native format, of now."""
    told = {"event_id": id_, "user_id": "hostile", "timestamp": datetime.now(UTC).isoformat(), "outcome": "failure"}
    return json.dumps(told | more).encode()


def _padded(id_: str, _: int) -> bytes:
    empty = len(login(id_, padding=""))
    return login(id_, padding="x" * (_NEAR_LIMIT - empty))


def _deep(id_: str, number: int) -> bytes:
    """Return lists in lists, or objects in objects: nothing that a parser may follow by its own stack."""
    depth = 100_000
    inner = b"[" * depth + b"]" * depth if number % 2 else b'{"a":' * depth + b"1" + b"}" * depth
    return login(id_)[:-1] + b',"deep":' + inner + b"}"


KINDS = (
    Kind("large", "values of 1 MiB, two a second", 2, _padded),
    Kind("many-large", "values of 1 MiB, 50 a second", 50, _padded),
    Kind("bombs", "100 MB of zeros as gzip, one in 3 s", 1 / 3, lambda *_: bytes(100_000_000)),
    Kind("bomb-beyond-heap", "one of 400 MB of zeros as gzip", 1, lambda *_: bytes(400_000_000), most=1),
    Kind(
        "headers",
        "nine headers of 100 kB, 20 a second",
        20,
        lambda id_, _: login(id_),
        [(f"padding-{number}", bytes(100_000)) for number in range(9)],
    ),
    Kind("keys", "10^5 keys of windows a minute", 100_000 / 60, lambda id_, n: login(id_, browser=f"browser {n}")),
    Kind("deep", "JSON 100,000 deep, 20 a second", 20, _deep),
)


@dataclass(frozen=True)
class Found:
    """What one kind came to. Memory in megabytes."""

    kind: str
    text: str
    sent: int
    refused: int
    """By Kafka itself."""
    honest: int
    """Ordinary logins sent between them."""
    jvm: float
    python: float
    unit: float
    restarts: int
    rest_seconds: float | None
    """From the last record to the end of the lag; None if it did not come."""
    accounted: int
    became: dict[str, int]
    fault: str = ""

    @property
    def failed(self) -> str:
        """Return what must not be, nothing if all is as promised."""
        if self.rest_seconds is None:
            return f"{self.kind}: the rest is not read"
        if self.accounted != self.sent + self.honest:
            return f"{self.kind}: {self.accounted} of {self.sent + self.honest} records are accounted for"
        return f"{self.kind}: {self.fault}" if self.fault else ""


def table(found: list[Found]) -> str:
    """Return the results as a table of Markdown."""
    rows = [
        ("kind", "records", "JVM, MB", "Python, MB", "unit, MB", "restarts", "rest read after", "accounted for"),
        ("---",) * 8,
    ]
    for each in found:
        became = ", ".join(f"{number} {name}" for name, number in each.became.items() if number)
        late = "never" if each.rest_seconds is None else f"{each.rest_seconds:.0f} s"
        sent = f"{each.sent} and {each.honest} logins" + (f", {each.refused} refused by Kafka" * bool(each.refused))
        memory = (f"{size:,.0f}" for size in (each.jvm, each.python, each.unit))
        accounted = f"{each.accounted} ({became})" if became else str(each.accounted)
        rows.append((each.text, sent, *memory, str(each.restarts), late, accounted))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
