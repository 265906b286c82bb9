# SPDX-License-Identifier: Apache-2.0
"""The Okta System Log, as its API and its exports give it: one JSON object an event.

Fields: https://developer.okta.com/docs/reference/api/system-log/. Logins are the starts of sessions; the steps of an
authentication (user.authentication.*) belong to one of them or to none, and would count it again.
"""

from typing import Any

from login_formats import known
from login_formats.event import NotALogin
from login_formats.mapping import From, Table, identifier, mapped, one_of, time, unless, whole
from login_formats.reasons import unrecognised
from login_formats.strict_json import load_object
from login_formats.wrapper import Arrival

_LOGIN = "user.session.start"

_OUTCOMES = {"SUCCESS": "success", "ALLOW": "success", "FAILURE": "failure", "DENY": "failure"}
# Okta writes words where it knows nothing
_known = unless("unknown", "Unknown", "UNKNOWN", "null")

_TABLE: Table = {
    "@timestamp": From("published", time),
    "event.id": From("uuid"),
    "event.action": From("eventType"),
    "event.outcome": From("outcome.result", one_of(_OUTCOMES, otherwise="unknown")),
    "event.reason": From("outcome.reason"),
    "event.module": "okta",
    "event.dataset": "okta.system",
    "user.id": From("actor.id", lambda value: _known(identifier(value))),
    "user.name": From("actor.alternateId", _known),
    "user.email": From("actor.alternateId", lambda value: value if "@" in str(value) else None),
    "user.full_name": From("actor.displayName", _known),
    "source.address": From("client.ipAddress", _known),
    "source.as.number": From("securityContext.asNumber", whole),
    "source.as.organization.name": From("securityContext.asOrg", _known),
    "source.geo.country_name": From("client.geographicalContext.country", _known),
    "source.geo.region_name": From("client.geographicalContext.state", _known),
    "source.geo.city_name": From("client.geographicalContext.city", _known),
    "user_agent.original": From("client.userAgent.rawUserAgent", _known),
    "user_agent.name": From("client.userAgent.browser", lambda value: _browser(value)),
    "user_agent.os.name": From("client.userAgent.os", _known),
    "user_agent.device.name": From("client.device", _known),
    "login.session_id": From("authenticationContext.externalSessionId", _known),
}


_SHORT = 2  # letters of an abbreviation


def _browser(value: Any) -> str | None:
    # CHROME is the Chrome of every other source
    name = _known(value)
    if not name or not name.isupper():
        return name
    # IE11 is no word
    return " ".join(word.title() if word.isalpha() and len(word) > _SHORT else word for word in name.split("_"))


def fields(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the ECS fields of a record. Raises Rejected, NotALogin."""
    record = load_object(raw)
    kind = record.get("eventType")
    if kind != _LOGIN:
        if type(kind) is str and known.okta_event(kind):
            raise NotALogin
        raise unrecognised("eventType", kind or "is missing")
    return mapped(record, _TABLE)
