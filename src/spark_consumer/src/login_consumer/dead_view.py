# SPDX-License-Identifier: Apache-2.0
"""Dead letters for a person. Their content comes from anybody: nothing of it may steer a terminal."""

import os
import sys
from collections.abc import Iterator
from typing import Any

from login_common.text import printable
from login_formats.wrapper import Headers

from login_consumer.dead_letters import Letter, Listing, Plan

_HEX_WIDTH = 16


def content(raw: bytes | None) -> Iterator[str]:
    """Yield the lines that show a record's value: as text if it is printable UTF-8, else as a hex dump."""
    if raw is None:
        yield "(no value)"
        return
    if not raw:
        yield "(no bytes)"
        return
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = "\0"
    if all(sign.isprintable() or sign in "\n\r\t" for sign in text):
        for line in text.split("\n"):
            # a carriage return would let the line overwrite itself
            yield line.replace("\r", "\\r").expandtabs()
        return
    yield from hex_dump(raw)


def hex_dump(raw: bytes) -> Iterator[str]:
    """Yield lines of the offset, 16 bytes in hex, and the same in ASCII with a dot for what is not."""
    for start in range(0, len(raw), _HEX_WIDTH):
        part = raw[start : start + _HEX_WIDTH]
        signs = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        yield f"{start:08x}  {part.hex(' '):<{3 * _HEX_WIDTH - 1}}  |{signs}|"


def terminal_width() -> int | None:
    """Return the columns of the terminal, None if standard output is none: then nothing is cut."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def listing(told: Listing, width: int | None) -> Iterator[str]:
    """Yield the counts, then a line for each letter, cut to `width` columns if that is given."""
    if not told.total:
        yield "no such dead letters"
        return
    yield f"{told.total} dead letters"
    for reason, count in told.reasons.items():
        yield f"{count:>9}  {printable(reason)}"
    if told.unrecognised:
        yield ""
        yield "unrecognised, by what they seem to be"
    for kind, count in told.unrecognised.items():
        yield f"{count:>9}  {printable(kind)}"
    if told.letters:
        yield ""
        yield f"newest {len(told.letters)}: id, time, reason, topic/partition/offset, bytes, detail"
    for letter in told.letters:
        fields = letter.fields
        size = fields.get("size", "-")
        replay = f"(replay: {letter.state})  " if letter.state else ""
        line = printable(
            f"{letter.id}  {fields['@timestamp']}  {fields['reason']}  {_place(fields)}  {size}  "
            f"{replay}{fields['detail']}"
        )
        yield line if width is None or len(line) <= width else line[: width - 1] + "…"


def as_json(told: Listing) -> dict[str, Any]:
    """Return the listing as JSON-able values."""
    letters = [{"id": letter.id, "index": letter.index} | letter.fields for letter in told.letters]
    return {"total": told.total, "reasons": told.reasons, "unrecognised": told.unrecognised, "letters": letters}


def letter_lines(letter: Letter) -> Iterator[str]:
    """Yield the lines that show one letter with its value."""
    fields = letter.fields
    rows = {
        "id": letter.id,
        "index": letter.index,
        "time": f"{fields['@timestamp']} in Kafka, {fields['ingested']} here",
        "place": _place(fields),
        "reason": fields["reason"],
        "detail": fields["detail"],
        "headers": _headers(letter.headers),
        "replay": _replay(fields),
        "size": f"{fields['size']} bytes" if "size" in fields else "not known" if letter.is_unread else "no value",
    }
    for name, value in rows.items():
        yield f"{name:<8}{printable(str(value))}"
    yield ""
    if letter.erased:
        yield f"(erased at {letter.erased})"
        return
    if letter.withheld:
        yield f"({withheld(letter)})"
        return
    if letter.head is not None:
        yield f"the value was not kept; its SHA-256 is {fields['sha256']}, its first {len(letter.head)} bytes are:"
    if letter.is_unread:
        yield "(nothing of the record was kept)"
        return
    yield from content(letter.raw if letter.head is None else letter.head)


def withheld(letter: Letter) -> str:
    """Return why the letter has no content, and where the record still is."""
    place = _place(letter.fields)
    return f"the record is not kept, since pseudonyms are on; as long as Kafka has it, it stands at {place}"


def _place(fields: dict[str, Any]) -> str:
    return f"{fields['topic']}/{fields['partition']}/{fields['offset']}"


def _headers(headers: Headers) -> str:
    return ", ".join(f"{key}: {(value or b'').decode(errors='backslashreplace')}" for key, value in headers) or "none"


def _replay(fields: dict[str, Any]) -> str:
    replay = fields.get("replay") or {}
    if not replay.get("state"):
        return "not yet"
    if replay.get("at"):
        return f"{replay['state']} at {replay['at']}, now {fields['topic']}/{replay['partition']}/{replay['offset']}"
    return f"{replay['state']} since {replay['started']}: perhaps sent"


def plan_lines(planned: Plan, topic: str) -> Iterator[str]:
    """Yield the lines that say what a replay is about to do."""
    yield f"{planned.total} dead letters to replay to {topic}"
    for reason, count in planned.reasons.items():
        yield f"{count:>9}  {printable(reason)}"
    if planned.sent:
        yield f"{planned.sent} skipped: sent before; --again sends them once more"
    if planned.sending:
        yield (
            f"{planned.sending} skipped: marked as sending, so perhaps sent before. "
            "Look for them in the topic or in the newer letters, then give --again"
        )
    if planned.cut:
        yield f"{planned.cut} skipped: their records were not kept, or erased, so there is nothing to send"
    for other, count in planned.foreign.items():
        yield (
            f"{count} refused: they come from topic {printable(other)}, but kafka.topic is {topic}; "
            "replay them with the settings of their own topic"
        )
