# SPDX-License-Identifier: Apache-2.0
"""Counts of events, kept over restarts, and the files that show them."""

import fcntl
import json
import logging
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from login_common.files import replace_file

log = logging.getLogger(__name__)

FAILURES = ("too_large", "delivery_failed", "interrupted")


class StateError(Exception):
    """The counters cannot be kept. The text says why and what to do."""


@dataclass
class Counters:
    """At any time: generated = acked + sum(failed) + unacknowledged."""

    generated: int = 0
    """Events taken from the source."""
    sent: int = 0
    """Events the Kafka client accepted, each counted once."""
    acked: int = 0
    """Events Kafka acknowledged with all in-sync replicas."""
    resent: int = 0
    """Further attempts for events that were not acknowledged in time."""
    failed: Counter[str] = field(default_factory=Counter)
    """Events given up, by one of FAILURES: too_large, delivery_failed (no acknowledgement
    before the stop timeout), interrupted (in flight when the process was killed). Sources
    that go on where they were (journal, file) send the last two again at the next start."""
    untrusted: int = 0
    """Journal entries that claim to be of a known program and are not; they are no events."""

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-able values."""
        return asdict(self) | {"failed": dict(self.failed)}

    def since(self, earlier: "Counters") -> "Counters":
        """Return what was counted after the copy `earlier` was made."""
        return Counters(
            self.generated - earlier.generated,
            self.sent - earlier.sent,
            self.acked - earlier.acked,
            self.resent - earlier.resent,
            self.failed - earlier.failed,
            self.untrusted - earlier.untrusted,
        )

    def copy(self) -> "Counters":
        """Return an independent copy."""
        return replace(self, failed=Counter(self.failed))


class CounterFile:
    """The counters of all runs so far. One process at a time may hold it."""

    def __init__(self, path: Path) -> None:
        """Lock and read the file; without one, counting starts at zero.

        Raises StateError if another process holds it, or it cannot be read or written.
        """
        self._path = path
        self._lock = self._take_lock()
        try:
            self.counters = self._read()
            self.save()
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}; check the directory's owner and free space") from None

    def save(self) -> None:
        """Write the counters. Raises OSError."""
        replace_file(self._path, json.dumps(self.counters.as_dict()))

    def _take_lock(self) -> IO[str]:
        path = self._path.with_suffix(".lock")
        try:
            lock = path.open("w")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(
                f"{self._path}: another login-producer uses this file; stop it, or set another state_file "
                "and status_file for this one (LOGIN_PRODUCER_STATE_FILE, LOGIN_PRODUCER_STATUS_FILE)"
            ) from None
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}; create the directory for this user") from None
        return lock

    def _read(self) -> Counters:
        try:
            content = json.loads(self._path.read_text())
            counters = Counters(**content)
            counters.failed = Counter(content["failed"])
            in_flight = counters.generated - counters.acked - counters.failed.total()
        except FileNotFoundError:
            return Counters()
        except (ValueError, TypeError, KeyError) as error:
            keep_damaged(self._path, error, "counting starts at zero")
            return Counters()
        if in_flight:
            log.warning("the last run was killed with %d events in flight: counted as interrupted", in_flight)
            counters.failed["interrupted"] += in_flight
        return counters


def keep_damaged(path: Path, error: Exception, consequence: str) -> None:
    """Put a file aside that cannot be read, and say what follows from it. Raises OSError."""
    damaged = path.with_suffix(".damaged")
    path.replace(damaged)
    log.error("%s is damaged (%s): kept as %s, %s", path, error, damaged, consequence)
