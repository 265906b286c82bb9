# SPDX-License-Identifier: Apache-2.0
"""The running producer: takes events when they are due, hands them on, and stops cleanly."""

import logging
import signal
import time

from login_producer.connection import Connection
from login_producer.counters import CounterFile, Counters
from login_producer.delivery import Delivery
from login_producer.settings import ProducerSettings
from login_producer.sources import Source, SourceError, open_source
from login_producer.status import StatusFile

log = logging.getLogger(__name__)

_CHUNK = 500  # events between two looks at acknowledgements and signals
_IDLE_S = 0.01
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequest:
    """Receives SIGTERM, SIGINT and SIGHUP where the program asks for them, so that no handler runs in between.

    Create it before any thread is started: they inherit the blocked signals.
    """

    def __init__(self) -> None:
        self.number = 0
        """Of the signal that has come, 0 for none."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # what nohup ignores is to stay ignored: a blocked signal would wait all the same
        self._signals = [each for each in _SIGNALS if signal.getsignal(each) != signal.SIG_IGN]
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)

    @property
    def received(self) -> bool:
        """Whether a stop request has come."""
        return bool(self.number)

    def wait(self, seconds: float) -> bool:
        """Wait for a stop request, no longer than this; return whether one has come."""
        if not self.received:
            # Not sigtimedwait: interrupted until its time is up, as by SIGCONT, CPython takes that for a signal.
            time.sleep(seconds)
            if not signal.sigpending().isdisjoint(self._signals):
                self.number = signal.sigwait(self._signals)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, self._signals)  # a second one ends the process at once
        return self.received


def run(settings: ProducerSettings, stop: StopRequest) -> bool:
    """Send events until the source ends or a stop is requested; return whether it was read and acknowledged whole.

    Raises StateError if the counters cannot be kept, SourceError if the source cannot be read.
    """
    counter_file = CounterFile(settings.state_file)
    counters = counter_file.counters
    before = counters.copy()
    source = open_source(settings, counters)
    delivery = Delivery(Connection(settings.kafka, settings.delivery), counters, settings.delivery)
    reporter = _Reporter(StatusFile(settings, counter_file, delivery, source), source)

    unreadable = None
    try:
        _send_all(source, delivery, stop, reporter)
    except SourceError as error:
        unreadable = error  # what was read before is still to be delivered
    while not stop.received and delivery.unacknowledged:  # the source has ended
        delivery.poll()
        reporter.report("finishing")
        stop.wait(_IDLE_S)
    log.info("stopping: %d events not yet acknowledged", delivery.unacknowledged)
    lost = delivery.close(settings.delivery.stop_timeout_s)
    reporter.end()
    source.close()
    _summarize(counters.since(before), lost, delivery.last_error, source.repeats)
    if unreadable:
        raise unreadable
    if source.failure:
        log.error("not everything was read: %s", source.failure)
    return not lost and not source.failure


def _send_all(source: Source, delivery: Delivery, stop: StopRequest, reporter: "_Reporter") -> None:
    idle = 0.0
    while not source.ended and not stop.wait(idle):
        delivery.poll()
        events = source.take(min(_CHUNK, delivery.room))
        for event in events:
            delivery.send(event)
        reporter.report("unreachable" if delivery.unreachable_since else "sending")
        idle = 0.0 if len(events) == _CHUNK else _IDLE_S


def _summarize(done: Counters, lost: list[str], last_error: str | None, repeats: bool) -> None:
    summary = (done.sent, done.acked, done.failed["too_large"], len(lost))
    text = "stopped: sent %d, acknowledged %d, too large %d, "
    if not lost:
        log.info(text + "lost %d", *summary)
        return
    log.error(
        text + ("not delivered yet, but again at the next start, %d" if repeats else "lost %d") + ": "
        "Kafka did not acknowledge them within stop_timeout_s; last error: %s; first ids: %s",
        *summary,
        last_error,
        ", ".join(lost[:5]),
    )


class _Reporter:
    """Writes status, counters and position once a second; a full disk must not stop the events."""

    def __init__(self, file: StatusFile, source: Source) -> None:
        self._file, self._source = file, source
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
            self._source.save()
            self._file.write(state)
        except OSError as error:
            if time.monotonic() >= self._next_complaint:
                self._next_complaint = time.monotonic() + 60
                log.error("status, counters or position cannot be written: %s; check owner and free space", error)
