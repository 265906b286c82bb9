# SPDX-License-Identifier: Apache-2.0
"""Records from standard input, up to its end. Nothing can be read again: what a stop leaves unsent is lost."""

import os
import select
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from login_producer.counters import Counters
from login_producer.settings import StdinSettings
from login_producer.sources import Event, Source
from login_producer.sources.records import Reader, Record, wrapper
from login_producer.sources.sending import Sending
from login_producer.sources.taking import MAX_UNSETTLED_BYTES, take

_CHUNK = 64 * 1024


class StdinSource(Source):
    """The records of a file descriptor. The ids are new ones in each run."""

    def __init__(self, settings: StdinSettings, counters: Counters, descriptor: int | None = None) -> None:
        """Read standard input, or what else `descriptor` says."""
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor
        self._reader = Reader(settings.format, settings.layout)
        self._sending = Sending("standard input", 0, wrapper(settings.format, settings.timezone), counters)
        self._run = os.urandom(32)
        self._events = self._read()

    def take(self, most: int) -> Sequence[Event]:
        """Return what there is to read now, at most so many events."""
        events, self.ended = take(self._events, most)
        return events

    def status(self) -> dict[str, Any]:
        """Return how many bytes are read."""
        return {"type": "stdin", "read_bytes": self._sending.progress.read}

    def _read(self) -> Iterator[Event | None]:
        progress = self._sending.progress
        while True:
            if (
                progress.read - progress.settled > MAX_UNSETTLED_BYTES
                or not select.select([self._descriptor], [], [], 0)[0]
            ):
                yield None
                continue
            data = os.read(self._descriptor, _CHUNK)
            for record in self._reader.feed(data) if data else self._reader.finish():
                yield from self._send(record)
            if not data:
                return

    def _send(self, record: Record) -> Iterator[Event]:
        return self._sending.events(record, self._run, record.piece.end)
