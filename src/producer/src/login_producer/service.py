# SPDX-License-Identifier: Apache-2.0
"""The running producer: takes events when they are due, hands them on, and stops cleanly."""

import logging
import signal
import time
from itertools import islice

from login_producer.connection import Connection
from login_producer.counters import CounterFile
from login_producer.delivery import Delivery
from login_producer.pacing import Pacer, daily_curve
from login_producer.settings import ProducerSettings
from login_producer.sources import open_source
from login_producer.status import StatusFile

log = logging.getLogger(__name__)

_CHUNK = 500  # events between two looks at acknowledgements and signals
_IDLE_S = 0.01
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Receives SIGTERM and SIGINT where the program asks for them, so that no handler runs in between.

    Create it before any thread is started: they inherit the blocked signals.
    """

    def __init__(self) -> None:
        self.received = False
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    def wait(self, seconds: float) -> bool:
        """Wait for a stop request, no longer than this; return whether one has come."""
        if not self.received and signal.sigtimedwait(_SIGNALS, seconds) is not None:
            self.received = True
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)  # a second one ends the process at once
        return self.received


def run(settings: ProducerSettings, stop: StopRequest) -> bool:
    """Send events until the source ends or a stop is requested; return whether all were acknowledged.

    Raises StateError if the counters cannot be kept.
    """
    counter_file = CounterFile(settings.state_file)
    counters = counter_file.counters
    before = counters.copy()
    delivery = Delivery(Connection(settings.kafka, settings.delivery), counters, settings.delivery)
    status = _Reporter(StatusFile(settings.status_file, counter_file, delivery))

    _send_all(settings, delivery, stop, status)
    while not stop.received and delivery.unacknowledged:  # the source has ended
        delivery.poll()
        status.report("finishing")
        stop.wait(_IDLE_S)
    log.info("stopping: %d events not yet acknowledged", delivery.unacknowledged)
    lost = delivery.close(settings.delivery.stop_timeout_s)
    status.end()

    done = counters.since(before)
    summary = (done.sent, done.acked, len(lost))
    if not lost:
        log.info("stopped: sent %d, acknowledged %d, lost %d", *summary)
        return True
    log.error(
        "stopped: sent %d, acknowledged %d, lost %d: Kafka did not acknowledge them within stop_timeout_s; "
        "last error: %s; first ids: %s",
        *summary,
        delivery.last_error,
        ", ".join(lost[:5]),
    )
    return False


def _send_all(settings: ProducerSettings, delivery: Delivery, stop: StopRequest, status: "_Reporter") -> None:
    source = open_source(settings.source)
    left = settings.source.limit
    curved = settings.source.profile == "live" and settings.source.daily_curve
    pacer = Pacer(settings.source.events_per_second, daily_curve if curved else None)
    idle = 0.0
    while left != 0 and not stop.wait(idle):
        delivery.poll()
        most = min(_CHUNK, delivery.room) if left is None else min(_CHUNK, delivery.room, left)
        taken = pacer.take(most)
        for event in islice(source, taken):
            delivery.send(event)
        if left is not None:
            left -= taken
        status.report("unreachable" if delivery.unreachable_since else "sending")
        idle = 0.0 if taken == _CHUNK else _IDLE_S


class _Reporter:
    """Writes status and counters once a second; a full disk must not stop the events."""

    def __init__(self, file: StatusFile) -> None:
        self._file = file
        self._next = self._next_complaint = 0.0

    def report(self, state: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 1
            self._write(state)

    def end(self) -> None:
        self._write("stopped")
        self._file.remove()

    def _write(self, state: str) -> None:
        try:
            self._file.write(state)
        except OSError as error:
            if time.monotonic() >= self._next_complaint:
                self._next_complaint = time.monotonic() + 60
                log.error("status and counters cannot be written: %s; check owner and free space", error)
