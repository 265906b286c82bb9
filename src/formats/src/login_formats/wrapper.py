# SPDX-License-Identifier: Apache-2.0
"""What a sender tells about a record beside its bytes, in the headers of the Kafka record.

A format is never guessed: it is what the sender says, else what the consumer's settings say for the topic.
"""

from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from login_common.times import NotATime, NotAZone, rfc3339_ms, zone

from login_formats.event import MAX_ID_BYTES
from login_formats.reasons import Reason, Rejected

FORMAT = "login-format"
"""The name of the record's format."""
ID = "login-id"
"""The event's id, for formats whose records have none: the same record sent again must have the same."""
TIMEZONE = "login-timezone"
"""The zone of times that name none, as in Europe/Berlin."""
WRITTEN_BEFORE = "login-written-before"
"""A time (RFC 3339) that the record is older than, from which times without a year take theirs."""


Headers = Sequence[tuple[str, bytes | None]]
"""The headers of a Kafka record, as they are."""


class Wrapper(NamedTuple):
    """The headers of a record, read; what is not told is None."""

    format: str | None = None
    id: str | None = None
    zone: ZoneInfo | None = None
    written_before: int | None = None
    """Milliseconds since 1970."""

    @classmethod
    def of(cls, headers: Headers) -> "Wrapper":
        """Return what `headers` say; those of others are left alone. Raises Rejected."""
        told = {name: _text(name, value) for name, value in headers if name in _NAMES}
        id_ = told.get(ID)
        if id_ is not None and not 0 < len(id_.encode()) <= MAX_ID_BYTES:
            raise Rejected(Reason.HEADER_INVALID, f"{ID} is empty or longer than {MAX_ID_BYTES} bytes")
        return cls(told.get(FORMAT), id_, _zone(told.get(TIMEZONE)), _time(told.get(WRITTEN_BEFORE)))


PLAIN = Wrapper()
"""Of a record without headers."""

_NAMES = frozenset({FORMAT, ID, TIMEZONE, WRITTEN_BEFORE})


def _text(name: str, value: bytes | None) -> str:
    try:
        return (value or b"").decode()
    except UnicodeDecodeError:
        raise Rejected(Reason.HEADER_INVALID, f"{name} is not UTF-8") from None


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return zone(name)
    except NotAZone:
        raise Rejected(Reason.HEADER_INVALID, f"{TIMEZONE} is no zone of the IANA database") from None


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return rfc3339_ms(text)
    except NotATime:
        raise Rejected(Reason.HEADER_INVALID, f"{WRITTEN_BEFORE} is no RFC 3339 time with a zone") from None


class Arrival(NamedTuple):
    """What a format may have to know of a record beside its bytes."""

    time: int
    """When it arrived, in milliseconds since 1970."""
    wrapper: Wrapper = PLAIN
