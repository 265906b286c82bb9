# SPDX-License-Identifier: Apache-2.0
"""From the records of one stream to events, with all that is refused here counted and said."""

import logging
from collections.abc import Iterator
from typing import Generic, TypeVar

from login_producer.counters import Counters
from login_producer.sources import Event
from login_producer.sources.cutting import MAX_RECORD
from login_producer.sources.progress import Progress
from login_producer.sources.records import Record, with_id

log = logging.getLogger(__name__)

P = TypeVar("P")


class Sending(Generic[P]):
    """Of one stream of records: makes its events, and knows how far they are settled."""

    def __init__(self, name: str, start: P, headers: list[tuple[str, bytes]], counters: Counters) -> None:
        """Send what `name` tells for people, from `start` on, each event with these headers and its id."""
        self.name, self.headers = name, headers
        self.progress = Progress(start)
        self._counters = counters

    def events(self, record: Record, stream: bytes, after: P) -> Iterator[Event]:
        """Yield the events of a record of `stream` (its ids' key); the stream is at `after` behind it."""
        piece, progress = record.piece, self.progress
        if piece.raw is None:
            self._too_large(piece.start, piece.end - piece.start)
        last = len(record.values)
        for number, (event_id, value) in enumerate(zip(record.ids(stream), record.values, strict=True), 1):
            if len(value) > MAX_RECORD:
                self._too_large(piece.start, len(value))
                continue
            # as long as others of the same line are to follow, it would have to be read again
            receipt = progress.taken(after if number == last else progress.read)
            yield Event(event_id, None, value, with_id(self.headers, event_id), receipt)
        if progress.read != after:
            progress.passed(after)

    def _too_large(self, offset: int, length: int) -> None:
        self._counters.generated += 1
        self._counters.failed["too_large"] += 1
        log.warning("%s: the record of %d bytes at offset %d is too large, and not sent", self.name, length, offset)
