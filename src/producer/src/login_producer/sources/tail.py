# SPDX-License-Identifier: Apache-2.0
"""One file that is followed: its records from where they were last settled, under whatever name it has now."""

import logging
import math
import os
import socket
import time
import zlib
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from login_producer.counters import Counters
from login_producer.settings import FileSettings
from login_producer.sources import Event
from login_producer.sources.content import KNOWN_BY, Content, DamagedGzip, Mark, State, holds
from login_producer.sources.records import Reader, Record, wrapper
from login_producer.sources.rotation import family
from login_producer.sources.sending import Sending

log = logging.getLogger(__name__)

Key = tuple[int, int]
"""Device and inode."""

_MACHINE_ID = Path("/etc/machine-id")
_END_OF_9999 = 253_402_300_799


class Tail:
    """The records of one file, and how far they are settled."""

    def __init__(
        self,
        settings: FileSettings,
        counters: Counters,
        path: Path,
        key: Key,
        first: Mark,
        start: Mark | None = None,
    ) -> None:
        """Begin at `start` of a file that is known by what `first` tells of its beginning."""
        self._settings, self._first = settings, first
        self.path, self.key = path, key
        self.family = family(path)
        """What its rotated files have in common with it."""
        self.listed = True
        """Whether it is to be found at the settings' paths."""
        self.rotated = False
        """Whether nothing more is to be expected than what is still being written to it."""
        self.done = False
        """Whether it is finished, and needs not be looked for."""
        self.idle = False
        """Whether the last look found nothing new."""
        self.last_data = time.monotonic()
        self._stream: bytes | None = None  # the key of its ids
        self._columns: tuple[str, ...] | None = None
        self._content: Content | None = None
        # the file as it is, and as it was when last read whole
        self._there, self._seen = State(), State(-1)
        self._headers = wrapper(settings.format, settings.timezone)
        self._sending = Sending(str(path), start or Mark(), self._headers, counters)
        self.progress = self._sending.progress

    @property
    def known(self) -> bool:
        """Whether anything is known of what the file holds."""
        return self._first.length > 0

    @property
    def attached(self) -> bool:
        """Whether its file is open."""
        return self._content is not None

    @property
    def unsettled_bytes(self) -> int:
        """Bytes read and not yet settled."""
        return self.progress.read.end - self.progress.settled.end

    @property
    def changed(self) -> bool:
        """Whether there is something to read in the file, as far as `moved` was told."""
        return self._there != self._seen

    @property
    def cut_short(self) -> bool:
        """Whether the file ends in the middle of what gzip writes."""
        return self._content is not None and not self._content.at_rest

    def moved(self, path: Path, status: os.stat_result) -> None:
        """Note where the file is now, and its state."""
        self.rotated |= path != self.path
        self._call(path)
        self._there = State.of(status)

    def may_begin(self, begin: bytes) -> bool:
        """Return whether its file may begin like that, without a look at any file."""
        end = self._first.start + self._first.length
        return len(begin) < end or zlib.crc32(begin[self._first.start : end]) == self._first.crc

    def stands_in(self, path: Path, unread: bool) -> bool:
        """Return whether what was read of it stands in this file; `unread` is the answer if nothing was.

        Raises OSError, DamagedGzip.
        """
        mark = self.progress.read
        if not self.known:
            return unread
        # The beginning too: a last line of a few bytes could be there by chance.
        return holds(path, self._first) and (not mark.end or holds(path, mark))

    def goes_on_in(self, path: Path, unread: bool = False) -> bool:
        """Return the same; False if the file cannot be read."""
        try:
            return self.stands_in(path, unread)
        except (OSError, DamagedGzip):
            return False

    def leave(self) -> None:
        """Close the file until it has changed."""
        if self._content is not None:
            self._there = self._content.seen
        self._seen = self._there
        self.detach()

    def replaced(self) -> bool:
        """Return whether the open file no longer holds what was read of it."""
        return self._content is not None and self._content.replaced()

    def attach(self, path: Path) -> Key:
        """Open the file, to go on behind the last record read; return its key. Raises OSError, DamagedGzip."""
        self.detach()
        self._call(path)
        start = self.progress.read.end
        if not start:
            self._stream = None  # another file may have come to this place
        if start and self._settings.layout == "csv" and self._columns is None:
            self._columns = _columns(path, self._settings)
        content = Content(path)
        if not content.packed:
            content.skip_to(start)
        self._fed = start
        self._window, self._window_end = (b"", 0) if content.packed else (content.last, start)
        self._content, self.idle, self.last_data = content, False, time.monotonic()
        self._reader = Reader(self._settings.format, self._settings.layout, start, self._columns if start else None)
        written = _rfc3339(content.written)
        self._old_headers = wrapper(self._settings.format, self._settings.timezone, written)
        self.rotated |= content.packed  # nothing is appended to what is packed
        return content.key

    def detach(self) -> None:
        """Close the file."""
        if self._content:
            self._content.close()
            self._content = None

    def more(self) -> Iterator[Event]:
        """Yield the events of some bytes that are there now. Raises OSError, DamagedGzip, Replaced."""
        content = self._content
        assert content is not None  # noqa: S101  (the caller attaches it; tells the type checker)
        data = content.read()
        self.idle = not data and not content.searching
        if not data:
            return
        self.last_data = time.monotonic()
        begin = content.at - len(data)
        if not content.packed and begin > self._fed:
            for record in self._reader.skip(begin - self._fed):
                yield from self._send(record)
            self._window += b"\0" * min(KNOWN_BY, begin - self._fed)
        self._window, self._window_end = self._window + data, content.at
        # a packed file is read from its beginning, wherever we are in it
        fresh, self._fed = data[max(0, self._fed - begin) :], max(self._fed, content.at)
        for record in self._reader.feed(fresh):
            yield from self._send(record)
        self._window = self._window[-KNOWN_BY:]
        self._columns = self._reader.columns

    def finish(self) -> Iterator[Event]:
        """Yield the event of a last line without a line feed: nothing more will come."""
        for record in self._reader.finish():
            yield from self._send(record)

    def _call(self, path: Path) -> None:
        if path != self.path:
            self.path, self._sending.name, self.family = path, str(path), family(path)

    def entry(self) -> dict[str, Any]:
        """Return what is to be kept over a restart, for `restored`."""
        return {
            "path": str(self.path),
            "key": self.key,
            "stream": self._stream and self._stream.hex(),
            "first": self._first,
            "mark": self.progress.settled,
            "done": self.done and self.progress.settled == self.progress.read,
        }

    def status(self) -> dict[str, Any]:
        """Return how far it is; offsets in bytes, of unpacked content where the file is packed."""
        settled = self.progress.settled.end
        size = self._there[0] if self._content is None else self._content.size
        lag = self.unsettled_bytes if self.path.suffix == ".gz" else max(0, size - settled)
        return {"path": str(self.path), "offset": settled, "lag_bytes": lag}

    def _send(self, record: Record) -> Iterator[Event]:
        content, piece = self._content, record.piece
        assert content is not None  # noqa: S101  (as in more)
        if self._stream is None and record.values:
            place, head = content.head(piece.end)
            self._first, self._stream = Mark.of(place, 0, head), _stream(self.path, head)
        # What stood there when it was opened is older than the file's time; of what came since, now is right.
        old = content.packed or piece.end <= content.size_at_opening
        self._sending.headers = self._old_headers if old else self._headers
        return self._sending.events(record, self._stream or b"", self._mark(piece.end))

    def _mark(self, end: int) -> Mark:
        behind = len(self._window) - (self._window_end - end)
        last = self._window[max(0, behind - KNOWN_BY) : behind]
        return Mark.of(end - len(last), end, last)


def restored(entry: dict[str, Any], settings: FileSettings, counters: Counters) -> Tail:
    """Return the tail of what `Tail.entry` told. Raises KeyError, TypeError, ValueError for anything else."""
    tail = Tail(
        settings,
        counters,
        Path(entry["path"]),
        _key(entry["key"]),
        Mark(*map(int, entry["first"])),
        Mark(*map(int, entry["mark"])),
    )
    tail._stream = entry["stream"] and bytes.fromhex(entry["stream"])
    tail.done = bool(entry["done"])
    return tail


def _key(value: Any) -> Key:
    device, inode = value
    return int(device), int(inode)


def _columns(path: Path, settings: FileSettings) -> tuple[str, ...] | None:
    reader, content = Reader(settings.format, settings.layout), Content(path)
    try:
        for data in content.rest():
            for _ in reader.feed(data):
                pass
            if reader.columns is not None:
                break
    finally:
        content.close()
    return reader.columns


def _stream(path: Path, head: bytes) -> bytes:
    """Return the key of a file's ids, from where it belongs and what it begins with, up to its first record.

    Not the inode: so ids are the same in a copy, in its compressed form, and when positions are lost. What follows
    a rotation begins with another record, since records of logins tell their time.
    """
    told = "\0".join((_machine(), *map(str, family(path))))
    return blake2b(told.encode(errors="surrogateescape") + b"\0" + head, digest_size=32).digest()


def _rfc3339(seconds: float) -> str | None:
    """Return a time since 1970 rounded up; None if no date has it, as any user can set the time of a file."""
    if not 0 <= seconds < _END_OF_9999:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.ceil(seconds)))


@cache
def _machine() -> str:
    try:
        return _MACHINE_ID.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return socket.gethostname()
