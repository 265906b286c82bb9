# SPDX-License-Identifier: Apache-2.0
"""The fields that events may have, by their names in the Elastic Common Schema (ECS 8.17), and our own below login.

The index template of login-events-* has exactly these, beside those that the consumer itself adds.
"""

from enum import Enum
from typing import Any


class Kind(Enum):
    """The type of a field, as a sender is told what to send."""

    TEXT = "a string"
    WHOLE = "an integer"
    NUMBER = "a number"
    TRUTH = "true or false"
    TEXTS = "a list of strings"

    def accepts(self, value: Any) -> bool:
        """Return whether `value` is of this kind."""
        if self is Kind.TEXTS:
            return type(value) is list and all(type(each) is str for each in value)
        # not isinstance: True is an int as well
        return type(value) in _TYPES[self]


_TYPES = {Kind.TEXT: (str,), Kind.WHOLE: (int,), Kind.NUMBER: (int, float), Kind.TRUTH: (bool,)}

FIELDS = {
    "@timestamp": Kind.WHOLE,  # here in milliseconds since 1970
    "cloud.account.id": Kind.TEXT,
    "cloud.region": Kind.TEXT,
    "event.action": Kind.TEXT,
    "event.dataset": Kind.TEXT,
    "event.id": Kind.TEXT,
    "event.module": Kind.TEXT,
    "event.original": Kind.TEXT,
    "event.outcome": Kind.TEXT,
    "event.reason": Kind.TEXT,
    "host.name": Kind.TEXT,
    "login.account_takeover": Kind.TRUTH,
    "login.attack_ip": Kind.TRUTH,
    "login.method": Kind.TEXT,
    "login.mfa": Kind.TRUTH,
    "login.round_trip_ms": Kind.NUMBER,
    "login.session_id": Kind.TEXT,
    "organization.id": Kind.TEXT,
    "organization.name": Kind.TEXT,
    "process.name": Kind.TEXT,
    "process.pid": Kind.WHOLE,
    "related.ip": Kind.TEXTS,
    "related.user": Kind.TEXTS,
    "service.name": Kind.TEXT,
    "source.address": Kind.TEXT,
    "source.as.number": Kind.WHOLE,
    "source.as.organization.name": Kind.TEXT,
    "source.geo.city_name": Kind.TEXT,
    "source.geo.country_iso_code": Kind.TEXT,
    "source.geo.country_name": Kind.TEXT,
    "source.geo.region_name": Kind.TEXT,
    "source.port": Kind.WHOLE,
    "user.domain": Kind.TEXT,
    "user.email": Kind.TEXT,
    "user.full_name": Kind.TEXT,
    "user.id": Kind.TEXT,
    "user.name": Kind.TEXT,
    "user.target.name": Kind.TEXT,  # whom sudo and su make of the user
    "user_agent.device.name": Kind.TEXT,
    "user_agent.name": Kind.TEXT,
    "user_agent.original": Kind.TEXT,
    "user_agent.os.full": Kind.TEXT,
    "user_agent.os.name": Kind.TEXT,
    "user_agent.os.version": Kind.TEXT,
    "user_agent.version": Kind.TEXT,
}

# What a field may tell of a person; each of FIELDS that is not here tells of systems, places and browsers alone.
USERS = (
    "related.user",
    "user.domain",
    "user.email",
    "user.full_name",
    "user.id",
    "user.name",
    "user.target.name",
)
"""Who logged in, or whom they became; each value names somebody."""
ADDRESSES = ("related.ip", "source.address", "source.ip")
"""Where from; "source.ip" is made of what senders tell, so it is none of FIELDS."""
FREE_TEXTS = ("event.reason", "user_agent.original")
"""What senders and clients write as they like, a name among it."""
