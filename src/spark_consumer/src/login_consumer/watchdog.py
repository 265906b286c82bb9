# SPDX-License-Identifier: Apache-2.0
"""What ends a consumer that stands still: a look at the query's batches, and systemd's watchdog.

All by durations, so that a clock that is set back or ahead changes nothing.
"""

import os
import socket
import time
from collections.abc import Callable

LOOK_S = 60.0
"""So long without a batch, and Kafka is asked whether records wait; twice in a row, and the query stands still."""
SILENCE_S = 120
"""So long without an answer of Spark's JVM, and systemd ends the service."""


class Stall:
    """Finds a query that begins no batch although records wait."""

    def __init__(self, waiting: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        """`waiting` returns how many records Kafka holds that no batch has read; `clock` tells seconds."""
        self._waiting, self._clock = waiting, clock
        self._begun, self._since, self._waited = 0, clock(), False

    def records(self, begun: int, idle: bool) -> int:
        """Return how many records wait if the query stands still, else 0; ask again each second or so.

        `begun` is how many batches have begun so far, `idle` whether none is being written now.
        """
        now = self._clock()
        if begun != self._begun or not idle:
            self._begun, self._since, self._waited = begun, now, False
        elif now - self._since >= LOOK_S:
            waiting = self._waiting()
            stands, self._since, self._waited = self._waited, self._clock(), waiting > 0
            return waiting if stands else 0
        return 0


def expect(seconds: int) -> None:
    """Let systemd end the service unless `alive` is called each `seconds`; 0 as often as it likes."""
    _notify(f"WATCHDOG_USEC={seconds * 1_000_000}\nWATCHDOG=1")


def alive() -> None:
    """Tell systemd that the service goes on."""
    _notify("WATCHDOG=1")


def _notify(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return  # not a unit
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
