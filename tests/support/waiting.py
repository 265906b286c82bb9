# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
STEP = 0.5  # seconds between two looks


def wait_until(
    condition: Callable[[], T], what: str, seconds: float = 60, ignoring: tuple[type[Exception], ...] = ()
) -> T:
    """Return the first true value of `condition`. Raises AssertionError with `what` and the last look's outcome.

    `ignoring` are errors that count as not yet, such as those of a server that starts.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            last: object = (value := condition())
            if value:
                return value
        except ignoring as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s; the last look gave {last}")
        time.sleep(STEP)
