# SPDX-License-Identifier: Apache-2.0
"""A login event, and what every format's events must keep to."""

import ipaddress
import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from login_formats.countries import country_code
from login_formats.fields import FIELDS, Kind
from login_formats.reasons import Reason, Rejected

MAX_ID_BYTES = 512  # Elasticsearch's limit for _id
MAX_BROWSER_BYTES = 256  # part of the id of a metric document
_MAX_IP_CHARACTERS = 64  # with a zone such as %eth0
_BYTES_PER_CHARACTER = 4  # at most, in UTF-8
_CUT = "…"
OUTCOMES = ("success", "failure", "unknown")


class NotALogin(Exception):
    """The record keeps to its format, but tells of something else than a login: it is counted, and stored nowhere."""


MAX_FUTURE_SECONDS = 300
"""How far an event's time may be ahead of its arrival, where nothing else is set."""
MAX_AGE_DAYS = 400
"""How far it may be behind, where nothing else is set."""


class Limits(NamedTuple):
    """How far an event's time may be from its arrival, in milliseconds."""

    max_future: int
    max_age: int

    @classmethod
    def of(cls, max_future_seconds: int = MAX_FUTURE_SECONDS, max_age_days: int = MAX_AGE_DAYS) -> "Limits":
        """Return the limits that the settings name."""
        return cls(max_future_seconds * 1000, max_age_days * 86_400_000)

    def check(self, timestamp: int, arrival: int) -> None:
        """Raise Rejected if the time is too far from its arrival; both in milliseconds since 1970."""
        if timestamp > arrival + self.max_future:
            raise Rejected(Reason.TIMESTAMP_IN_FUTURE)
        if timestamp < arrival - self.max_age:
            raise Rejected(Reason.TIMESTAMP_OUT_OF_RANGE)


class Event(NamedTuple):
    """A valid login event; the time in milliseconds since 1970, absent values None."""

    id: str | None
    user_id: str | None
    timestamp: int
    browser: str | None
    country: str | None
    outcome: str
    source_address: str | None
    source_ip: str | None
    user_agent: str | None
    reason: str | None
    more: Mapping[str, Any] | None = None
    """Further fields by their ECS name, as in "user.name"; the names and types are those of fields.FIELDS."""

    def fields(self) -> dict[str, Any]:
        """Return all fields by their ECS name, absent ones None; "@timestamp" in milliseconds since 1970."""
        own = {name: getattr(self, attribute) for name, attribute in OWN.items()}
        return own | {"source.ip": self.source_ip, **(self.more or {})}


OWN = {
    "event.id": "id",
    "user.id": "user_id",
    "@timestamp": "timestamp",
    "user_agent.name": "browser",
    "source.geo.country_iso_code": "country",
    "event.outcome": "outcome",
    "source.address": "source_address",
    "user_agent.original": "user_agent",
    "event.reason": "reason",
}
"""The ECS names of an event's own attributes."""


def event(fields: Mapping[str, Any]) -> Event:
    """Return the event of `fields`: ECS names (of fields.FIELDS) to values; None and "" are the same as absent.

    "@timestamp" is in milliseconds since 1970. "source.ip" is made from "source.address" unless it is told and is an
    address, "related.*" of what there is; a country's name becomes its code, where it is one that is known.
    Raises Rejected.
    """
    present = {name: _checked(name, value) for name, value in fields.items() if value is not None and value != ""}
    if "@timestamp" not in present:
        raise Rejected(Reason.TIMESTAMP_MISSING)
    outcome = present.setdefault("event.outcome", "unknown")
    if outcome not in OUTCOMES:
        raise Rejected(Reason.OUTCOME_UNKNOWN)
    for name in ("event.id", "user.id"):
        if name in present and longer(present[name], MAX_ID_BYTES):
            raise Rejected(Reason.FIELD_LENGTH, f"{name} is longer than {MAX_ID_BYTES} bytes")
    if "user_agent.name" in present:
        present["user_agent.name"] = browser(present["user_agent.name"])
    _name_the_country(present)
    ip = next(filter(None, (ip_of(present[name]) for name in ("source.ip", "source.address") if name in present)), None)
    present.pop("source.ip", None)
    users = [present[name] for name in ("user.id", "user.name", "user.email") if name in present]
    if users:
        present["related.user"] = list(dict.fromkeys(users))
    if ip:
        present["related.ip"] = [ip]
    own = {attribute: present.pop(name, None) for name, attribute in OWN.items()}
    return Event(**own, source_ip=ip, more=present or None)


def _checked(name: str, value: Any) -> Any:
    kind = Kind.TEXT if name == "source.ip" else FIELDS[name]
    if kind.accepts(value):
        return value
    raise Rejected(Reason.FIELD_TYPE, f"{name} is not {kind.value}")


def _name_the_country(present: dict[str, Any]) -> None:
    code = present.get("source.geo.country_iso_code")
    if code is not None:
        known = country_code(code)
        if known is None:
            raise Rejected(Reason.COUNTRY_UNKNOWN)
        present["source.geo.country_iso_code"] = known
    elif known := country_code(present.get("source.geo.country_name", "")):
        # a name that is not known stays a name: the login itself is none the worse
        present["source.geo.country_iso_code"] = known


def longer(text: str, limit: int) -> bool:
    """Return whether `text` has more than `limit` bytes in UTF-8."""
    # the first test spares nearly all texts the encoding
    return len(text) * _BYTES_PER_CHARACTER > limit and len(text.encode()) > limit


def browser(name: str) -> str:
    """Return a browser's name; one of more than MAX_BROWSER_BYTES is cut, with "…" for its end.

    It is what a client says of itself: whoever logs in must not be able to have his login refused by it.
    """
    if not longer(name, MAX_BROWSER_BYTES):
        return name
    return name.encode(errors="replace")[: MAX_BROWSER_BYTES - len(_CUT.encode())].decode(errors="ignore") + _CUT


def ip_of(address: str) -> str | None:
    """Return the IP address that `address` is, as Elasticsearch takes it, or None if it is a name or anything else."""
    # what is kept must not be as long as anybody likes
    return _ip_of(address) if len(address) <= _MAX_IP_CHARACTERS else None


@lru_cache(maxsize=65536)
def _ip_of(address: str) -> str | None:
    try:
        socket.inet_pton(socket.AF_INET, address)  # most are of this kind, and it takes a tenth of the time
    except (OSError, ValueError):
        pass
    else:
        return address
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    # Elasticsearch refuses a zone such as %eth0
    return address if "%" not in address else str(ip).partition("%")[0]
