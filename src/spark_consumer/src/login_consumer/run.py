# SPDX-License-Identifier: Apache-2.0
"""login-consumer run: the streaming query, from its first start to its clean end."""

import json
import logging
import signal
import threading
import time
from typing import TYPE_CHECKING

from login_consumer import checkpoint
from login_consumer.batch import BatchWriter, source_ends
from login_consumer.elastic import Unavailable
from login_consumer.hops import HopFailed
from login_consumer.kafka_side import diagnose, is_outage, lasting_cause, resume_at
from login_consumer.outage import Outage
from login_consumer.progress import Progress, last_progress
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.spark import kafka_options, session
from login_consumer.worker import COLUMNS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

log = logging.getLogger(__name__)

_LAST_DELAY_S = 30.0
_LAST_QUERY_DELAY_S = 10.0  # shorter, since a query itself tries for 20 s
_STEP_S = 1.0


class QueryFailed(Exception):
    """The query failed for a cause that does not pass by itself."""


def run(settings: Settings) -> None:
    """Consume until SIGTERM or SIGINT. Outages of Kafka and Elasticsearch are waited out.

    Raises SettingsError, CheckpointError or QueryFailed, each with a text for the operator.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with checkpoint.locked(settings.checkpoint_dir):
        _Consumer(settings, stopping).run()
    log.info("stopped")


class _Consumer:
    def __init__(self, settings: Settings, stopping: threading.Event) -> None:
        self._settings = settings
        self._stopping = stopping

    def run(self) -> None:
        progress = self._progress_so_far()
        if self._stopping.is_set():
            return
        planned = checkpoint.last_batch(self._settings.checkpoint_dir)
        lineage = checkpoint.lineage(self._settings)
        if progress and planned is not None and progress.lineage == lineage and progress.batch > planned:
            raise checkpoint.CheckpointError(
                f"{self._settings.checkpoint_dir} ends at batch {planned}, but batch {progress.batch} was "
                "written: it is an older copy. Move it away: the consumer then goes on after the last batch"
            )
        start: str = self._settings.kafka.starting_offsets
        if progress and planned is None:
            log.warning("the checkpoint is new: going on after batch %d of %s", progress.batch, progress.lineage)
            start = self._resume(progress)
        if self._stopping.is_set():
            return
        spark = session(self._settings, "login-consumer")
        # Spark's own handler would cancel the running batch at once
        signal.signal(signal.SIGINT, lambda *_: self._stopping.set())
        try:
            try:
                self._keep_running(spark, BatchWriter(self._settings, lineage, progress, self._stopping), start)
            finally:
                spark.stop()
        except ConnectionError as error:  # from stop() at the latest
            if not self._stopping.is_set():  # else the same signal may have reached the JVM
                raise QueryFailed(
                    "Spark's JVM is gone; was it killed, or short of memory? See the kernel's log and "
                    "spark.driver_memory. The next start goes on from the checkpoint"
                ) from error

    def _progress_so_far(self) -> Progress | None:
        """Return the last progress document; wait for Elasticsearch if need be."""
        sink, outage = Sink(self._settings.elasticsearch), Outage("Elasticsearch", _LAST_DELAY_S)
        while True:
            try:
                progress = sink.ask(lambda client: last_progress(client, self._settings.kafka.topic))
            except Unavailable as error:
                if self._stopping.wait(outage.next_delay(str(error))):
                    return None
            else:
                outage.over()
                return progress

    def _resume(self, progress: Progress) -> str:
        """Return Spark's starting offsets after `progress`; wait for Kafka if need be."""
        outage = Outage("Kafka", _LAST_DELAY_S)
        while True:
            try:
                return resume_at(self._settings.kafka, progress.offsets)
            except HopFailed as failed:
                if self._stopping.wait(outage.next_delay(str(failed))):
                    return json.dumps({})

    def _keep_running(self, spark: "SparkSession", writer: BatchWriter, start: str) -> None:
        outage = Outage("Kafka", _LAST_QUERY_DELAY_S)
        while not self._stopping.is_set():
            query = self._start(spark, writer, start)
            self._settings.ready_file.touch(mode=0o644)
            try:
                self._watch(query, writer, outage)
            finally:
                self._settings.ready_file.unlink(missing_ok=True)
            if self._stopping.is_set():
                return
            self._stopping.wait(outage.next_delay(self._kafka_fault(query)))

    def _watch(self, query: "StreamingQuery", writer: BatchWriter, outage: Outage) -> None:
        """Return when the query has ended, by itself or because it is time to stop."""
        while query.isActive:
            if self._stopping.wait(_STEP_S):
                self._stop(query, writer)
                return
            if query.lastProgress:  # Spark has asked Kafka at least once
                outage.over()

    def _start(self, spark: "SparkSession", writer: BatchWriter, start: str) -> "StreamingQuery":
        source = spark.readStream.format("kafka").options(**kafka_options(self._settings.kafka, start)).load()
        query = (
            _as_worker_columns(source)
            .writeStream.queryName("login-consumer")
            .option("checkpointLocation", str(self._settings.checkpoint_dir))
            .trigger(processingTime=f"{self._settings.spark.trigger_ms} milliseconds")
            .foreachBatch(writer)
            .start()
        )
        writer.latest = lambda: source_ends(query.lastProgress, self._settings.kafka.topic)
        return query

    def _kafka_fault(self, query: "StreamingQuery") -> str:
        """Return what keeps Kafka from answering. Raises QueryFailed if that is not the fault."""
        failure = str(query.exception() or "the query ended without an error")
        cause = lasting_cause(failure)
        if cause or not is_outage(failure):
            log.error("the query failed: %s", failure)
            raise QueryFailed(cause or f"the query failed: {failure.splitlines()[0]}")
        return diagnose(self._settings.kafka)

    def _stop(self, query: "StreamingQuery", writer: BatchWriter) -> None:
        """End the query between two batches if the running one ends in time."""
        deadline = time.monotonic() + self._settings.stop_seconds
        log.info("stopping after the running batch")
        if writer.idle.wait(self._settings.stop_seconds):
            # Spark must still note the batch as done; otherwise it is replayed, harmless but needless
            while query.isActive and time.monotonic() < deadline and _last_batch(query) < writer.done:
                time.sleep(_STEP_S / 20)
        else:
            log.warning("the batch did not end in %d s; it is replayed at the next start", self._settings.stop_seconds)
        query.stop()


def _last_batch(query: "StreamingQuery") -> int:
    progress = query.lastProgress
    return progress.batchId if progress else -1


def _as_worker_columns(source: "DataFrame") -> "DataFrame":
    from pyspark.sql import functions

    return source.withColumn("timestamp", functions.unix_millis("timestamp")).select(*COLUMNS)
