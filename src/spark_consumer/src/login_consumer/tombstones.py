# SPDX-License-Identifier: Apache-2.0
"""What is left of an event or a dead letter of a person who was erased: its place, and what it counts as.

So every record that was read stays accounted for, windows count it as before, and the same record read again meets it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from login_common.elastic import Query
from login_formats.fields import USERS

from login_consumer.documents import WINDOW_FIELDS, nested

USER_FIELDS = tuple(field for field in USERS if field != "user.domain")
"""The fields of events that name users. What a domain holds is no single one."""
EVENT_ERASED, LETTER_ERASED = "login.erased", "erased"
"""The fields that tell when an event or a letter was erased, and that it was."""
IS_ERASED: Query = {"exists": {"field": LETTER_ERASED}}
"""A dead letter that was erased: there is nothing to send again."""

# Named is what stays, so that a field that comes later goes as well.
EVENT_KEEPS = (
    "@timestamp",
    "event.id",  # also what the sender chose, else the same event sent again would be a new one
    "event.ingested",
    "event.kind",
    "event.category",
    "event.type",
    "login.late",
    "login.kafka",
    "ecs.version",
    *WINDOW_FIELDS.values(),
)
_LETTER_KEEPS = (
    "@timestamp",
    "ingested",
    "reason",
    "topic",
    "topic_id",
    "partition",
    "offset",
    "size",  # a record read again is compared with it
    "replay",
)
_DETAIL = "erased: the record named a user who was erased"


def value_at(source: Mapping[str, Any], field: str) -> Any:
    """Return the value of a field by its dotted name, None if it is absent."""
    value: Any = source
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def users_of(source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each name of a user that an event's fields hold, after the field."""
    for field in USER_FIELDS:
        value = value_at(source, field)
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                yield field, str(each)


def event_tombstone(source: Mapping[str, Any], moment: str) -> dict[str, Any]:
    """Return what stays of an event, of which EVENT_KEEPS are enough, erased at `moment`."""
    return nested({name: value_at(source, name) for name in EVENT_KEEPS} | {EVENT_ERASED: moment})


def letter_tombstone(fields: Mapping[str, Any], moment: str) -> dict[str, Any]:
    """Return what stays of a dead letter that is erased at `moment`."""
    kept = {name: fields[name] for name in _LETTER_KEEPS if name in fields}
    return kept | {"detail": _DETAIL, LETTER_ERASED: moment}
