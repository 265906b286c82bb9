# SPDX-License-Identifier: Apache-2.0
"""The native event contract: the bytes of a record to an event, or the reason why it is none.

One JSON object: event_id, user_id, timestamp, browser, country, outcome, source_ip, user_agent, reason.
Only user_id and timestamp must be there; null is the same as absent; other keys are dropped.
`browser_info` is accepted for `browser`, an English country name for a code, float seconds for a timestamp.
"""

from typing import Any

from login_formats.countries import country_code
from login_formats.event import MAX_ID_BYTES, Event, Limits, browser, ip_of, longer
from login_formats.reasons import Reason, Rejected
from login_formats.strict_json import exact_integer, load_object
from login_formats.times import epoch_ms


def parse(raw: bytes | None, arrival: int, limits: Limits) -> Event:
    """Return the event in `raw`, which arrived at `arrival` (milliseconds since 1970).

    Raises Rejected.
    """
    fields = load_object(raw)
    get = fields.get
    timestamp = epoch_ms(get("timestamp"))
    limits.check(timestamp, arrival)
    user_id = get("user_id")
    if type(user_id) is not str:
        user_id = _digits(user_id, raw)
    if not user_id:
        raise Rejected(Reason.USER_ID_MISSING)
    if longer(user_id, MAX_ID_BYTES):
        raise Rejected(Reason.FIELD_LENGTH, f"user_id is longer than {MAX_ID_BYTES} bytes")
    name = _text(fields, "browser") or _text(fields, "browser_info")
    address = _text(fields, "source_ip")
    return Event(
        _event_id(get("event_id")),
        user_id,
        timestamp,
        name and browser(name),
        _country(_text(fields, "country")),
        _outcome(_text(fields, "outcome")),
        address,
        address and ip_of(address),
        _text(fields, "user_agent"),
        _text(fields, "reason"),
    )


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
    if not value or longer(value, MAX_ID_BYTES):
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
