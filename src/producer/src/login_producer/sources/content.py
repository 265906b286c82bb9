# SPDX-License-Identifier: Apache-2.0
"""The bytes of one open file, as it grows, unpacked if its name ends with .gz."""

import errno
import os
import stat
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CHUNK = 256 * 1024
KNOWN_BY = 4096
"""Bytes of its beginning, and before the place up to which it is read, by which a file is known again."""
SETTLES_S = 1.0
"""How long a change of a file may go unnoticed by its times: longer than a tick of any file system's clock."""
_BLANK_CHUNKS = 16  # of NULs that one call looks through
_GZIP = 31  # zlib's wbits for gzip with its checksum


class State(NamedTuple):
    """Of a file: what differs once it was written to."""

    size: int = 0
    written_ns: int = 0
    changed_ns: int = -1
    """Unlike the time of writing, no program can set this one."""

    @classmethod
    def of(cls, status: os.stat_result) -> "State":
        """Return what the status of a file tells."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Mark(NamedTuple):
    """A place in a stream of bytes, and some bytes, mostly those before it, by which it is known again."""

    end: int = 0
    """Offset from which the next record is looked for."""
    start: int = 0
    length: int = 0
    crc: int = 0
    """zlib.crc32 of the `length` bytes at `start`."""

    @classmethod
    def of(cls, start: int, end: int, raw: bytes) -> "Mark":
        """Return the mark of the place `end` in a stream that has these bytes at `start`."""
        return cls(end, start, len(raw), zlib.crc32(raw))


class DamagedGzip(Exception):
    """The file is not what gzip writes."""


class Replaced(Exception):
    """The file no longer holds what has been read of it."""


class Content:
    """What can be read of a file now, from its start on.

    NULs that nothing follows yet are not read: they may be overwritten. Once something does, `at` leaps over them.
    """

    def __init__(self, path: Path) -> None:
        """Open the file. Raises OSError."""
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe of that name must not hold us up
        status = os.fstat(self._fd)
        self.path, self.packed = path, path.suffix == ".gz"
        self.key = (status.st_dev, status.st_ino)
        self.written = status.st_mtime
        """When the file was last written before it was opened, in seconds since 1970."""
        self.size_at_opening = status.st_size
        self._inflater = _Inflater() if self.packed else None
        self._raw = self.at = 0
        self._first = self._last = b""  # of what is before _raw
        self._head, self._head_at = b"", 0
        # where NULs began, in which state of the file, and up to where there is nothing else
        self._blank: tuple[int, State, int] | None = None
        self.seen = State()
        """The file as far as it has been read; of one that may change unnoticed, what no file is like."""
        self.searching = False
        """Whether there are more NULs to be looked through, although `read` returned nothing."""

    @property
    def size(self) -> int:
        """Bytes in the file now, packed or not."""
        return os.fstat(self._fd).st_size

    @property
    def at_rest(self) -> bool:
        """Whether all that is there has been read, and nothing of it is half a gzip file."""
        return self._inflater is None or self._inflater.complete

    @property
    def last(self) -> bytes:
        """What stands in the file, packed or not, before the place up to which it is read; 4 KiB at most."""
        return self._last

    def read(self) -> bytes:
        """Return the bytes that end at offset `at`, some or none now. Raises OSError, DamagedGzip, Replaced."""
        if self._inflater is None:
            return self._plain()
        while not (data := self._inflater.more()):
            if not (packed := self._next()):
                return b""
            self._pass(packed)
            self._inflater.feed(packed)
        if len(self._head) < KNOWN_BY:
            begin = data if self._head else data.lstrip(b"\0")
            self._head_at = self._head_at if self._head else self.at + len(data) - len(begin)
            self._head += begin[: KNOWN_BY - len(self._head)]
        self.at += len(data)
        return data

    def rest(self) -> Iterator[bytes]:
        """Yield all that there is to read now, of NULs those between other bytes alone. Raises as `read` does."""
        while (data := self.read()) or self.searching:
            yield data

    def head(self, end: int) -> tuple[int, bytes]:
        """Return the offset of the first byte that is no NUL, and what stands from there to `end`, 4 KiB at most."""
        if not self.packed and not self._head:
            found = False
            while not found and self._head_at < end:
                self._head_at, found = _leap(self._fd, self._head_at)
            self._head = os.pread(self._fd, KNOWN_BY, self._head_at)
        return self._head_at, self._head[: max(0, end - self._head_at)]

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Return so many bytes of the file, fewer at its end. Raises OSError."""
        return os.pread(self._fd, length, offset)

    def skip_to(self, offset: int) -> None:
        """Go to an offset at once, in a file that is not packed."""
        self._raw = self.at = offset
        known = min(offset, KNOWN_BY)
        self._first, self._last = self.bytes_at(0, known), self.bytes_at(offset - known, known)

    def replaced(self) -> bool:
        """Return whether what has been read no longer stands there, as after a truncation. Raises OSError."""
        if self.packed and not self._raw:  # what it held may have been looked at before
            status = os.fstat(self._fd)
            return (status.st_size, status.st_mtime) != (self.size_at_opening, self.written)
        begins = self.bytes_at(0, len(self._first)) == self._first
        return not begins or self.bytes_at(self._raw - len(self._last), len(self._last)) != self._last

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _next(self) -> bytes:
        """Return what follows in the file, if what has been read still stands before it."""
        if self.packed and not self._raw and self.replaced():
            raise Replaced
        status = os.fstat(self._fd)
        known = len(self._last)
        found = os.pread(self._fd, known + CHUNK, self._raw - known)  # in one call: nothing comes in between
        if found[:known] != self._last or self.bytes_at(0, len(self._first)) != self._first:
            raise Replaced
        self.seen = _settled(status)._replace(size=self._raw + len(found) - known)
        return found[known:]

    def _pass(self, raw: bytes) -> None:
        self._raw += len(raw)
        if len(self._first) < KNOWN_BY:
            self._first = (self._first + raw)[:KNOWN_BY]
        self._last = (self._last + raw)[-KNOWN_BY:]

    def _plain(self) -> bytes:
        self.searching = False
        data = self._next()
        if b"\0" in data:  # who overwrites NULs just now begins with the first ones: those may have come since
            data = self._next()
        text = data.rstrip(b"\0")
        if data and not text:
            place = self._behind_nuls(self._raw + len(data))
            if place is None:
                return b""
            self._pass(b"\0" * min(KNOWN_BY, place - self._raw))
            self._raw = place
            text = self._next().rstrip(b"\0")
        self._pass(text)
        self.at = self._raw
        return text

    def _behind_nuls(self, place: int) -> int | None:
        """Return where the next other byte is at or behind `place`; None: there is none, or the search goes on."""
        status = os.fstat(self._fd)
        state = State.of(status)
        if self._blank is not None and self._blank[:2] == (self._raw, state):
            place = max(place, self._blank[2])
        for _ in range(_BLANK_CHUNKS):
            found, is_data = _leap(self._fd, place)
            if is_data:
                return found
            self.searching = found != place
            if not self.searching:
                self.seen = _settled(status)
                break
            place = found
        self._blank = (self._raw, state, place)
        return None


def _settled(status: os.stat_result) -> State:
    return State.of(status) if time.time() - status.st_ctime > SETTLES_S else State()


def _leap(file: int, place: int) -> tuple[int, bool]:
    """Look through a chunk of NULs; return where something else is (then True) or to go on: at `place` at the end."""
    try:
        start = os.lseek(file, place, os.SEEK_DATA)  # over what was never written, at once
    except OSError as error:
        if error.errno == errno.ENXIO:
            return place, False
        start = place  # this file system does not know
    data = os.pread(file, CHUNK, start)
    text = data.lstrip(b"\0")
    return start + len(data) - len(text), bool(text)


class _Inflater:
    """Unpacks gzip as it comes, one member after another, never much at once."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._packed = b""
        self.complete = True

    def feed(self, packed: bytes) -> None:
        self._packed += packed

    def more(self) -> bytes:
        """Return some bytes; none means that it needs more to go on."""
        data = b""
        while not data and (self._packed or not self.complete):
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            try:
                data = self._member.decompress(self._packed, CHUNK)
            except zlib.error as error:
                raise DamagedGzip(str(error)) from None
            # zeros may follow the last member, as padding
            unread = self._member.unused_data.lstrip(b"\0") if self._member.eof else self._member.unconsumed_tail
            stuck = not data and len(unread) == len(self._packed)
            self._packed, self.complete = unread, self._member.eof
            if stuck:
                break
        return data


def holds(path: Path, mark: Mark) -> bool:
    """Return whether the file has the record of `mark` at its place. Raises OSError, DamagedGzip."""
    if not stat.S_ISREG(path.stat().st_mode):
        return False
    content = Content(path)
    end = max(mark.end, mark.start + mark.length)
    try:
        if not content.packed:
            return content.size >= end and zlib.crc32(content.bytes_at(mark.start, mark.length)) == mark.crc
        found = b""
        while content.at < end and (data := content.read()):
            begin = content.at - len(data)
            found += data[max(0, mark.start - begin) : max(0, mark.start + mark.length - begin)]
        return content.at >= end and zlib.crc32(found) == mark.crc
    finally:
        content.close()


def beginning(path: Path) -> bytes:
    """Return the first bytes of a file, 4 KiB at most; none if it cannot be read."""
    try:
        content = Content(path)
    except OSError:
        return b""
    try:
        # NULs at their end may yet be overwritten
        first = content.read() if content.packed else content.bytes_at(0, KNOWN_BY).rstrip(b"\0")
        return first[:KNOWN_BY]
    except (OSError, DamagedGzip):
        return b""
    finally:
        content.close()
