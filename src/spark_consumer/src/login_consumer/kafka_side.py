# SPDX-License-Identifier: Apache-2.0
"""Kafka seen from the driver: the way to it, what a failed query says of it, where its partitions are."""

import base64
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import AuthorizationError, KafkaError, UnsupportedCodecError
from login_common.network import host_and_port
from login_common.settings import SettingsError

from login_consumer.counts import Mark
from login_consumer.documents import Topic
from login_consumer.hops import Hop, HopFailed, first_fault, network_hops
from login_consumer.plan import TopicState
from login_consumer.progress import Marks, Offsets
from login_consumer.settings import Kafka

_READ_S = 30.0
_CLIENT = {"group_id": None, "enable_auto_commit": False, "bootstrap_timeout_ms": 10_000}

_LOST = (
    "records were deleted from Kafka before they were read; set kafka.allow_data_loss = true to go on "
    "without them (they are counted), and lengthen the topic's retention"
)
# Signs in the text of a failed query that an operator must do something, and what.
_LASTING = {
    "SslAuthenticationException": "TLS with Kafka failed; check kafka.ca_file and the certificate's names",
    "Failed to load PEM": "kafka.ca_file is no PEM file with a CA certificate",
    "TopicAuthorizationException": "the user may not read the topic; grant Read and Describe on kafka.topic",
    "GroupAuthorizationException": "the user may not use the group; grant Read on kafka.group_prefix",
    "data may have been missed": _LOST,
    "data may have been lost": _LOST,
}


def lasting_cause(failure: str) -> str | None:
    """Return what the text of a failed query means if it needs an operator, else None."""
    cause = next((meaning for sign, meaning in _LASTING.items() if sign in failure), None)
    if cause == _LOST:
        ranges = sorted(set(re.findall(r"\[\d+, \d+\) for topic partition \S+", failure)))
        return f"{cause}. Not all could be read of: {'; '.join(ranges)}" if ranges else cause
    return cause


def is_outage(failure: str) -> bool:
    """Return whether the text of a failed query (with no lasting cause) speaks of Kafka."""
    if "please seek past the record" in failure:
        return False  # Kafka's client cannot unpack it, however often it is asked
    return "org.apache.kafka.common" in failure or "org.apache.spark.sql.kafka010" in failure


def kafka_hops(kafka: Kafka) -> list[Hop]:
    """Return the hops to the topic: name, port, TLS, credentials, topic."""
    addresses = [host_and_port(server) for server in kafka.bootstrap_servers]

    def credentials() -> str:
        _consumer(kafka).close()
        return f"user {kafka.username}"

    def topic() -> str:
        ends = topic_ends(kafka)
        return f"{kafka.topic}, {len(ends)} partitions, {sum(ends.values())} records so far"

    return [
        *network_hops("Kafka", addresses, kafka.ca_file, "kafka.bootstrap_servers"),
        Hop("Kafka: credentials", credentials),
        Hop("Kafka: topic", topic),
    ]


def diagnose(kafka: Kafka, otherwise: str = "it was away for a moment, and answers again") -> str:
    """Return the fault of the first hop to Kafka that fails now; `otherwise`, if all work."""
    return first_fault(kafka_hops(kafka)) or otherwise


def _consumer(kafka: Kafka) -> KafkaConsumer:
    try:
        return KafkaConsumer(**kafka.client_config(), **_CLIENT)
    except SettingsError as error:
        raise HopFailed(str(error)) from None
    except KafkaError as error:
        # kafka-python reports a refused password, too, only as a time-out
        raise HopFailed(
            f"Kafka did not accept the login ({type(error).__name__}); user or password may be wrong; "
            "check kafka.username and kafka.password_file"
        ) from None


def _admin(kafka: Kafka) -> KafkaAdminClient:
    return KafkaAdminClient(**kafka.client_config(), bootstrap_timeout_ms=_CLIENT["bootstrap_timeout_ms"])


@contextmanager
def _asked(denied: str, what: str, kafka: Kafka) -> Iterator[None]:
    """Raise HopFailed for what the clients raise: `denied` says what the user may not, `what` is asked for."""
    try:
        yield
    except SettingsError as error:
        raise HopFailed(str(error)) from None
    except AuthorizationError:
        raise HopFailed(f"user {kafka.username} {denied}") from None
    except KafkaError as error:
        raise HopFailed(f"Kafka does not tell {what}: {type(error).__name__}") from None


def topic_ends(kafka: Kafka) -> Offsets:
    """Return the end of each partition of the topic. Raises HopFailed."""
    return topic_state(kafka).ends


def topic_state(kafka: Kafka, asked: Offsets | None = None) -> TopicState:
    """Return the topic as Kafka has it now, with the record at each offset that is `asked` for. Raises HopFailed."""
    with (
        _asked(
            f"may not describe topic {kafka.topic}; grant Read and Describe", f"the offsets of {kafka.topic}", kafka
        ),
        closing(_consumer(kafka)) as consumer,
    ):
        partitions = sorted(consumer.partitions_for_topic(kafka.topic) or ())
        if not partitions:
            raise HopFailed(f"user {kafka.username} sees no topic {kafka.topic}; create it, or grant Describe")
        places = [TopicPartition(kafka.topic, partition) for partition in partitions]
        first, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        topic_id = _topic_id(kafka)
        held = {
            p: o
            for p, o in (asked or {}).items()
            if (place := TopicPartition(kafka.topic, p)) in ends and first[place] <= o < ends[place]
        }
        found = _records_at(consumer, kafka.topic, held)
    return TopicState(
        Topic(kafka.topic, topic_id),
        {place.partition: offset for place, offset in first.items()},
        {place.partition: offset for place, offset in ends.items()},
        found,
    )


class TopicSettings(NamedTuple):
    """The topic's settings as they hold, and how many copies each of its partitions has at least."""

    config: dict[str, str | None]
    copies: int


def topic_settings(kafka: Kafka) -> TopicSettings:
    """Return how the topic is set up. Raises HopFailed."""
    resource = ConfigResource(ConfigResourceType.TOPIC, kafka.topic)
    denied = f"may not see the settings of topic {kafka.topic}; grant DescribeConfigs"
    with _asked(denied, f"the settings of {kafka.topic}", kafka), closing(_admin(kafka)) as admin:
        told = admin.describe_configs([resource], config_filter="all")["topic"][kafka.topic]
        (described,) = admin.describe_topics([kafka.topic])
    copies = min(len(each["replica_nodes"]) for each in described["partitions"])
    return TopicSettings({name: each["value"] for name, each in told.items()}, copies)


def _records_at(consumer: KafkaConsumer, topic: str, offsets: Offsets) -> Marks:
    """Return the first record at or after each of `offsets`, which the topic holds. Raises HopFailed.

    Of a partition whose record is packed by a codec that is not installed (zstd, snappy) there is none.
    """
    found: Marks = {}
    end = time.monotonic() + _READ_S
    for partition, offset in offsets.items():  # one by one, as an error names no partition
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        while partition not in found:
            try:
                records = consumer.poll(timeout_ms=1000, max_records=1).get(place)
            except UnsupportedCodecError:
                break
            if records:
                found[partition] = Mark(records[0].offset, records[0].timestamp)
            elif (after := consumer.position(place)) > offset:
                found[partition] = Mark(after, 0)  # what was there is a mark of a transaction now
            elif time.monotonic() > end:
                raise HopFailed(f"Kafka does not give the records of {topic} that were read last")
    return found


def _topic_id(kafka: Kafka) -> str:
    with closing(_admin(kafka)) as admin:
        (described,) = admin.describe_topics([kafka.topic])
    # as Kafka's own tools print it
    return base64.urlsafe_b64encode(uuid.UUID(str(described["topic_id"])).bytes).decode().rstrip("=")
