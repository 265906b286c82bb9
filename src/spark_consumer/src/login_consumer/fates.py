# SPDX-License-Identifier: Apache-2.0
"""What became of records that a batch may be reading once more: the first fate wins.

Settings or the release may have changed since the batch was tried, and a record may read otherwise now. It must not
become an event and a dead letter, and what was counted by then must not change.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from login_common.elastic import Client
from login_formats import Event, Reason

from login_consumer.counts import OffsetRange
from login_consumer.documents import DEAD_LETTERS, EVENTS, STORED_FIELDS, Origin, Stored, Topic
from login_consumer.privacy import SCHEME, WITHHELD, Protection, Withheld
from login_consumer.progress import Offsets
from login_consumer.sink import Sink
from login_consumer.tombstones import EVENT_ERASED, LETTER_ERASED, value_at
from login_consumer.windows import EVENT_PLACE, LETTER_PLACE, at_places

_AT_ONCE = 5000  # Elasticsearch gives 10,000 documents at once
_MOST = 2 * _AT_ONCE


class OtherRecord(Exception):
    """The record is not the one whose fate is stored: Kafka has lost its end, and holds another one in its place."""


class Fate(NamedTuple):
    """An event that is stored, or the reason of a dead letter, and what the record can be recognised by."""

    event: Stored | None
    reason: str
    identity: tuple[str, int, str | None] | bytes | Withheld | int | None
    """An event's id, time in milliseconds since 1970 and user, a dead letter's bytes or what stands for them.

    If it was erased, an event's has no user, and a dead letter's is the number of its bytes.
    """
    erased: bool = False
    scheme: str | None = None
    """Of an event: which pseudonyms it has."""

    def check(self, raw: bytes | None, event: Event | None, origin: Origin, protection: Protection) -> None:
        """Raise OtherRecord if it is the fate of another record than the one at its place now.

        `event` is the one that the record would be stored as now. A user is compared only where both are stored alike.
        """
        if isinstance(self.identity, Withheld):
            same = protection.recognises(self.identity, raw)
        elif self.event is None:
            told = len(raw) if self.erased and raw is not None else raw
            # of an unreadable record nothing is known that could be compared
            same = self.reason == Reason.UNREADABLE or self.identity == told
        elif event is None:  # it cannot be read any more
            same = True
        elif event.id:
            same = isinstance(self.identity, tuple) and self.identity[0] == event.id
        else:
            same = self.identity == (origin.id, event.timestamp, self._user(event, protection))
        if not same:
            raise OtherRecord(f"offset {origin.offset} of partition {origin.partition}")

    def _user(self, event: Event, protection: Protection) -> str | None:
        """Return the user that the stored event would have if it were this one."""
        if self.erased:
            return None
        if self.scheme != protection.scheme:  # the two cannot be compared
            known = self.identity
            return known[2] if isinstance(known, tuple) and not isinstance(known, Withheld) else None
        return event.user_id


Fates = dict[tuple[int, int], Fate]
"""By partition and offset."""


def first_fates(sink: Sink, topic: Topic, written: Offsets, places: Sequence[tuple[int, int]]) -> Fates:
    """Return the fates of those `places`, partitions and offsets, that stand before `written` in their partition.

    What was written must have been refreshed. Raises Unavailable.
    """
    asked = [place for place in places if place[1] < written.get(place[0], 0)]
    found: Fates = {}
    for start in range(0, len(asked), _AT_ONCE):
        ranges = {(topic.id, partition): each for partition, each in _ranges(asked[start : start + _AT_ONCE]).items()}
        found |= sink.ask(lambda client, ranges=ranges: dict(_letters(client, ranges)))  # type: ignore[misc]
        # an event is the better of two, should there be both
        found |= sink.ask(lambda client, ranges=ranges: dict(_events(client, ranges)))  # type: ignore[misc]
    return found


_Places = Mapping[tuple[str, int], Sequence[OffsetRange]]


def _letters(client: Client, places: _Places) -> Iterator[tuple[tuple[int, int], Fate]]:
    wanted = ["partition", "offset", "reason", "raw", "size", LETTER_ERASED, WITHHELD]
    for source in _found(client, DEAD_LETTERS, LETTER_PLACE, places, wanted):
        place, erased = (source["partition"], source["offset"]), LETTER_ERASED in source
        identity: bytes | Withheld | int | None = base64.b64decode(source["raw"]) if "raw" in source else None
        if erased:
            identity = source.get("size")
        elif WITHHELD in source:
            identity = Withheld(source[WITHHELD], source.get("size"))
        yield place, Fate(None, source["reason"], identity, erased)


def _events(client: Client, places: _Places) -> Iterator[tuple[tuple[int, int], Fate]]:
    wanted = [*STORED_FIELDS, "event.id", "user.id", EVENT_ERASED, SCHEME]
    for source in _found(client, EVENTS, EVENT_PLACE, places, wanted):
        stored = Stored.of(source)
        identity = (source["event"]["id"], stored.timestamp, source.get("user", {}).get("id"))
        erased, scheme = value_at(source, EVENT_ERASED) is not None, value_at(source, SCHEME)
        yield (stored.place.partition, stored.place.offset), Fate(stored, "", identity, erased, scheme)


def _found(client: Client, family: str, prefix: str, places: _Places, fields: list[str]) -> list[dict[str, Any]]:
    query = at_places(prefix, places)
    answer = client.search(index=f"{family}-*", query=query, source_includes=fields, size=_MOST)
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def _ranges(places: Sequence[tuple[int, int]]) -> dict[int, list[OffsetRange]]:
    """Return the range that the places of each partition span."""
    ranges: dict[int, list[OffsetRange]] = {}
    for partition, offset in places:
        known = ranges.get(partition, [OffsetRange(offset, offset)])[0]
        ranges[partition] = [OffsetRange(min(known.first, offset), max(known.next, offset + 1))]
    return ranges
