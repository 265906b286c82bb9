# SPDX-License-Identifier: Apache-2.0
"""What a task reports to the driver: counts, never documents."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import orjson

from login_consumer.documents import EVENTS, Period, WindowKey, index_name


class OffsetRange(NamedTuple):
    """Records of one partition without a gap: the first offset, and the one after the last."""

    first: int
    next: int


class Mark(NamedTuple):
    """The last record before a position: its offset, and when Kafka appended it, in milliseconds since 1970.

    A position is only a number: Kafka may have lost its end, and given the numbers to other records.
    """

    offset: int
    appended: int


def joined(ranges: Iterable[OffsetRange]) -> list[OffsetRange]:
    """Return `ranges` in their order, those that touch or overlap made one, empty ones left out."""
    result: list[OffsetRange] = []
    for each in sorted(ranges):
        if each.first >= each.next:
            continue
        if result and each.first <= result[-1].next:
            result[-1] = OffsetRange(result[-1].first, max(result[-1].next, each.next))
        else:
            result.append(each)
    return result


def missing(wanted: OffsetRange, ranges: Iterable[OffsetRange]) -> list[OffsetRange]:
    """Return what of `wanted` is in none of `ranges`."""
    gaps, start = [], wanted.first
    for each in joined(ranges):
        if start < min(each.first, wanted.next):
            gaps.append(OffsetRange(start, min(each.first, wanted.next)))
        start = max(start, each.next)
    return gaps + ([OffsetRange(start, wanted.next)] if start < wanted.next else [])


def age_bucket(moment: int, now: int) -> int:
    """Return `moment` rounded down so that its age keeps its worth to 2 %: few values for many records."""
    width = 1 << max(0, abs(now - moment).bit_length() - 6)
    return moment // width * width


def percentile(histogram: Counter[int], share: float) -> int:
    """Return the smallest key with at least `share` of the total at or below it. Raises IndexError if empty."""
    wanted = share * histogram.total()
    so_far = 0
    for key in sorted(histogram):
        so_far += histogram[key]
        if so_far >= wanted:
            return key
    raise IndexError("an empty histogram has no percentiles")


def accounted(indexed: int, duplicates: int, ignored: int, unrecognised: int, dead: Counter[str]) -> int:
    """Return how many records became something; it is as many as were read.

    Each unrecognised record counts once, as that, whether it is kept as a dead letter or not. So `dead` has only the
    other dead letters, and letters of both kinds are stored.
    """
    return indexed + duplicates + ignored + unrecognised + dead.total()


@dataclass
class Counts:
    """The account of a set of records. Times in milliseconds since 1970.

    `unavailable` is empty, or says why Elasticsearch did not take everything; the counts are then void.
    """

    read: int = 0
    indexed: int = 0
    duplicates: int = 0
    ignored: int = 0
    unrecognised: int = 0
    """Records with Reason.UNRECOGNISED; `dead` leaves them out."""
    unrecognised_kept: int = 0
    """Those of them that are kept as a dead letter: see unrecognised.py."""
    dead: Counter[str] = field(default_factory=Counter)
    windows: Counter[WindowKey] = field(default_factory=Counter)
    offsets: dict[int, list[OffsetRange]] = field(default_factory=dict)
    """What was read, by partition."""
    marks: dict[int, Mark] = field(default_factory=dict)
    """The last record that was read, by partition, if Kafka itself told when it was appended."""
    arrivals: Counter[int] = field(default_factory=Counter)
    """Records by time of arrival, as rounded by `age_bucket`."""
    arrival_last: int | None = None
    unavailable: str = ""
    other: str = ""
    """A place where Kafka holds another record than the one that is stored from there; the counts are then void."""

    def add(self, other: "Counts") -> None:
        """Take in the account of other records."""
        self.read += other.read
        self.indexed += other.indexed
        self.duplicates += other.duplicates
        self.ignored += other.ignored
        self.unrecognised += other.unrecognised
        self.unrecognised_kept += other.unrecognised_kept
        self.dead.update(other.dead)
        self.windows.update(other.windows)
        for partition, ranges in other.offsets.items():
            self.offsets[partition] = joined([*self.offsets.get(partition, ()), *ranges])
        for partition, mark in other.marks.items():
            self.marks[partition] = max(mark, self.marks.get(partition, mark))
        self.arrivals.update(other.arrivals)
        lasts = [last for last in (self.arrival_last, other.arrival_last) if last is not None]
        self.arrival_last = max(lasts, default=None)
        self.unavailable = self.unavailable or other.unavailable
        self.other = self.other or other.other

    def by_index(self, period: Period) -> dict[str, int]:
        """Return the indexed events by the index that they are in."""
        result: Counter[str] = Counter()
        for key, count in self.windows.items():  # a window never reaches into another day
            result[index_name(EVENTS, key.start, period)] += count
        return dict(result)

    def check(self) -> None:
        """Raise ArithmeticError unless every record that was read is accounted for."""
        told = accounted(self.indexed, self.duplicates, self.ignored, self.unrecognised, self.dead)
        kept_fit = 0 <= self.unrecognised_kept <= self.unrecognised
        if self.read != told or self.indexed != self.windows.total() or not kept_fit:
            raise ArithmeticError(
                f"{self.read} records were read but {told} are accounted for, and windows count "
                f"{self.windows.total()} of {self.indexed} events, {self.unrecognised_kept} of {self.unrecognised} "
                "unrecognised records are kept: this is a fault in login-consumer"
            )

    def to_bytes(self) -> bytes:
        """Return the counts as JSON."""
        fields = vars(self) | {
            "dead": {str(reason): count for reason, count in self.dead.items()},
            "windows": [[*key, count] for key, count in self.windows.items()],
            "offsets": [[partition, *each] for partition, ranges in self.offsets.items() for each in ranges],
            "marks": [[partition, *mark] for partition, mark in self.marks.items()],
            "arrivals": list(self.arrivals.items()),
        }
        return orjson.dumps(fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the counts of `to_bytes`."""
        fields = orjson.loads(data)
        fields["dead"] = Counter(fields["dead"])
        fields["windows"] = Counter({WindowKey(*key): count for *key, count in fields["windows"]})
        offsets: dict[int, list[OffsetRange]] = {}
        for partition, first, after in fields["offsets"]:
            offsets.setdefault(partition, []).append(OffsetRange(first, after))
        fields["offsets"] = offsets
        fields["marks"] = {partition: Mark(offset, appended) for partition, offset, appended in fields["marks"]}
        fields["arrivals"] = Counter(dict(fields["arrivals"]))
        return cls(**fields)
