# SPDX-License-Identifier: Apache-2.0
"""What the consumer would make of the records in a file, without Kafka: `login-producer check`."""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from login_common.text import printable
from login_common.times import iso, zone
from login_formats import Event, Limits, NotALogin, Reason, Rejected, Wrapper, read
from login_formats.wrapper import Arrival

from login_producer.settings import Layout
from login_producer.sources import SourceError
from login_producer.sources.content import CHUNK, Content, DamagedGzip
from login_producer.sources.cutting import MAX_RECORD
from login_producer.sources.records import Reader, Record

_SHOWN = 300  # characters of a record that is refused


class Verdict(NamedTuple):
    """What becomes of one record."""

    line: int
    """Where it begins, from 1."""
    part: int | None
    """Which one it is of those that the line was taken apart to, from 1."""
    result: str
    """event, ignored, unrecognised or refused."""
    fields: dict[str, Any]
    """Of an event: its fields by their ECS names. Of what is refused or unrecognised: reason, detail and text."""


class Checker:
    """Judges records as the consumer would on their arrival now."""

    def __init__(self, format_: str, layout: Layout, timezone: str | None, max_age_days: int) -> None:
        self._reader = Reader(format_, layout)
        self._format, self._zone = format_, zone(timezone) if timezone else None
        self._limits = Limits.of(max_age_days=max_age_days)
        self._line = 1

    def check(self, path: str) -> Iterator[Verdict]:
        """Yield what becomes of each record of a file; "-" is standard input. Raises SourceError."""
        written: float | None = None
        try:
            if path == "-":
                chunks = iter(lambda: os.read(0, CHUNK), b"")
            else:
                content = Content(Path(path))
                written, chunks = content.written, content.rest()
            for chunk in chunks:
                for record in self._reader.feed(chunk):
                    yield from self._judge(record, written)
            for record in self._reader.finish():
                yield from self._judge(record, written)
            if path != "-" and not content.at_rest:
                raise SourceError(f"{path} is cut short: gzip has not written its end")
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}; check the path and the rights on it") from None
        except DamagedGzip as error:
            raise SourceError(
                f"{path} cannot be unpacked: {error}; a name that ends with .gz stands for gzip"
            ) from None

    def _judge(self, record: Record, written: float | None) -> Iterator[Verdict]:
        line, raw = self._line, record.piece.raw
        self._line += 1 + (raw or b"").count(b"\n")
        if raw is None:
            yield Verdict(line, None, "refused", _refused(Reason.TOO_LARGE, Reason.TOO_LARGE.meaning, b""))
        before = None if written is None else int(written * 1000) + 1000
        wrapper = Wrapper(self._format, None, self._zone, before)
        for number, value in enumerate(record.values, 1):
            part = number if record.apart else None
            try:
                if len(value) > MAX_RECORD:
                    raise Rejected(Reason.TOO_LARGE)
                event = read(value, Arrival(time.time_ns() // 1_000_000, wrapper), self._limits)
            except NotALogin:
                yield Verdict(line, part, "ignored", {})
            except Rejected as error:
                result = "unrecognised" if error.reason is Reason.UNRECOGNISED else "refused"
                yield Verdict(line, part, result, _refused(error.reason, error.detail, value))
            else:
                yield Verdict(line, part, "event", _fields(event))


def report(verdicts: Iterator[Verdict], out: TextIO, as_json: bool) -> bool:
    """Write one line for each verdict, then the sums; return whether nothing is refused or unrecognised."""
    sums: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for verdict in verdicts:
        sums[verdict.result] += 1
        if verdict.result == "refused":
            refused[verdict.fields["reason"]] += 1
        out.write((_as_json(verdict) if as_json else _as_text(verdict)) + "\n")
    reasons = ", ".join(f"{reason} {count}" for reason, count in refused.most_common())
    total = f"{sums['event']} events, {sums['ignored']} ignored, {sums['unrecognised']} unrecognised, "
    total += f"{sums['refused']} refused"
    print(f"{total} ({reasons})" if reasons else total, file=sys.stderr if as_json else out)
    known = not refused and not sums["unrecognised"]
    if sums["unrecognised"]:
        print("unrecognised is what --format knows neither as a login nor as none: is it right?", file=sys.stderr)
    elif sums["ignored"] and not sums["event"] and not refused:
        print("not one login is among them: is this the right --format?", file=sys.stderr)
    return known


def _as_json(verdict: Verdict) -> str:
    place = {"line": verdict.line} | ({"part": verdict.part} if verdict.part else {})
    return json.dumps(place | {"result": verdict.result} | verdict.fields)


def _as_text(verdict: Verdict) -> str:
    place = str(verdict.line) if verdict.part is None else f"{verdict.line}.{verdict.part}"
    fields = verdict.fields
    if verdict.result in ("refused", "unrecognised"):
        reason = f"{fields['reason']}: " if verdict.result == "refused" else ""
        text = f"{reason}{fields['detail']}" + (f" | {fields['text']}" if fields["text"] else "")
    else:
        shown = [name for name in fields if name not in ("event.original", "related.user", "related.ip")]
        text = "  ".join(f"{name}={fields[name]}" for name in shown)
    return printable(f"{place}: {verdict.result} {text}".rstrip())


def _refused(reason: Reason, detail: str, value: bytes) -> dict[str, Any]:
    return {"reason": str(reason), "detail": detail, "text": value[: 4 * _SHOWN].decode(errors="replace")[:_SHOWN]}


def _fields(event: Event) -> dict[str, Any]:
    fields = event.fields() | {"@timestamp": iso(event.timestamp)}
    return {name: fields[name] for name in sorted(fields) if fields[name] is not None}
