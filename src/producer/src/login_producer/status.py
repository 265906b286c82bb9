# SPDX-License-Identifier: Apache-2.0
"""The status of a running producer, once a second: a file for `login-producer status`, and one for Prometheus."""

import json
import os
import time
from collections import deque
from pathlib import Path
from typing import Any

from login_common import __version__
from login_common.files import replace_file

from login_producer.counters import CounterFile
from login_producer.delivery import Delivery
from login_producer.metrics import metrics
from login_producer.settings import ProducerSettings
from login_producer.sources import Source

_RATE_OVER = 10  # seconds
_STALE_AFTER_S = 60.0


class StatusError(Exception):
    """There is no status to show. The text says why and where to look."""


class StatusFile:
    """Tells others what the producer does; `remove` it at the end, so that a file means a running service."""

    def __init__(self, settings: ProducerSettings, counters: CounterFile, delivery: Delivery, source: Source) -> None:
        self._settings, self._file, self._delivery, self._source = settings, counters, delivery, source
        self._started = time.time()
        self._history: deque[tuple[float, int, int]] = deque(maxlen=_RATE_OVER + 1)

    def write(self, state: str) -> None:
        """Write the status, the metrics and the counters. Raises OSError."""
        counters, now, source = self._file.counters, time.monotonic(), self._source.status()
        self._history.append((now, counters.generated, counters.acked))
        then, generated, acked = self._history[0]
        span = max(now - then, 1.0)
        status = {
            "state": state,
            "version": __version__,
            "pid": os.getpid(),
            "started": _text(self._started),
            "updated": _text(time.time()),
            "counters": counters.as_dict(),
            "unacknowledged": self._delivery.unacknowledged,
            "rate": {
                "generated": round((counters.generated - generated) / span, 1),
                "acked": round((counters.acked - acked) / span, 1),
            },
            "unreachable_since": _text(self._delivery.unreachable_since),
            "last_error": self._delivery.last_error,
            "source": source,
        }
        replace_file(self._settings.status_file, json.dumps(status))
        told = (self._delivery.unacknowledged, not self._delivery.unreachable_since)
        replace_file(self._settings.metrics_file, metrics(self._settings.service, counters, *told, source))
        self._file.save()

    def remove(self) -> None:
        """Remove both files."""
        self._settings.status_file.unlink(missing_ok=True)
        self._settings.metrics_file.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Return the status as written by StatusFile; rates are events a second over the last 10 s.

    Raises StatusError if no producer writes it.
    """
    try:
        age = time.time() - path.stat().st_mtime
        status: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise StatusError(f"no producer runs here ({path} is missing); see: systemctl status login-producer") from None
    except (OSError, ValueError) as error:
        raise StatusError(f"{path} cannot be read: {error}") from None
    if age > _STALE_AFTER_S:
        raise StatusError(
            f"the producer has not written {path} for {age:.0f} s, so it was killed or hangs; "
            "see: journalctl -u login-producer"
        )
    return status


def _text(epoch_s: float | None) -> str | None:
    return None if epoch_s is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_s))
