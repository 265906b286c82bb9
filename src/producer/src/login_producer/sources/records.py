# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a file or stream to records, one event each: what sources and `login-producer check` share."""

import csv
import json
import logging
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

from login_formats import Rejected, split
from login_formats.wrapper import FORMAT, ID, TIMEZONE, WRITTEN_BEFORE

from login_producer.settings import Layout
from login_producer.sources.cutting import MAX_RECORD, Cutter, Lines, Piece, Rows

log = logging.getLogger(__name__)

csv.field_size_limit(MAX_RECORD)  # one of its own would only refuse what the row's limit lets through
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Record(NamedTuple):
    """What one line or row holds."""

    piece: Piece
    """Where it stood, and what stood there; raw is None if that was too long."""
    values: tuple[bytes, ...]
    """The records for Kafka: none for a blank line or a header, several for a line that was taken apart."""
    apart: bool = False
    """Whether the line was taken apart."""

    def ids(self, stream: bytes) -> Iterator[str]:
        """Yield an id for each value: the same place of the same `stream` (32 bytes) has the same, no other has."""
        place = blake2b(b"%d " % self.piece.start + (self.piece.raw or b""), key=stream, digest_size=16).hexdigest()
        for number in range(1, len(self.values) + 1):
            yield f"{place}-{number}" if self.apart else place


class Reader:
    """Makes records of the bytes of one stream, as they come. Take all records before feeding more."""

    def __init__(self, format_: str, layout: Layout, offset: int = 0, columns: tuple[str, ...] | None = None) -> None:
        """Begin at `offset` of the stream; behind the start of CSV, `columns` has to tell its header."""
        self._format, self._csv = format_, layout == "csv"
        self._cutter: Cutter = Rows(offset) if self._csv else Lines(offset)
        self.columns = columns
        """Of CSV, once the header is read; empty if it cannot be used."""

    def feed(self, data: bytes) -> Iterator[Record]:
        """Yield the records that are complete with `data`."""
        return map(self._record, self._cutter.feed(data))

    def skip(self, nuls: int) -> Iterator[Record]:
        """Yield the records that are complete as so many NULs follow, which are not fed."""
        return map(self._record, self._cutter.skip(nuls))

    def finish(self) -> Iterator[Record]:
        """Yield the last record, if its line has no end."""
        return map(self._record, self._cutter.finish())

    def _record(self, piece: Piece) -> Record:
        if piece.raw is None:
            return Record(piece, ())
        text = piece.raw.removesuffix(b"\r")
        if piece.start == 0:
            text = text.removeprefix(_BYTE_ORDER_MARK)
        if not text.strip():
            return Record(piece, ())
        if not self._csv:
            values = self._apart(text)
            return Record(piece, values, apart=values != (text,))
        if self.columns is None:
            self.columns = _header(text)
            return Record(piece, ())
        return Record(piece, (_row(self.columns, text),))

    def _apart(self, text: bytes) -> tuple[bytes, ...]:
        try:
            return tuple(split(self._format, text))
        except Rejected:  # sent as it stands: the consumer tells why it is none, and keeps it
            return (text,)


def _header(text: bytes) -> tuple[str, ...]:
    cells = _cells(text)
    if cells and all(cells) and len(set(cells)) == len(cells):
        return tuple(cells)
    log.error(
        "the CSV header names a column twice or not at all, so that no row can be read: mend the file's first line"
    )
    return ()


def _row(columns: tuple[str, ...], text: bytes) -> bytes:
    """Return the row as a JSON object of its cells that are not empty.

    A row that does not fit the columns is returned as it stands: the consumer keeps it as a dead letter.
    """
    cells = _cells(text)
    if cells is None or len(cells) != len(columns):
        return text
    filled = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    return json.dumps(filled, ensure_ascii=False, separators=(",", ":")).encode()


def _cells(text: bytes) -> list[str] | None:
    try:
        return next(csv.reader([text.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error, StopIteration):
        return None


def wrapper(format_: str, timezone: str | None, written_before: str | None = None) -> list[tuple[str, bytes]]:
    """Return the headers that all records of a stream have; `written_before` is RFC 3339."""
    told = ((FORMAT, format_), (TIMEZONE, timezone), (WRITTEN_BEFORE, written_before))
    return [(name, text.encode()) for name, text in told if text is not None]


def with_id(headers: Iterable[tuple[str, bytes]], event_id: str) -> list[tuple[str, bytes]]:
    """Return the headers of the event of this id."""
    return [*headers, (ID, event_id.encode())]
