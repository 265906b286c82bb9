# SPDX-License-Identifier: Apache-2.0
"""The decisions of docs/records.md: the bytes of each record, and what becomes of it. The page tells the notation."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs/records.md"
PLACE = object()  # the id of an event that has none of its own

_ROWS = "| what | record | becomes |"
_STEPS = "| arrives | record | becomes |"
_TESTS = "| what | decision | held by |"
_SPECIAL = {"*no value*": None, "*zero bytes*": b""}
_WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda raw: gzip.compress(raw, mtime=0),
    "UTF-16LE": lambda raw: raw.decode().encode("utf-16-le"),
    "UTF-16BE": lambda raw: raw.decode().encode("utf-16-be"),
    "string": lambda raw: json.dumps(raw.decode()).encode(),
}
_WRAPPED = re.compile(rf"({'|'.join(_WRAPPERS)})\((.+)\)").fullmatch
_CHANGE = re.compile(r", (?=no \w+(?:,|$)|(?:and )?[\w\\]+: )")
_STORED = re.compile(r", (?=[@\w.]+: )")
_FILL = re.compile(rb"<fill to (\d+)>")


@dataclass(frozen=True)
class Row:
    """One record. Times in milliseconds since 1970."""

    section: str
    what: str
    raw: bytes | None
    becomes: str
    """event, duplicate or dead."""
    reason: str
    """Of a dead letter, else empty."""
    stored: dict[str, Any]
    """Dotted names of an event document to values: None if absent, or PLACE."""
    arrival: int


@dataclass(frozen=True)
class Step(Row):
    """One record of a sequence; `count` is what its window counts then (no window for a dead letter)."""

    window: int | None
    count: int | None


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def field(document: dict[str, Any], name: str) -> Any:
    """Return what stands under a dotted name, or None."""
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


class Page:
    """The page, read once. Raises ValueError, AttributeError or KeyError if it does not keep to its notation."""

    def __init__(self, text: str | None = None) -> None:
        text = PAGE.read_text() if text is None else text
        self._base: dict[str, str] = {
            key: json.dumps(value)
            for key, value in json.loads(re.search(r"^```json\n(.+)\n```$", text, re.M)[1]).items()  # type: ignore[index]
        }
        self.arrival = milliseconds(re.search(r"arrive at `(\S+)`", text)[1])  # type: ignore[index]
        self.rows: list[Row] = []
        self.sequences: dict[str, list[Step]] = {}
        self.tests: list[str] = []
        for section, head, cells in _tables(text):
            if head.startswith(_ROWS):
                self.rows.append(self._row(section, self.arrival, *cells))
            elif head.startswith(_STEPS):
                self.sequences.setdefault(section, []).append(self._step(section, *cells))
            elif head.startswith(_TESTS):
                self.tests += re.findall(r"`([\w/.]+::\w+)`", cells[2])

    def _row(self, section: str, arrival: int, what: str, record: str, becomes: str, told: str) -> Row:
        dead = becomes == "dead"
        stored = {} if dead or becomes == "duplicate" else self._stored(record, told)
        return Row(section, what, self.raw(record), becomes, told.strip("`") if dead else "", stored, arrival)

    def _step(self, section: str, arrives: str, record: str, becomes: str, told: str, window: str, count: str) -> Step:
        row = self._row(section, milliseconds(arrives), record, record, becomes, told)
        return Step(**vars(row), window=milliseconds(window) if window else None, count=int(count) if count else None)

    def _stored(self, record: str, told: str) -> dict[str, Any]:
        whole = dict(self.rows[0].stored) if self.rows and "G" in record.strip("`") else {}
        for part in _STORED.split(told.strip("`")) if told else ():
            name, value = part.split(": ", 1)
            special = {"absent": None, "place": PLACE}
            whole[name] = special[value] if value in special else json.loads(_repeated(value))
        return whole

    def raw(self, record: str) -> bytes | None:
        """Return the bytes that a cell of the column `record` stands for."""
        if record in _SPECIAL:
            return _SPECIAL[record]
        whole = b"".join(self._part(part) for part in record[1:-1].split(" + "))
        if fill := _FILL.search(whole):
            whole = whole.replace(fill[0], b"x" * (int(fill[1]) - len(whole) + len(fill[0])))
        return whole

    def _part(self, part: str) -> bytes:
        if wrapped := _WRAPPED(part):
            return _WRAPPERS[wrapped[1]](self._part(wrapped[2]))
        if part != "G" and not part.startswith("G, "):
            return _bytes(part)
        fields, added = dict(self._base), []
        for change in _CHANGE.split(part)[1:]:
            key, _, value = change.partition(": ")
            if key.startswith("no "):
                del fields[key.removeprefix("no ")]
            elif key.startswith("and "):
                added.append((key.removeprefix("and "), value))
            else:
                fields[key] = value
        pairs = [b'"%b":%b' % (_bytes(key), _bytes(value)) for key, value in [*fields.items(), *added]]
        return b"{%b}" % b",".join(pairs)


def _tables(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the heading, the head of the table and the cells of each row."""
    heading = head = ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            head = ""
        elif not head:
            head = line
        elif not line.startswith("|--"):
            yield heading, head, [cell.strip() for cell in line.strip("|").split("|")]


def _repeated(text: str) -> str:
    text = re.sub(r"<(\d+) of (.+?)>", lambda told: told[2] * int(told[1]), text)
    return re.sub(r"<([^<]+) for # from (\d+) to (\d+)>", _numbered, text)


def _numbered(told: re.Match[str]) -> str:
    return ",".join(told[1].replace("#", str(number)) for number in range(int(told[2]), int(told[3]) + 1))


def _bytes(text: str) -> bytes:
    return re.sub(rb"\\x([0-9a-f]{2})", lambda told: bytes.fromhex(told[1].decode()), _repeated(text).encode())
