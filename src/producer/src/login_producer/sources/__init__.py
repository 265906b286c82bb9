# SPDX-License-Identifier: Apache-2.0
"""Sources of login events: what they have in common, and how one is opened."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from login_producer.counters import Counters
from login_producer.settings import FileSettings, JournalSettings, ProducerSettings, StdinSettings
from login_producer.sources.progress import Receipt


class SourceError(Exception):
    """The source cannot be read. The text says why and what to do."""


class Event(NamedTuple):
    """One login event, ready for Kafka."""

    event_id: str
    key: bytes | None
    """The user id, UTF-8: all events of a user go to one partition, in order. None: whichever partition."""
    value: bytes
    """One record in the source's format."""
    headers: list[tuple[str, bytes]] | None = None
    """What the consumer has to know beside the value; see login_formats.wrapper."""
    receipt: Receipt | None = None
    """To be signed once Kafka has the event, or it is given up; None: the source does not care."""


class Source(ABC):
    """Where events come from. Nothing here waits, so that the caller can answer signals."""

    ended = False
    """Whether all events there will ever be have been taken."""
    failure: str | None = None
    """Why not everything could be read, although it has ended."""
    repeats = False
    """Whether what Kafka has not acknowledged is read again, under the same ids, at the next start."""

    @abstractmethod
    def take(self, most: int) -> Sequence[Event]:
        """Return the events that there are now, at most so many. Raises SourceError."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """Return what others may want to know of it, as JSON-able values."""

    def save(self) -> None:  # noqa: B027  (a source that cannot go on has nothing to note)
        """Note how far all events are settled, to go on there at the next start. Raises OSError."""

    def close(self) -> None:  # noqa: B027
        """Let go of files and processes."""


def open_source(settings: ProducerSettings, counters: Counters) -> Source:
    """Return the source that the settings choose. Raises SourceError, counters.StateError."""
    source = settings.source
    match source:
        case JournalSettings():
            from login_producer.sources.journal import JournalSource

            return JournalSource(source, settings.positions_file, counters)
        case FileSettings():
            from login_producer.sources.files import FileSource

            return FileSource(source, settings.positions_file, counters)
        case StdinSettings():
            from login_producer.sources.stdin import StdinSource

            return StdinSource(source, counters)
        case _:
            from login_producer.sources.synthetic import SyntheticSource

            return SyntheticSource(source)
