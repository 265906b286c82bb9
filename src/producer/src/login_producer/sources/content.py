# SPDX-License-Identifier: Apache-2.0
"""The bytes of one open file, as it grows, unpacked if its name ends with .gz."""

import os
import stat
import zlib
from pathlib import Path
from typing import NamedTuple

CHUNK = 256 * 1024
_HEAD = 4096
_LAST = 256  # bytes to know a file by that has been written anew
_GZIP = 31  # zlib's wbits for gzip with its checksum


class Mark(NamedTuple):
    """A place in a stream of bytes, and the record before it, by which it is known again."""

    end: int = 0
    """Offset of the next record."""
    start: int = 0
    length: int = 0
    crc: int = 0
    """zlib.crc32 of the `length` bytes at `start`."""

    @classmethod
    def of(cls, start: int, end: int, raw: bytes | None) -> "Mark":
        """Return the mark behind a record; None is one whose bytes are not known."""
        return cls(end, start, len(raw), zlib.crc32(raw)) if raw is not None else cls(end, start)


class DamagedGzip(Exception):
    """The file is not what gzip writes."""


class Content:
    """What can be read of a file now, from its start on."""

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
        self._head = self._last = b""
        self.seen = (0, 0)
        """Size and time of change (ns) of the file as far as it has been read."""

    @property
    def size(self) -> int:
        """Bytes in the file now, packed or not."""
        return os.fstat(self._fd).st_size

    @property
    def at_rest(self) -> bool:
        """Whether all that is there has been read, and nothing of it is half a gzip file."""
        return self._inflater is None or self._inflater.complete

    def read(self) -> bytes:
        """Return the bytes from offset `at` on, some or none now. Raises OSError, DamagedGzip."""
        while True:
            if self._inflater is not None and (data := self._inflater.more()):
                break
            changed = os.fstat(self._fd).st_mtime_ns
            raw = os.pread(self._fd, CHUNK, self._raw)
            self.seen = (self._raw + len(raw), changed)
            if not raw:
                return b""
            self._raw += len(raw)
            self._last = (self._last + raw)[-_LAST:]
            if self._inflater is None:
                data = raw
                break
            self._inflater.feed(raw)
        if self.packed and self.at < _HEAD:
            self._head += data[: _HEAD - self.at]
        self.at += len(data)
        return data

    def head(self, end: int) -> bytes:
        """Return what stands before `end`, which was read, but no more than 4 KiB."""
        length = min(end, _HEAD)
        return self._head[:length] if self.packed else os.pread(self._fd, length, 0)

    def skip_to(self, offset: int) -> None:
        """Go to an offset at once, in a file that is not packed."""
        self._raw = self.at = offset
        before = max(0, offset - _LAST)
        self._last = os.pread(self._fd, offset - before, before)

    def replaced(self) -> bool:
        """Return whether what has been read no longer stands there, as after a truncation."""
        status = os.fstat(self._fd)
        if self.packed and not self._raw:  # what it held may have been looked at before
            return (status.st_size, status.st_mtime) != (self.size_at_opening, self.written)
        return status.st_size < self._raw or (
            status.st_size > self._raw
            and os.pread(self._fd, len(self._last), self._raw - len(self._last)) != self._last
        )

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


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
            if content.size < end:
                return False
            content.skip_to(mark.start)
        found = b""
        while content.at < end and (data := content.read()):
            begin = content.at - len(data)
            found += data[max(0, mark.start - begin) : max(0, mark.start + mark.length - begin)]
        return content.at >= end and zlib.crc32(found) == mark.crc
    finally:
        content.close()


def first_bytes(path: Path) -> Mark:
    """Return a mark that tells the first bytes of a file, or none if it cannot be read."""
    try:
        content = Content(path)
    except OSError:
        return Mark()
    try:
        return Mark.of(0, 0, content.read()[:_LAST])
    except (OSError, DamagedGzip):
        return Mark()
    finally:
        content.close()
