# SPDX-License-Identifier: Apache-2.0
"""quix-streams with its Elasticsearch sink: the events, and counts in tumbling windows with their state in RocksDB."""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from documents import MINUTE_MS, Key, as_document, window_id, window_source
from job import STATE_DIR, Job
from login_common.times import iso, rfc3339_ms
from quixstreams import Application, message_context
from quixstreams.kafka import ConnectionConfig
from quixstreams.sinks.base.item import SinkItem
from quixstreams.sinks.community.elasticsearch import ElasticsearchSink

_BATCH = 5000  # its own 500 is slower
_GRACE_MS = 2 * 3_600_000  # longer than the hour that the records are from, in no order
_GIVE_UP_S = 300.0


def backlog(job: Job) -> None:
    """Take all records of the job."""
    group = f"{job.kafka.group_prefix}-bench-{uuid.uuid4().hex[:8]}"
    _begin_at(job, group)
    app = Application(
        broker_address=_connection(job),
        consumer_group=group,
        auto_offset_reset="earliest",
        state_dir=tempfile.mkdtemp(dir=STATE_DIR),
        loglevel="WARNING",
    )
    raw = app.dataframe(app.topic(job.kafka.topic, value_deserializer="json", timestamp_extractor=_event_time))
    sink = partial(
        ElasticsearchSink,
        job.elasticsearch.hosts[0],
        batch_size=_BATCH,
        api_key=job.elasticsearch.secret(),
        ca_certs=str(job.elasticsearch.ca_file),
    )
    events = raw.apply(partial(_document, job))
    events.sink(sink(job.events, document_id_setter=_event_id))
    keyed = raw.group_by(lambda told: f"{told['country']}|{told['browser']}|{told['outcome']}", name="key")
    counted = keyed.tumbling_window(MINUTE_MS, grace_ms=_GRACE_MS).count().current()
    counts = counted.apply(_count, metadata=True)
    counts.sink(sink(job.windows, document_id_setter=_count_id))
    for topic in app._topic_manager.repartition_topics.values():
        # its records keep the logins' own times, which are months ago: Kafka would delete them before they are counted
        topic.create_config.extra_config["retention.ms"] = "-1"
    failed: list[str] = []
    threading.Thread(target=_stop_when_done, args=(job, app.stop, failed), daemon=True).start()
    try:
        app.run()
    finally:
        _remove_topics(job, group)
    if failed:
        raise RuntimeError(failed[0])


def _document(job: Job, told: dict[str, Any]) -> dict[str, Any]:
    place = message_context()
    return as_document(told, job, place.partition, place.offset, iso(time.time_ns() // 1_000_000))


def _event_time(value: Any, _headers: Any, _timestamp: float, _type: Any) -> int:
    return rfc3339_ms(value["timestamp"])


def _event_id(item: SinkItem) -> str:
    return str(item.value["event"]["id"])


def _count(value: dict[str, Any], key: str, _timestamp: int, _headers: Any) -> dict[str, Any]:
    return window_source(Key(value["start"], *key.split("|")), value["value"])


def _count_id(item: SinkItem) -> str:
    told = item.value
    return window_id(Key(rfc3339_ms(told["window_start"]), told["country"], told["browser"], told["outcome"]))


def _stop_when_done(job: Job, stop: Callable[[], None], failed: list[str]) -> None:
    """Look once a second, which costs it little, whether all is searchable."""
    end = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < end:
        time.sleep(1)
        job.refresh()
        total = job.client().search(index=job.windows, size=0, aggs={"all": {"sum": {"field": "count"}}})
        counted = int(total["aggregations"]["all"]["value"])
        if counted >= job.records and job.client().number_of(job.events, {"match_all": {}}) >= job.records:
            break
    else:
        failed.append(f"quix-streams did not take {job.records} records within {_GIVE_UP_S:.0f} s")
    stop()


def _connection(job: Job) -> ConnectionConfig:
    return ConnectionConfig(
        bootstrap_servers=",".join(job.kafka.bootstrap_servers),
        security_protocol="sasl_ssl",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username=job.kafka.username,
        sasl_password=job.kafka.secret(),
        ssl_ca_location=str(job.kafka.ca_file),
    )


def _begin_at(job: Job, group: str) -> None:
    """Let the group begin with the job's records: it takes no offsets by itself."""
    consumer = Consumer(job.librdkafka() | {"group.id": group, "enable.auto.commit": False})
    places = [TopicPartition(job.kafka.topic, partition, start) for partition, start in job.start.items()]
    consumer.commit(offsets=places, asynchronous=False)
    consumer.close()


def _remove_topics(job: Job, group: str) -> None:
    admin = AdminClient(job.librdkafka())
    own = [name for name in admin.list_topics(timeout=10).topics if group in name]
    for done in (admin.delete_topics(own) if own else {}).values():
        done.result()
