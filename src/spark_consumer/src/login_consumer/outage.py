# SPDX-License-Identifier: Apache-2.0
"""Waiting for a service that is away: growing delays, one log line a minute, and a file that status reads."""

import json
import logging
import time
from pathlib import Path
from typing import Any

from login_common.times import iso

log = logging.getLogger(__name__)

_FIRST_DELAY_S = 1.0
_LOG_EVERY_S = 60.0


class Outage:
    """One outage of `service`: ask `next_delay` after each failure and call `over` at the end."""

    def __init__(self, service: str, last_delay: float, file: Path | None = None) -> None:
        self._service = service
        self._file = file
        self._last_delay = last_delay
        self._delay = _FIRST_DELAY_S
        self._since = 0.0
        self._began = ""
        self._logged = -_LOG_EVERY_S
        self._cause = ""
        self._failures = 0

    def next_delay(self, cause: str) -> float:
        """Return the seconds to wait before the next attempt; log `cause` if new or a minute has passed."""
        now = time.monotonic()
        if not self._failures:
            self._since = now
            self._began = iso(round(time.time() * 1000))
        self._failures += 1
        if cause != self._cause or now - self._logged >= _LOG_EVERY_S:
            if cause != self._cause:
                self._note(cause)
            self._cause, self._logged = cause, now
            log.warning(
                "waiting for %s since %.0f s, attempt %d: %s",
                self._service,
                now - self._since,
                self._failures,
                cause,
            )
        delay, self._delay = self._delay, min(2 * self._delay, self._last_delay)
        return delay

    def over(self) -> None:
        """Say that the service is back, if it was away."""
        if self._failures:
            log.info("%s works again after %.0f s", self._service, time.monotonic() - self._since)
            self._failures = 0
            if self._file:
                self._file.unlink(missing_ok=True)

    def _note(self, cause: str) -> None:
        if self._file:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(json.dumps({"service": self._service, "since": self._began, "cause": cause}))
            fresh.replace(self._file)  # whoever reads it never sees a half


def waits_for(file: Path) -> dict[str, Any] | None:
    """Return what a consumer that runs waits for (service, since, cause), None if for nothing."""
    try:
        told: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return told
