# SPDX-License-Identifier: Apache-2.0
"""What a task reports to the driver: counts, never documents."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Self

import orjson

from login_consumer.documents import WindowKey


@dataclass
class OffsetRange:
    """The records of one partition that were read: the first offset, and the one after the last."""

    first: int
    next: int

    def add(self, other: "OffsetRange") -> None:
        """Widen to hold `other`."""
        self.first = min(self.first, other.first)
        self.next = max(self.next, other.next)


@dataclass
class Counts:
    """The account of a set of records. Times in milliseconds since 1970.

    `unavailable` is empty, or says why Elasticsearch did not take everything; the counts are then void.
    """

    read: int = 0
    indexed: int = 0
    duplicates: int = 0
    ignored: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    windows: Counter[WindowKey] = field(default_factory=Counter)
    offsets: dict[tuple[str, int], OffsetRange] = field(default_factory=dict)
    indices: set[str] = field(default_factory=set)
    arrival_first: int | None = None
    arrival_last: int | None = None
    arrival_sum: int = 0
    unavailable: str = ""

    def add(self, other: "Counts") -> None:
        """Take in the account of other records."""
        self.read += other.read
        self.indexed += other.indexed
        self.duplicates += other.duplicates
        self.ignored += other.ignored
        self.dead.update(other.dead)
        self.windows.update(other.windows)
        for place, offsets in other.offsets.items():
            self.offsets.setdefault(place, OffsetRange(offsets.first, offsets.next)).add(offsets)
        self.indices |= other.indices
        firsts = [first for first in (self.arrival_first, other.arrival_first) if first is not None]
        lasts = [last for last in (self.arrival_last, other.arrival_last) if last is not None]
        self.arrival_first = min(firsts, default=None)
        self.arrival_last = max(lasts, default=None)
        self.arrival_sum += other.arrival_sum
        self.unavailable = self.unavailable or other.unavailable

    def check(self) -> None:
        """Raise ArithmeticError unless every record that was read is accounted for."""
        told = self.indexed + self.duplicates + self.ignored + self.dead.total()
        if self.read != told or self.indexed != self.windows.total():
            raise ArithmeticError(
                f"{self.read} records were read but {told} are accounted for, and windows count "
                f"{self.windows.total()} of {self.indexed} events: this is a fault in login-consumer"
            )

    def to_bytes(self) -> bytes:
        """Return the counts as JSON."""
        fields = asdict(self) | {
            "dead": {str(reason): count for reason, count in self.dead.items()},
            "windows": [[*key, count] for key, count in self.windows.items()],
            "offsets": [[*place, offsets.first, offsets.next] for place, offsets in self.offsets.items()],
            "indices": sorted(self.indices),
        }
        return orjson.dumps(fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the counts of `to_bytes`."""
        fields = orjson.loads(data)
        fields["dead"] = Counter(fields["dead"])
        fields["windows"] = Counter({WindowKey(*key): count for *key, count in fields["windows"]})
        fields["offsets"] = {
            (topic, partition): OffsetRange(first, after) for topic, partition, first, after in fields["offsets"]
        }
        fields["indices"] = set(fields["indices"])
        return cls(**fields)
