# SPDX-License-Identifier: Apache-2.0
"""Cuts bytes, as they come, into lines or CSV rows, and knows where each one stood.

Files hold runs of NUL bytes where nothing was ever written: before a writer's old offset after a truncation, in what
was allocated in advance, and in blocks that a power loss kept from the disk. They are no part of a record.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol

MAX_LINE = 64 * 1024 * 1024
"""Bytes of a line: it may hold a whole export, to be taken apart."""
MAX_RECORD = 1024 * 1024
"""Bytes of a record, and so of a CSV row: Kafka and the consumer take no larger ones."""
BLOCK = 512
"""Bytes of NULs that end a line in its middle: a sector, the least that a power loss takes. A shorter run in the
middle stays in the record: a program may log NULs that somebody typed, who must not forge a record by them."""
_BLOCKS = re.compile(rb"\0{%d,}" % BLOCK)


class Piece(NamedTuple):
    """One line or row, without the NULs before and behind it."""

    start: int
    end: int
    """The offset behind its line end."""
    raw: bytes | None
    """Without the line feed; None: longer than the limit."""


class Cutter(Protocol):
    """Cuts a stream; take all pieces before giving it more."""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield what is complete with `data`, which follows what was fed before."""

    def skip(self, nuls: int) -> Iterator[Piece]:
        """Yield what is complete as so many NULs follow, which are not fed."""

    def finish(self) -> Iterator[Piece]:
        """Yield what is left, as the stream ends without a line feed."""


class Lines:
    """Cuts at line feeds, and at blocks of NULs."""

    def __init__(self, offset: int = 0, limit: int = MAX_LINE) -> None:
        self._start, self._limit = offset, limit
        self._held: list[bytes] = []  # of the line that has no end yet; empty once it is too long
        self._length = 0
        self._nuls = 0  # that follow what is held

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield the lines that are complete with `data`."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            yield from self._add(line)
            yield self._end(1)
        yield from self._add(rest)

    def skip(self, nuls: int) -> Iterator[Piece]:
        """Yield the line that so many NULs end, which are not fed."""
        self._nuls += nuls
        if self._length and self._nuls >= BLOCK:
            behind, self._nuls = self._nuls, 0
            yield self._end(0)
            self._nuls = behind
        if not self._length:
            self._start, self._nuls = self._start + self._nuls, 0

    def finish(self) -> Iterator[Piece]:
        """Yield the last line, if it has no line feed."""
        if self._length:
            self._nuls = 0
            yield self._end(0)

    def _add(self, data: bytes) -> Iterator[Piece]:
        if not self._nuls and b"\0" not in data:
            self._hold(data)
            return
        text = data.lstrip(b"\0")
        yield from self.skip(len(data) - len(text))
        while text:
            self._hold(b"\0" * self._nuls)
            self._nuls = 0
            block = _BLOCKS.search(text)
            line = text[: block.start()] if block else text.rstrip(b"\0")
            self._hold(line)
            behind = text[len(line) :]
            text = behind.lstrip(b"\0")
            yield from self.skip(len(behind) - len(text))

    def _hold(self, data: bytes) -> None:
        self._length += len(data)
        if self._length > self._limit:
            self._held.clear()
        elif data:
            self._held.append(data)

    def _end(self, feed: int) -> Piece:
        start, self._start = self._start, self._start + self._length + self._nuls + feed
        raw = b"".join(self._held) if self._length <= self._limit else None
        self._held.clear()
        self._length = self._nuls = 0
        return Piece(start, self._start, raw)


class Rows:
    """Cuts CSV at line feeds outside of quotes."""

    def __init__(self, offset: int = 0, limit: int = MAX_RECORD) -> None:
        self._lines, self._limit = Lines(offset, limit), limit
        self._held: list[Piece] = []
        self._length = 0
        self._too_long = self._quoted = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield the rows that are complete with `data`."""
        for line in self._lines.feed(data):
            yield from self._join(line)

    def skip(self, nuls: int) -> Iterator[Piece]:
        """Yield the row that so many NULs end, which are not fed."""
        for line in self._lines.skip(nuls):
            yield from self._join(line)

    def finish(self) -> Iterator[Piece]:
        """Yield the last row, if it has no line feed or no end."""
        for line in self._lines.finish():
            yield from self._join(line)
        if self._held:
            yield self._end()

    def _join(self, line: Piece) -> Iterator[Piece]:
        if self._held and line.start != self._held[-1].end:  # NULs: what was to close the quotes was never written
            yield self._end()
        self._length += line.end - line.start
        self._too_long |= line.raw is None or self._length > self._limit + 1
        # of a line that is gone nobody knows how it ended: better to begin anew than to swallow what follows
        whole = line.raw is not None and line.end - line.start <= len(line.raw) + 1  # no NULs stood behind it
        self._quoted = whole and _ends_quoted(line.raw or b"", self._quoted)
        if self._too_long:
            # only the ends are still of interest
            self._held = [*self._held[:1], Piece(line.start, line.end, b"")]
        else:
            self._held.append(line)
        if not self._quoted:
            yield self._end()

    def _end(self) -> Piece:
        raw = None if self._too_long else b"\n".join(line.raw or b"" for line in self._held)
        row = Piece(self._held[0].start, self._held[-1].end, raw)
        self._held, self._length = [], 0
        self._too_long = self._quoted = False
        return row


def _ends_quoted(line: bytes, quoted: bool) -> bool:
    """Return whether the next line goes on in quotes; `quoted`: this one began so."""
    at = 0
    while True:
        if quoted:
            at = line.find(b'"', at) + 1
            if at == 0:
                return True
            if line[at : at + 1] == b'"':  # stands for a quote in the text
                at += 1
                continue
            quoted = False
        elif line[at : at + 1] == b'"':  # only at the start of a cell does it open
            quoted = True
            at += 1
            continue
        at = line.find(b",", at) + 1
        if at == 0:
            return False
