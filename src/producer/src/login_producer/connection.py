# SPDX-License-Identifier: Apache-2.0
"""Opening a Kafka client, and finding out why it cannot be opened.

kafka-python reports a wrong name, port, CA or password alike, as a time-out. So each bootstrap server
is first tried with a plain TLS connection of our own, which fails at once and with a clear cause; only
the password is left for the client to find wrong, which it logs and does not raise.
"""

import gc
import logging
import time
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, SaslAuthenticationFailedError
from login_common.kafka_producer import rest_between_tries
from login_common.network import NetworkFault, handshake, host_and_port
from login_common.settings import KafkaSettings, SettingsError

from login_producer.settings import DeliverySettings
from login_producer.sources.cutting import MAX_RECORD

_BOOTSTRAP_TIMEOUT_MS = 10_000
_METADATA_TIMEOUT_MS = 5_000
_RECONNECT_MAX_MS = 5_000
_RECENT_S = 60.0
# As the topic's max.message.bytes in roles/kafka/vars: a record of the largest size, with its key and headers
_MAX_REQUEST = MAX_RECORD + 64 * 1024


class UnreachableError(Exception):
    """Kafka cannot be used now. The text is the likely cause."""


class Connection:
    """Knows how to reach one Kafka cluster."""

    def __init__(self, kafka: KafkaSettings, delivery: DeliverySettings) -> None:
        self.topic = kafka.topic
        self._kafka, self._delivery = kafka, delivery
        self._password: object = None
        """The one that the client opened last was given."""
        self._errors = _ClientErrors()
        logging.getLogger("kafka").addHandler(self._errors)

    def open(self) -> Any:
        """Return a KafkaProducer that has authenticated and knows the topic.

        Raises UnreachableError, at the latest after 15 s and 5 s for each server.
        """
        gc.collect()  # a KafkaProducer that failed to connect leaves sockets open in reference cycles
        try:
            options = self._kafka.client_config()  # read anew each time: the password may have been changed
        except SettingsError as error:
            raise UnreachableError(str(error)) from None
        if options["sasl_plain_password"] != self._password:
            self._password = options["sasl_plain_password"]
            self._errors.clear()  # a refusal was meant for the old one
        cause = self._probe_all()
        if cause:
            raise UnreachableError(cause)
        try:
            producer = KafkaProducer(
                **options,
                client_id="login-producer",
                enable_idempotence=True,
                acks="all",
                compression_type="lz4",
                linger_ms=self._delivery.linger_ms,
                batch_size=self._delivery.batch_size,
                max_request_size=_MAX_REQUEST,
                delivery_timeout_ms=round(self._delivery.timeout_s * 1000),
                bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
                max_block_ms=_METADATA_TIMEOUT_MS,
                reconnect_backoff_max_ms=_RECONNECT_MAX_MS,
                allow_auto_create_topics=False,  # a misspelt topic is to be an error
                metrics_enabled=False,
            )
        except KafkaTimeoutError as error:
            # Seen with kafka-python 3.0.12: what it reads together with the end of a connection is lost, as most of
            # Kafka's refusals are. TLS works, so it is the login.
            raise UnreachableError(
                self._refusal() or f"no login as '{self._kafka.username}': wrong password, or Kafka is not ready"
            ) from error
        except KafkaError as error:
            raise UnreachableError(self._client_cause() or str(error)) from error
        rest_between_tries(producer)
        try:
            producer.partitions_for(self.topic)
        except KafkaTimeoutError:
            producer.close(timeout=1)
            raise UnreachableError(
                f"topic '{self.topic}' does not exist, or user '{self._kafka.username}' may not describe it"
            ) from None
        except KafkaError as error:
            producer.close(timeout=1)
            raise UnreachableError(f"topic '{self.topic}': {error}") from error
        return producer

    def diagnose(self) -> str:
        """Return the likely cause why an open client gets no acknowledgements."""
        return (
            self._probe_all()
            or self._client_cause()
            or "Kafka can be reached but does not acknowledge: too few in-sync replicas, or overload"
        )

    def outdated(self) -> str | None:
        """Return why a client that waits for Kafka will not log in again: it keeps the password it was given."""
        if refusal := self._refusal():
            return refusal
        try:
            changed = self._kafka.secret() != self._password
        except SettingsError:
            return None  # a new client could not be opened
        return "the password was changed" if changed else None

    def _client_cause(self) -> str | None:
        error = self._errors.recent()
        return self._refusal() or (str(error) if error else None)

    def _refusal(self) -> str | None:
        if isinstance(self._errors.recent(), SaslAuthenticationFailedError):
            return f"authentication refused: wrong user '{self._kafka.username}' or wrong password"
        return None

    def _probe_all(self) -> str | None:
        """Return None if at least one server completes TLS, else what is wrong with each."""
        causes = []
        for server in self._kafka.bootstrap_servers:
            try:
                handshake(*host_and_port(server), self._kafka.ca_file)
            except NetworkFault as fault:
                causes.append(f"{server}: {fault}")
            else:
                return None
        return "; ".join(causes)


class _ClientErrors(logging.Handler):
    """Remembers the last exception that the Kafka client logged: it raises no better one."""

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        """Forget it."""
        self._last: KafkaError | None = None
        self._at = -_RECENT_S

    def recent(self) -> KafkaError | None:
        """Return the exception, unless it is an old story."""
        return self._last if time.monotonic() - self._at < _RECENT_S else None

    def emit(self, record: logging.LogRecord) -> None:
        """Look for an exception among the arguments of the message."""
        for argument in record.args if isinstance(record.args, tuple) else ():
            # After a refused password further errors follow; the first is the one to tell.
            refused = isinstance(self.recent(), SaslAuthenticationFailedError)
            if isinstance(argument, KafkaError) and not refused:
                self._last, self._at = argument, time.monotonic()
