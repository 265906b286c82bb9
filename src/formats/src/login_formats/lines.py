# SPDX-License-Identifier: Apache-2.0
"""Bytes of a Kafka record to one line of text, for the formats that are no JSON."""

from login_formats.reasons import Reason, Rejected
from login_formats.strict_json import MAX_BYTES

AROUND = "\0\r\n"
"""What is no part of a line: its end, and the NULs in files that were open when their machine lost power."""


def load_line(raw: bytes | None, errors: str = "strict") -> str:
    """Return the line in `raw`: UTF-8, at most MAX_BYTES, without line ends and NULs around it.

    `errors` is that of bytes.decode. Raises Rejected.
    """
    if raw is None:
        raise Rejected(Reason.NULL_VALUE)
    if len(raw) > MAX_BYTES:
        raise Rejected(Reason.TOO_LARGE, f"{len(raw)} bytes; at most {MAX_BYTES} are allowed")
    try:
        line = raw.decode(errors=errors).removeprefix("\ufeff").strip(AROUND)
    except UnicodeDecodeError as error:
        raise Rejected(Reason.BAD_UTF8, f"byte {error.start}: {error.reason}") from None
    if not line.strip():
        raise Rejected(Reason.EMPTY_VALUE)
    if "\n" in line:
        raise Rejected(Reason.SEVERAL_EVENTS, "the value has several lines; send one a record")
    return line
