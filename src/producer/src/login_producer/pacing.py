# SPDX-License-Identifier: Apache-2.0
"""When the next events are due."""

import math
import time
from collections.abc import Callable

_PEAK_HOUR_UTC = 14.0
_SWING = 0.6
# A stall of the process is made up for. What a longer outage kept from happening is not: a login
# storm on its end would be no picture of real use.
_MAX_CATCH_UP_S = 10.0


def daily_curve(epoch_s: float) -> float:
    """Return the load at this time as a multiple of the day's mean: 1.6 at 14:00 UTC, 0.4 at 02:00."""
    hour = epoch_s / 3600 % 24
    return 1 + _SWING * math.cos((hour - _PEAK_HOUR_UTC) / 24 * math.tau)


class Pacer:
    """Turns a rate into numbers of events due, without drift: what is not taken stays due."""

    def __init__(
        self,
        rate: float,
        curve: Callable[[float], float] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Pace at `rate` events a second (0: no limit), times `curve` of the wall clock in epoch seconds."""
        self._rate, self._curve = rate, curve
        self._monotonic, self._wall = monotonic, wall
        self._last = monotonic()
        self._due = 0.0

    def take(self, most: int) -> int:
        """Return how many events, at most `most`, to send now, and count them as sent."""
        if self._rate == 0:
            return most
        now = self._monotonic()
        rate = self._rate * (self._curve(self._wall()) if self._curve else 1.0)
        self._due = min(self._due + (now - self._last) * rate, max(rate * _MAX_CATCH_UP_S, 1.0))
        self._last = now
        taken = min(int(self._due), most)
        self._due -= taken
        return taken
