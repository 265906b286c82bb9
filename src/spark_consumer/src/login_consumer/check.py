# SPDX-License-Identifier: Apache-2.0
"""login-consumer check: go the whole way once with the deployed settings, and say which hop fails.

Kafka is only read. In Elasticsearch an index of its own is made, filled through Spark, read and removed.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pyarrow as pa
from elasticsearch import Elasticsearch
from login_common.elastic import FAILURES, Unavailable, cause, connect
from login_common.settings import SettingsError
from login_formats import Event

from login_consumer.cluster import master_hops, need_executors
from login_consumer.documents import EVENTS, Document, Origin, Topic, event_document
from login_consumer.hops import Hop, HopFailed, network_hops
from login_consumer.kafka_side import kafka_hops, lasting_cause, topic_ends
from login_consumer.promise import promise_hops
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.spark import SparkFailed, kafka_options, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_DOCUMENTS = 3
# Of a cluster, which has to leave so much beside the consumer
_SMALL = {"spark.cores.max": "1", "spark.executor.cores": "1", "spark.executor.memory": "512m"}
_EXECUTOR_S = 30.0
_STEP_S = 0.2


def check(settings: Settings, tell: Callable[[str], None]) -> bool:
    """Tell one line a hop: ok, FAILED or skipped (behind a failed one). Return whether all are ok."""
    probe = _Probe(settings)
    try:
        # Kafka and Elasticsearch are told in any case; Spark only if both are there, as it needs both
        there = [_walk(kafka_hops(settings.kafka), tell), _walk(probe.elasticsearch_hops(), tell)]
        # Each by itself, whatever became of the others
        kept = [_walk([hop], tell) for hop in promise_hops(settings)]
        return all(there) and _walk(probe.spark_hops(), tell) and all(kept)
    finally:
        probe.stop_spark()
        probe.remove_index()


def _walk(hops: list[Hop], tell: Callable[[str], None]) -> bool:
    failed = False
    for hop in hops:
        if failed:
            tell(f"skipped  {hop.name}")
            continue
        try:
            tell(f"ok       {hop.name}: {hop.test()}")
        except HopFailed as fault:
            tell(f"FAILED   {hop.name}: {fault}")
            failed = True
    return not failed


class _Probe:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._index = f"login-check-{uuid.uuid4()}"
        self._made = False
        self._spark: SparkSession | None = None

    def elasticsearch_hops(self) -> list[Hop]:
        elastic = self._settings.elasticsearch
        urls = [urlsplit(host) for host in elastic.hosts]
        addresses = [(url.hostname or "", url.port or 0) for url in urls]
        return [
            *network_hops("Elasticsearch", addresses, elastic.ca_file, "elasticsearch.hosts"),
            Hop("Elasticsearch: credentials", partial(self._ask, _who)),
            Hop("Elasticsearch: make an index", partial(self._ask, self._make_index)),
        ]

    def spark_hops(self) -> list[Hop]:
        return [
            *master_hops(self._settings.spark),
            Hop("Spark: start", self._start_spark),
            *([Hop("Spark: executor", self._wait_for_executor)] if self._settings.spark.cluster else []),
            Hop("Spark: Kafka", self._read_kafka),
            Hop("Spark: Elasticsearch", self._write),
            Hop("Elasticsearch: read back", partial(self._ask, self._read_back)),
        ]

    def stop_spark(self) -> None:
        if self._spark is not None:
            self._spark.stop()

    def remove_index(self) -> None:
        if self._made:
            connect(self._settings.elasticsearch).indices.delete(index=self._index)

    def _ask(self, question: Callable[[Elasticsearch], str]) -> str:
        try:
            return question(connect(self._settings.elasticsearch))
        except FAILURES as error:
            raise HopFailed(cause(error)) from None
        except (Unavailable, SettingsError) as error:
            raise HopFailed(str(error)) from None

    def _make_index(self, client: Elasticsearch) -> str:
        # the fields of an events index, so that a document which those would refuse is refused here
        mappings = client.indices.get_mapping(index=f"{EVENTS}-*", allow_no_indices=True).body
        newest = max(mappings, default=None)
        self._made = True  # also if the answer gets lost
        client.indices.create(index=self._index, mappings=mappings[newest]["mappings"] if newest else None)
        return f"{self._index}, with the fields of {newest or 'no events index, as there is none yet'}"

    def _start_spark(self) -> str:
        try:
            self._spark = session(self._settings, "login-consumer-check", more=_SMALL)
        except (SettingsError, SparkFailed) as error:
            raise HopFailed(str(error)) from None
        return f"{self._spark.version} on {self._settings.spark.master}"

    def _wait_for_executor(self) -> str:
        assert self._spark is not None  # noqa: S101  (a hop before this one started it)
        deadline = time.monotonic() + _EXECUTOR_S
        while True:
            try:
                need_executors(self._spark, self._settings.spark)
            except HopFailed as fault:
                if time.monotonic() > deadline:
                    raise HopFailed(
                        f"{fault}. A consumer that runs may have taken all cores: leave one for this check "
                        "(spark_worker_cores in the inventory), or stop the consumer meanwhile"
                    ) from None
                time.sleep(_STEP_S)
            else:
                return "one of a worker"

    def _read_kafka(self) -> str:
        from pyspark.errors import PySparkException

        assert self._spark is not None  # noqa: S101  (a hop before this one started it)
        ends = {str(partition): end for partition, end in topic_ends(self._settings.kafka).items()}
        options = kafka_options(self._settings.kafka, json.dumps({self._settings.kafka.topic: ends})) | {
            "endingOffsets": "latest"
        }
        del options["maxOffsetsPerTrigger"]  # for streams only
        try:
            self._spark.read.format("kafka").options(**options).load().count()
        except PySparkException as error:
            text = str(error)
            raise HopFailed(lasting_cause(text) or text.splitlines()[0]) from None
        return f"the end of {self._settings.kafka.topic}"

    def _write(self) -> str:
        from pyspark.errors import PySparkException

        assert self._spark is not None  # noqa: S101  (a hop before this one started it)
        try:
            write = partial(_write_documents, self._settings.for_workers(), self._index)
        except SettingsError as error:
            raise HopFailed(str(error)) from None
        try:
            rows = self._spark.range(_DOCUMENTS, numPartitions=1).mapInArrow(write, "fault string").collect()
        except PySparkException as error:
            raise HopFailed(f"the Python worker failed: {str(error).splitlines()[0]}") from None
        faults = [row.fault for row in rows if row.fault]
        if faults:
            raise HopFailed(faults[0])
        return f"{_DOCUMENTS} documents from a Python worker"

    def _read_back(self, client: Elasticsearch) -> str:
        client.indices.refresh(index=self._index)
        found = client.count(index=self._index)["count"]
        if found != _DOCUMENTS:
            raise HopFailed(f"{found} of {_DOCUMENTS} documents came back")
        return f"{found} documents"


def _who(client: Elasticsearch) -> str:
    return f"API key {client.security.authenticate()['api_key']['name']}"


def _write_documents(settings: Settings, index: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Write an event document for each row; yield a row for each fault. Runs in a Python worker."""
    now = time.time_ns() // 1_000_000
    event = Event(None, "check", now, "Firefox", "DE", "success", "192.0.2.1", "192.0.2.1", "Mozilla/5.0", "check")
    faults: list[str] = []
    for batch in batches:
        origins = [
            Origin(Topic(settings.kafka.topic, "check"), 0, number, now) for number in batch.column(0).to_pylist()
        ]
        documents = [
            Document(index, origin.id, event_document(event, origin, "month", True, now).source) for origin in origins
        ]
        try:
            items = Sink(settings.elasticsearch).create(documents)
        except (Unavailable, SettingsError) as error:
            faults.append(str(error))
        else:
            faults += [f"refused with {item.status} {item.kind}: {item.reason}" for item in items if not item.taken]
    yield pa.RecordBatch.from_pydict({"fault": pa.array(faults, pa.string())})
