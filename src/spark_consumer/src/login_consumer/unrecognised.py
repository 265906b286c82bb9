# SPDX-License-Identifier: Apache-2.0
"""Which unrecognised records are kept as dead letters: at most PER_MINUTE of a partition and minute of Kafka's time.

Each of them has a place, the id of its letter: topic, partition, minute and a number below PER_MINUTE. The first record
that is written there has it for good, as `create` overwrites nothing. A record that finds its place taken by another
tries the next ones; if these are taken as well, it is counted and not kept. So what is kept is decided by what is
stored, and by nothing else: however a batch is cut or repeated, a record that was kept is found to be so again.
"""

from collections.abc import Sequence
from typing import NamedTuple

from login_formats import Rejected
from login_formats.wrapper import Headers

from login_consumer.documents import Document, Origin, Place, dead_letter
from login_consumer.privacy import OPEN, Protection
from login_consumer.sink import Sink, none_refused

PER_MINUTE = 100
"""No setting, like the two below: with another value, a repeated record would be kept a second time."""
# Other offsets of a minute may have taken the first place long before it is full; neighbours never share one.
_TRIES, _STRIDE = 4, 37
_MINUTE_MS = 60_000


class Unrecognised(NamedTuple):
    """A record that was refused with Reason.UNRECOGNISED."""

    rejected: Rejected
    raw: bytes | None
    origin: Origin
    headers: Headers

    def letter_id(self, attempt: int) -> str:
        """Return the id of its letter that it tries to take as number `attempt`, from 0."""
        topic, partition, offset, timestamp = self.origin
        number = (offset + attempt * _STRIDE) % PER_MINUTE
        return f"{topic.id}-{partition}-minute-{timestamp // _MINUTE_MS}-{number}"


def keep(sink: Sink, records: Sequence[Unrecognised], ingested: int, protection: Protection = OPEN) -> int:
    """Write the letters that are to be kept; return how many of `records` are kept, now or before.

    `ingested` is in milliseconds since 1970. Raises Unavailable.
    """
    kept, left = 0, list(records)
    for attempt in range(_TRIES):
        wanting: dict[str, list[Unrecognised]] = {}
        for each in left:
            wanting.setdefault(each.letter_id(attempt), []).append(each)
        left = []
        for group, place in zip(wanting.values(), _winners(sink, wanting, ingested, protection), strict=True):
            losers = [each for each in group if each.origin.place != place]
            kept += len(group) - len(losers)
            left += losers
    return kept


def _winners(sink: Sink, wanting: dict[str, list[Unrecognised]], ingested: int, protection: Protection) -> list[Place]:
    """Return the place in Kafka of the record that each of the letters is of."""
    letters: list[Document] = []
    for id_, (first, *_) in wanting.items():
        letters.append(dead_letter(first.rejected, first.raw, first.origin, ingested, first.headers, id_, protection))
    items = sink.create(letters) if letters else []
    none_refused(items, "a dead letter")
    taken_before = [letter for letter, item in zip(letters, items, strict=True) if item.exists]
    stored = iter(sink.sources(taken_before, Place._fields))
    return [
        Place(**next(stored)) if item.exists else group[0].origin.place
        for group, item in zip(wanting.values(), items, strict=True)
    ]
