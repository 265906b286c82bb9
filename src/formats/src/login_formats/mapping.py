# SPDX-License-Identifier: Apache-2.0
"""From nested JSON to ECS fields by a table: what every JSON format would otherwise repeat.

A table has one row a field: its ECS name, and where its value comes from.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from login_formats.reasons import Reason, Rejected
from login_formats.times import epoch_ms

_WHOLE = re.compile(r"-?[0-9]{1,18}").fullmatch
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?").fullmatch


class Unfit(ValueError):
    """A reader cannot take a value; the text goes on after the name of the value: "is not a string"."""


class From(NamedTuple):
    """Where a field's value comes from: a path of keys with dots between, and what reads the value there."""

    path: str
    read: Callable[[Any], Any] = lambda value: text(value)
    or_path: str | None = None
    """The path for records that have nothing at the first, such as those of another version."""


Table = Mapping[str, From | str | list[str] | bool]
"""ECS names to where their values come from; anything but a From is the value itself, the same for all records."""


def mapped(record: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Return the ECS fields of `record` by `table`; what is missing, null or an empty text, at any level, is left out.

    Raises Rejected, with the path, if a value is of another type than its reader takes.
    """
    fields: dict[str, Any] = {}
    for name, source in table.items():
        value = source
        if isinstance(source, From):
            path, value = source.path, at(record, source.path)
            if value is None and source.or_path:
                path, value = source.or_path, at(record, source.or_path)
            if value is not None:
                try:
                    value = source.read(value)
                except Unfit as error:
                    raise Rejected(Reason.FIELD_TYPE, f"{path} {error}") from None
        if value is not None and value != "":
            fields[name] = value
    return fields


def at(record: Mapping[str, Any], path: str) -> Any:
    """Return the value at `path` in nested objects, None if it is missing or null.

    So it is if anything on the way is missing, null or an empty text.
    Raises Rejected if something on the way is no object.
    """
    value: Any = record
    walked = ""
    for key in path.split("."):
        if value is None or value == "":
            return None
        if type(value) is not dict:
            raise Rejected(Reason.FIELD_TYPE, f"{walked} is not an object")
        value = value.get(key)
        walked = f"{walked}.{key}" if walked else key
    return value


def text(value: Any) -> str:
    """Read a string."""
    if type(value) is not str:
        raise Unfit("is not a string")
    return value


def identifier(value: Any) -> str:
    """Read an id: a string, or an integer of up to 64 bits with all its digits."""
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        raise Unfit("is neither a string nor an integer of up to 64 bits")
    return value


def whole(value: Any) -> int:
    """Read an integer of 64 bits with a sign, or one of up to 18 digits in a string, as Elasticsearch takes it."""
    if type(value) is str and _WHOLE(value):
        value = int(value)
    if type(value) is not int:
        raise Unfit("is not an integer")
    if not -(1 << 63) <= value < 1 << 63:
        raise Unfit("is beyond 64 bits")
    return value


def number(value: Any) -> float:
    """Read an integer or a number with a fraction, also in a string."""
    if type(value) is str and _NUMBER(value):
        value = float(value)
    if type(value) is not int and type(value) is not float:
        raise Unfit("is not a number")
    return value


def truth(value: Any) -> bool:
    """Read true or false."""
    if type(value) is not bool:
        raise Unfit("is neither true nor false")
    return value


def time(value: Any) -> int:
    """Read RFC 3339 text with a zone, or seconds or milliseconds since 1970, as milliseconds. Raises Rejected."""
    return epoch_ms(value)


def one_of(meanings: Mapping[str, Any], otherwise: Any = Unfit) -> Callable[[Any], Any]:
    """Return a reader of words that stand for a value each; it gives `otherwise` for others, or refuses them."""

    def read(value: Any) -> Any:
        word = text(value)
        if word in meanings:
            return meanings[word]
        if otherwise is Unfit:
            raise Unfit(f"is none of {', '.join(meanings)}")
        return otherwise

    return read


def unless(*nothing: str) -> Callable[[Any], str | None]:
    """Return a reader of strings for which each of `nothing` stands for no value, such as "unknown"."""
    return lambda value: None if value in nothing else text(value)
