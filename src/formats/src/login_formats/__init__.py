# SPDX-License-Identifier: Apache-2.0
"""Formats of login records: the bytes of a record to a login event, or the reason why it is none.

`read` is the way in, `enrich` adds what an event's user agent and address tell. Each format is one module; FORMATS
lists them by the name that settings use.
"""

from login_formats.ecs import DATASETS
from login_formats.enrichment import enrich
from login_formats.event import Event, Limits, NotALogin
from login_formats.formats import FORMATS, read, split
from login_formats.locations import Locations
from login_formats.reasons import Reason, Rejected
from login_formats.wrapper import PLAIN, Wrapper

__all__ = [
    "DATASETS",
    "FORMATS",
    "PLAIN",
    "Event",
    "Limits",
    "Locations",
    "NotALogin",
    "Reason",
    "Rejected",
    "Wrapper",
    "enrich",
    "read",
    "split",
]
