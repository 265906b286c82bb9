# SPDX-License-Identifier: Apache-2.0
"""Taking events from a generator that yields None where it has nothing now."""

from collections.abc import Iterator

from login_producer.sources import Event

MAX_UNSETTLED_BYTES = 64 * 1024 * 1024
"""Of records read and not yet settled: `delivery.max_in_flight_events` large ones would not fit into memory."""


def take(events: Iterator[Event | None], most: int) -> tuple[list[Event], bool]:
    """Return what there is now, at most so many, and whether that was the last."""
    taken: list[Event] = []
    while len(taken) < most:
        try:
            event = next(events)
        except StopIteration:
            return taken, True
        if event is None:
            break
        taken.append(event)
    return taken, False
