# SPDX-License-Identifier: Apache-2.0
"""The native event contract: the bytes of a record to an event, or the reason why it is none.

One JSON object: event_id, user_id, timestamp, browser, country, outcome, source_ip, user_agent, reason.
Only user_id and timestamp must be there; null is the same as absent; other keys are dropped.
`browser_info` is accepted for `browser`, an English country name for a code, float seconds for a timestamp.
"""

import ipaddress
from functools import lru_cache
from typing import Any, NamedTuple

from login_consumer.countries import country_code
from login_consumer.reasons import Reason, Rejected
from login_consumer.strict_json import exact_integer, load_object
from login_consumer.times import epoch_ms

MAX_ID_BYTES = 512  # Elasticsearch's limit for _id
MAX_BROWSER_BYTES = 256  # part of the id of a metric document
_BYTES_PER_CHARACTER = 4  # at most, in UTF-8


class Limits(NamedTuple):
    """How far an event's time may be from its arrival, in milliseconds."""

    max_future: int
    max_age: int


class Event(NamedTuple):
    """A valid login event; the time in milliseconds since 1970, absent values None."""

    id: str | None
    user_id: str
    timestamp: int
    browser: str | None
    country: str | None
    outcome: str
    source_address: str | None
    source_ip: str | None
    user_agent: str | None
    reason: str | None


def parse(raw: bytes | None, arrival: int, limits: Limits) -> Event:
    """Return the event in `raw`, which arrived at `arrival` (milliseconds since 1970).

    Raises Rejected.
    """
    fields = load_object(raw)
    get = fields.get
    timestamp = epoch_ms(get("timestamp"))
    if timestamp > arrival + limits.max_future:
        raise Rejected(Reason.TIMESTAMP_IN_FUTURE)
    if timestamp < arrival - limits.max_age:
        raise Rejected(Reason.TIMESTAMP_OUT_OF_RANGE)
    user_id = get("user_id")
    if type(user_id) is not str:
        user_id = _digits(user_id, raw)
    if not user_id:
        raise Rejected(Reason.USER_ID_MISSING)
    if _longer(user_id, MAX_ID_BYTES):
        raise Rejected(Reason.FIELD_LENGTH, f"user_id is longer than {MAX_ID_BYTES} bytes")
    browser = _text(fields, "browser") or _text(fields, "browser_info")
    if browser and _longer(browser, MAX_BROWSER_BYTES):
        raise Rejected(Reason.FIELD_LENGTH, f"browser is longer than {MAX_BROWSER_BYTES} bytes")
    address = _text(fields, "source_ip")
    return Event(
        _event_id(get("event_id")),
        user_id,
        timestamp,
        browser,
        _country(_text(fields, "country")),
        _outcome(_text(fields, "outcome")),
        address,
        address and _ip(address),
        _text(fields, "user_agent"),
        _text(fields, "reason"),
    )


def _longer(text: str, limit: int) -> bool:
    # the first test spares nearly all texts the encoding
    return len(text) * _BYTES_PER_CHARACTER > limit and len(text.encode()) > limit


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or type(value) is str:
        return value or None
    raise Rejected(Reason.FIELD_TYPE, f"{name} is not a string")


def _digits(value: object, raw: bytes | None) -> str | None:
    if value is None:
        return None
    if type(value) is int:
        return str(value)
    # a float may be an integer beyond 64 bits, whose digits all count
    digits = exact_integer(raw, "user_id") if type(value) is float and raw else None
    if digits is None:
        raise Rejected(Reason.USER_ID_TYPE)
    return digits


def _event_id(value: object) -> str | None:
    if value is None:
        return None
    if type(value) is not str:
        raise Rejected(Reason.EVENT_ID_TYPE)
    if not value or _longer(value, MAX_ID_BYTES):
        raise Rejected(Reason.EVENT_ID_LENGTH)
    return value


def _country(text: str | None) -> str | None:
    if text is None:
        return None
    code = country_code(text)
    if code is None:
        raise Rejected(Reason.COUNTRY_UNKNOWN)
    return code


def _outcome(text: str | None) -> str:
    if text is None:
        return "unknown"
    if text not in ("success", "failure"):
        raise Rejected(Reason.OUTCOME_UNKNOWN)
    return text


@lru_cache(maxsize=65536)
def _ip(address: str) -> str | None:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    # Elasticsearch refuses a zone such as %eth0
    return address if "%" not in address else str(ip).partition("%")[0]
