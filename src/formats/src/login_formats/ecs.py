# SPDX-License-Identifier: Apache-2.0
"""Events in the Elastic Common Schema, as Filebeat and Elastic Agent write them: one JSON object an event.

Fields: https://www.elastic.co/guide/en/ecs/current/index.html. Keys may be nested, dotted, or both mixed. A login has
"authentication" in event.category; ends of sessions (event.type end), and what is no event but an alert or a metric
(event.kind), are ignored. The fields of fields.FIELDS are kept, all others dropped; related.* is made anew.

A list of one value, or of one object, counts as that. A field that is there twice, or holds several values, is refused:
either could be the one that is meant. source.ip stands in for source.address, and user.name for user.id, where the
latter is absent: the modules of Filebeat tell an id seldom.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from login_formats.event import NotALogin
from login_formats.fields import FIELDS, Kind
from login_formats.mapping import Unfit, identifier, number, text, time, truth, whole
from login_formats.reasons import Reason, Rejected
from login_formats.strict_json import load_object
from login_formats.wrapper import Arrival

_READERS = {Kind.TEXT: text, Kind.WHOLE: whole, Kind.NUMBER: number, Kind.TRUTH: truth}
_TABLE: Mapping[str, Callable[[Any], Any]] = {
    name: identifier if name.endswith(".id") else _READERS[kind] for name, kind in FIELDS.items() if kind in _READERS
} | {"@timestamp": time, "source.ip": text}

_KINDS = ("event.kind", "event.category", "event.type")
_NAMES = frozenset({*_TABLE, *_KINDS})
_ON_THE_WAY = frozenset(name[:at] for name in _NAMES for at, letter in enumerate(name) if letter == ".")


def fields(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the ECS fields of an event. Raises Rejected, NotALogin."""
    told: dict[str, Any] = {}
    for name, value in _flat(load_object(raw)):
        if name in told:
            raise Rejected(Reason.DUPLICATE_KEY, f"{name} is there twice, nested and with dots")
        told[name] = value
    kinds, categories, types = (_listed(told.pop(name, None)) for name in _KINDS)
    if "authentication" not in categories or "end" in types or kinds not in ([], ["event"]):
        raise NotALogin
    found = {name: _read(name, value) for name, value in told.items()}
    if not found.get("source.address"):
        found["source.address"] = found.get("source.ip")
    if not found.get("user.id"):
        found["user.id"] = found.get("user.name")
    return found


def _flat(record: dict[str, Any], way: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names of ours in `record`, in full, and their values; null is nothing."""
    for key, value in record.items():
        name = way + key
        if value is None:
            continue
        if name in _NAMES:
            yield name, value
        elif name in _ON_THE_WAY:
            inner = _single(name, value)
            if type(inner) is dict:
                yield from _flat(inner, f"{name}.")
            elif inner is not None:
                raise Rejected(Reason.FIELD_TYPE, f"{name} is not an object")


def _read(name: str, value: Any) -> Any:
    single = _single(name, value)
    try:
        return None if single is None else _TABLE[name](single)
    except Unfit as error:
        raise Rejected(Reason.FIELD_TYPE, f"{name} {error}") from None


def _single(name: str, value: Any) -> Any:
    if type(value) is not list:
        return value
    if len(value) > 1:
        raise Rejected(Reason.FIELD_TYPE, f"{name} holds {len(value)} values; a login has one")
    return value[0] if value else None


def _listed(value: Any) -> list[Any]:
    return value if type(value) is list else [] if value is None else [value]
