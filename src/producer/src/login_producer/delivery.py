# SPDX-License-Identifier: Apache-2.0
"""Brings events to Kafka and keeps each one until Kafka has acknowledged it.

Everything here runs in the caller's thread and nothing waits for an acknowledgement: `poll` looks which of
the outstanding sends are settled. So there are no locks, and the caller can answer signals.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol
from zlib import crc32

from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError
from login_common.kafka_producer import close_now

from login_producer.connection import UnreachableError
from login_producer.counters import Counters
from login_producer.refusals import refusal
from login_producer.settings import DeliverySettings
from login_producer.sources import Event
from login_producer.sources.cutting import MAX_RECORD

log = logging.getLogger(__name__)

_FIRST_BACKOFF_S = 0.25
_MAX_BACKOFF_S = 5.0
_WARN_EVERY_S = 60.0
_PARTITIONS_EVERY_S = 60.0
_STALLED_AFTER_S = 10.0
_SILENT_AFTER_S = 2.0
_OUTDATED_EVERY_S = 1.0
_GRACE_S = 5.0  # for a failed client to settle the rest of its events
_ONE_AFTER_ANOTHER = 256  # events without a key that share a partition, so that they share batches


class Opener(Protocol):
    """The part of connection.Connection that is used here."""

    topic: str

    def open(self) -> Any:
        """Return a KafkaProducer, or raise UnreachableError."""

    def outdated(self) -> str | None:
        """Return why the client opened last will not log in again, None if it may."""

    def diagnose(self) -> str:
        """Return the likely cause of missing acknowledgements."""


class Delivery:
    """At-least-once delivery of events; ids make the rare second copy recognisable."""

    def __init__(
        self,
        connection: Opener,
        counters: Counters,
        settings: DeliverySettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send nothing yet; `clock` tells seconds."""
        self._connection, self._counters, self._clock = connection, counters, clock
        self._limit = settings.max_in_flight_events
        self._give_up_after_s = settings.timeout_s + _GRACE_S
        self._producer: Any = None
        self._partitions: list[int] = []
        self._without_key = 0
        self._pending: deque[tuple[Any, Event]] = deque()  # (future, event), in order of sending
        self._returned: deque[Event] = deque()  # given back by the client, to be sent anew
        self._too_large: list[Event] = []  # given back as too large, perhaps without cause
        self._refused = False  # Kafka answers, and takes nothing
        self._retire = False  # the client takes nothing more and is replaced once all is settled
        self._backoff, self._next_try = _FIRST_BACKOFF_S, 0.0
        self._last_progress = clock()
        self._warned_cause: str | None = None
        self._next_warning = self._next_diagnosis = self._next_partitions = self._next_look = 0.0
        self.unreachable_since: float | None = None
        """Epoch seconds, while Kafka cannot be reached."""
        self._away_since = 0.0  # the same by `clock`
        self.last_error: str | None = None

    @property
    def unacknowledged(self) -> int:
        """The number of events held here."""
        return len(self._pending) + len(self._returned) + len(self._too_large)

    @property
    def room(self) -> int:
        """How many events may be given to `send` now."""
        return max(0, self._limit - self.unacknowledged) if self._ready else 0

    @property
    def _ready(self) -> bool:
        return self._producer is not None and not self._retire

    def send(self, event: Event) -> None:
        """Take charge of one event; call it only while there is room."""
        self._counters.generated += 1
        self._counters.sent += self._submit(event)

    def poll(self) -> None:
        """Account for what is settled, reconnect and send anew what was given back."""
        self._settle()
        if self._ready and self._silent_for(_SILENT_AFTER_S):
            self._retire_outdated()
        if self._retire and (not self._pending or self._silent_for(_GRACE_S)):
            self._replace_producer()
        elif self._silent_for(self._give_up_after_s):
            self.last_error = "the client neither delivers events nor gives them back"
            self._replace_producer()
        if self._producer is None:
            self._try_open()
        if self._ready and self._clock() > self._next_partitions:
            self._learn_partitions()
        while self._returned and self._ready:
            self._counters.resent += 1
            self._submit(self._returned.popleft())
        if self._silent_for(_STALLED_AFTER_S) and self._clock() > self._next_diagnosis:
            self._next_diagnosis = self._clock() + _WARN_EVERY_S  # it blocks for seconds
            self._warn_unreachable(self._connection.diagnose())

    def close(self, timeout_s: float) -> list[str]:
        """Wait for outstanding acknowledgements, close the client and return the ids of the events lost."""
        deadline = self._clock() + timeout_s
        self.poll()
        while self.unacknowledged and (left := deadline - self._clock()) > 0:
            if self._producer is None:
                time.sleep(min(left, 0.1))
            else:
                self._flush(min(left, 1.0))
            self.poll()
        held = [event for _, event in self._pending] + list(self._returned) + self._too_large
        lost = [event.event_id for event in held]
        if lost:
            self._counters.failed["delivery_failed"] += len(lost)
            self.last_error = self._connection.diagnose()
        self._pending.clear()
        self._returned.clear()
        self._too_large.clear()
        self._close_producer()
        return lost

    def _silent_for(self, seconds: float) -> bool:
        return bool(self._pending) and self._clock() - self._last_progress > seconds

    def _flush(self, timeout_s: float) -> None:
        try:
            self._producer.flush(timeout=timeout_s)
        except KafkaTimeoutError:
            log.debug("not all acknowledged within %.1f s", timeout_s)  # poll() tells which

    def _submit(self, event: Event) -> bool:
        """Return False if the event can never be sent."""
        # A partition of our own choice by a C checksum: kafka-python's partitioner hashes in pure Python,
        # a fifth of the time of a send. Equal keys still go to one partition, which is all that is needed.
        key = event.key
        place = crc32(key) if key is not None else self._next_place()
        partition = self._partitions[place % len(self._partitions)]
        try:
            # No timestamp: with the time of an event of last year, Kafka's retention would delete it at once.
            future = self._producer.send(self._connection.topic, event.value, key, event.headers, partition)
        except MessageSizeTooLargeError:
            self._reject(event, "too_large", "larger than the client may send")
            return False
        except KafkaError as error:
            self._give_back(event, error)
            return True
        if not self._pending:
            self._last_progress = self._clock()
        self._pending.append((future, event))
        return True

    def _next_place(self) -> int:
        self._without_key += 1
        return self._without_key // _ONE_AFTER_ANOTHER

    def _settle(self) -> None:
        pending, acked = self._pending, 0
        before = len(pending)
        while pending and pending[0][0].is_done:
            future, event = pending.popleft()
            error = future.exception
            if error is None:
                acked += 1
                if event.receipt is not None:
                    event.receipt.signed = True
            else:
                self._give_back(event, error)
        self._counters.acked += acked
        if len(pending) < before:
            self._last_progress = self._clock()
        if acked and not self._retire:
            self._backoff = _FIRST_BACKOFF_S
            self._refused = False
            self._reachable()

    def _give_back(self, event: Event, error: BaseException) -> None:
        if isinstance(error, MessageSizeTooLargeError) and len(event.value) > MAX_RECORD:
            self._too_large.append(event)
        else:
            self._returned.append(event)
            refused = refusal(error)
            timed_out = isinstance(error, KafkaTimeoutError)
            self.last_error = refused or ("no acknowledgement within delivery.timeout_s" if timed_out else str(error))
            self._refused = refused is not None
        # A failed batch can leave an idempotent client unusable for good, and it does not tell.
        self._retire = True

    def _retire_outdated(self) -> None:
        """Give up a client that waits for Kafka with a password that is not the right one any more."""
        if self._clock() < self._next_look:
            return
        self._next_look = self._clock() + _OUTDATED_EVERY_S
        if reason := self._connection.outdated():
            self.last_error = reason
            self._retire = True

    def _replace_producer(self) -> None:
        # Seen with kafka-python 3.0.12: after a delivery time-out its thread can sleep on and never settle
        # the rest. Those that did arrive come twice, under the same id.
        self._returned.extend(event for _, event in self._pending)
        self._pending.clear()
        if self._too_large:
            # One event above the topic's limit makes the client fail all others with the same error. The largest is
            # certainly above it; the others get another try. What is below the product's own limit is always kept.
            largest = max(self._too_large, key=lambda event: len(event.value))
            self._too_large.remove(largest)
            self._reject(largest, "too_large", "larger than the topic takes (max.message.bytes)")
            self._returned.extend(self._too_large)
            self._too_large.clear()
        elif self._returned:
            self._warn_unreachable(f"events came back: {self.last_error}")
        self._close_producer()
        self._postpone()

    def _postpone(self) -> None:
        self._next_try = self._clock() + self._backoff
        self._backoff = min(self._backoff * 2, _MAX_BACKOFF_S)

    def _reject(self, event: Event, reason: str, detail: str) -> None:
        self._counters.failed[reason] += 1
        if event.receipt is not None:
            event.receipt.signed = True  # to read it again would not help
        log.warning("event %s of %d bytes not delivered: %s", event.event_id, len(event.value), detail)

    def _try_open(self) -> None:
        if self._clock() < self._next_try:
            return
        try:
            self._producer = self._connection.open()
        except UnreachableError as error:
            self._refused = False
            self._warn_unreachable(str(error))
            self._postpone()
            return
        self._learn_partitions()
        self._last_progress = self._clock()
        log.info("connected to Kafka, topic %s has %d partitions", self._connection.topic, len(self._partitions))
        if self._returned:
            log.info("sending %d events anew", len(self._returned))
        elif not self._pending:
            self._reachable()  # with nothing to send there will be no acknowledgement to tell so

    def _learn_partitions(self) -> None:
        """Look at what the client knows of the topic; it asks Kafka every few minutes."""
        before = len(self._partitions)
        self._partitions = sorted(self._producer.partitions_for(self._connection.topic))
        self._next_partitions = self._clock() + _PARTITIONS_EVERY_S
        if 0 < before < len(self._partitions):
            log.info("topic %s has grown to %d partitions", self._connection.topic, len(self._partitions))

    def _close_producer(self) -> None:
        self._retire = False
        if self._producer is None:
            return
        producer, self._producer = self._producer, None
        close_now(producer)

    def _warn_unreachable(self, cause: str) -> None:
        """Warn once a minute, and at once when the cause is another."""
        if self.unreachable_since is None:
            quiet_s = self._clock() - self._last_progress if self._pending else 0.0
            self.unreachable_since = time.time() - quiet_s
            self._away_since = self._clock() - quiet_s
        if cause == self._warned_cause and self._clock() < self._next_warning:
            return
        self._next_warning = self._clock() + _WARN_EVERY_S
        self.last_error = self._warned_cause = cause
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.unreachable_since))
        what = "refuses events" if self._refused else "unreachable"
        log.warning("Kafka %s since %s, %d events waiting, likely cause: %s", what, since, self.unacknowledged, cause)

    def _reachable(self) -> None:
        if self.unreachable_since is None:
            return
        log.info("Kafka can be reached again after %.0f s", self._clock() - self._away_since)
        self.unreachable_since = self._warned_cause = None
