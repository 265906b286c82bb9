# SPDX-License-Identifier: Apache-2.0
"""Sources of login events. A source is an iterator; the service paces it and delivers what it yields."""

from collections.abc import Iterator
from typing import NamedTuple

from login_producer.settings import SourceSettings


class Event(NamedTuple):
    """One login event, ready for Kafka."""

    event_id: str
    key: bytes
    """The user id, UTF-8: all events of a user go to one partition, in order."""
    value: bytes
    """One JSON object in the native format, UTF-8."""


def open_source(settings: SourceSettings) -> Iterator[Event]:
    """Return the events of the chosen source, without end; the caller takes as many as it wants."""
    from login_producer.sources import synthetic

    if settings.profile == "seed":
        return synthetic.seed_events(settings.seed, settings.users, settings.anchor)
    return synthetic.live_events(settings.seed, settings.users)
