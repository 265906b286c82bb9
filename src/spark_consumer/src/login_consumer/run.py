# SPDX-License-Identifier: Apache-2.0
"""login-consumer run: the streaming query, from its first start to its clean end."""

import logging
import signal
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from login_common import disks
from login_common.elastic import Unavailable

from login_consumer import checkpoint
from login_consumer.afresh import begin_afresh
from login_consumer.batch import BatchWriter, Stopped, source_ends
from login_consumer.cluster import MASTER, WORKERS, need_executors, reach_master
from login_consumer.counts import OffsetRange
from login_consumer.documents import Topic
from login_consumer.hops import HopFailed
from login_consumer.kafka_side import diagnose, is_outage, lasting_cause, topic_ends, topic_state
from login_consumer.metrics import Tally
from login_consumer.outage import Outage
from login_consumer.oversized import worker_columns
from login_consumer.plan import Plan, TopicState, begin_of, decide, moved, refuse_unheld
from login_consumer.progress import Batch, Marks, last_progress
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.spark import kafka_options, part_frame, session
from login_consumer.watchdog import SILENCE_S, Stall, alive, expect
from login_consumer.windows import Position, ends_behind

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

T = TypeVar("T")

log = logging.getLogger(__name__)

_LAST_DELAY_S = 30.0
_LAST_QUERY_DELAY_S = 10.0  # shorter, since a query itself tries for 20 s
_STEP_S = 1.0


class QueryFailed(Exception):
    """The query failed for a cause that does not pass by itself."""


def run(settings: Settings) -> None:
    """Consume until SIGTERM, SIGINT or SIGHUP. Outages of Kafka and Elasticsearch are waited out.

    Raises SettingsError, CheckpointError, SparkFailed or QueryFailed, each with a text for the operator.
    """
    settings.geoip.open()  # a file that cannot be read is an error now, not one of the first batch
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    with checkpoint.locked(settings.checkpoint_dir):
        try:
            _Consumer(settings, stopping).run()
        except Stopped as stopped:
            log.info("%s", stopped)
    log.info("stopped")


class _Consumer:
    def __init__(self, settings: Settings, stopping: threading.Event) -> None:
        self._settings = settings
        self._stopping = stopping
        self._spark: SparkSession | None = None
        self._tally = Tally(settings.metrics_file)

    def run(self) -> None:
        checkpoint.refuse_unfinished(self._settings.checkpoint_dir)
        try:
            try:
                self._keep_running()
            finally:
                if self._spark:
                    self._spark.stop()
        except ConnectionError as error:  # from stop() at the latest
            if not self._stopping.is_set():  # else the same signal may have reached the JVM
                raise QueryFailed(
                    "Spark's JVM is gone; was it killed, or short of memory? See the kernel's log and "
                    "spark.driver_memory. The next start goes on from the checkpoint"
                ) from error

    def _keep_running(self) -> None:
        outage = Outage("Kafka", _LAST_QUERY_DELAY_S)
        while True:
            expect(0)  # services may be away for as long as they like
            # Looked at before every start of the query: while Kafka was away the topic may have changed.
            writer, start = self._prepare()
            if self._stopping.is_set():
                return
            spark = self._session()
            query = self._start(spark, writer, start)
            self._settings.ready_file.touch(mode=0o644)
            try:
                self._watch(spark, query, writer, outage)
            finally:
                self._settings.ready_file.unlink(missing_ok=True)
            if self._stopping.is_set() or self._stopping.wait(outage.next_delay(self._fault(query, writer))):
                return

    def _prepare(self) -> tuple[BatchWriter, str]:
        """Return the writer and Spark's starting offsets; wait for Kafka and Elasticsearch if need be.

        Raises CheckpointError, Stopped.
        """
        outage = Outage("Kafka", _LAST_QUERY_DELAY_S)
        while True:
            writer, plan, topic = self._plan()
            # much may have happened in Kafka while Elasticsearch was waited for
            ranges = {p: OffsetRange(offset, max(offset, plan.ends.get(p, 0))) for p, offset in plan.start.items()}
            before = Batch("", -1, plan.sequence, topic, ranges, {}, marks=plan.marks)
            why = moved(before, self._until_told("Kafka", lambda before=before: self._topic_state(before.marks)))  # type: ignore[misc]
            if not why:
                self._tally.begin(topic.name, plan.start)
                return writer, plan.starting_offsets(topic.name)
            if self._stopping.wait(outage.next_delay(f"{why} while the start was prepared; it is prepared once more")):
                raise Stopped("stopped while Kafka changed")

    def _plan(self) -> tuple[BatchWriter, Plan, Topic]:
        directory, topic = self._settings.checkpoint_dir, self._settings.kafka.topic
        sink = Sink(self._settings.elasticsearch)
        progress = self._until_told("Elasticsearch", lambda: sink.ask(lambda client: last_progress(client, topic)))
        kafka = self._until_told("Kafka", lambda: self._topic_state(progress.marks if progress else {}))
        stored = checkpoint.read(directory, topic)
        behind = Position(kafka.topic.id, begin_of(stored, progress, kafka))
        written = self._until_told("Elasticsearch", lambda: ends_behind(sink, behind))
        plan = decide(self._settings, stored, progress, kafka, written)
        refuse_unheld(written, kafka)
        lineage = stored.lineage
        if plan.fresh:
            lineage, moment = str(uuid.uuid4()), round(time.time() * 1000)  # the same however often it is tried
            begin = partial(begin_afresh, self._settings, sink, plan, progress, kafka.topic, lineage, moment)
            plan = replace(plan, sequence=self._until_told("Elasticsearch", begin))
        writer = BatchWriter(self._settings, kafka.topic, lineage, plan, self._stopping, self._tally, written)
        writer.moved_since = lambda batch: moved(batch, self._topic_state(batch.marks))
        return writer, plan, kafka.topic

    def _topic_state(self, marks: Marks) -> TopicState:
        try:
            return topic_state(self._settings.kafka, {partition: mark.offset for partition, mark in marks.items()})
        except HopFailed as fault:
            raise HopFailed(diagnose(self._settings.kafka, str(fault))) from None

    def _until_told(self, service: str, question: Callable[[], T]) -> T:
        """Return the answer of a service, asked again while it is away. Raises Stopped."""
        outage = Outage(service, _LAST_DELAY_S)
        while True:
            try:
                answer = question()
            except (HopFailed, Unavailable) as fault:
                if self._stopping.wait(outage.next_delay(str(fault))):
                    raise Stopped(f"stopped while waiting for {service}") from None
            else:
                outage.over()
                return answer

    def _session(self) -> "SparkSession":
        """Return Spark, with an executor; wait for a cluster if need be. Raises Stopped."""
        if self._spark is None:
            self._until_told(MASTER, lambda: reach_master(self._settings.spark))
            self._spark = session(self._settings, "login-consumer", alone=True)  # by the lock
            # Spark's own handler would cancel the running batch at once
            signal.signal(signal.SIGINT, lambda *_: self._stopping.set())
        self._until_told(WORKERS, partial(need_executors, self._spark, self._settings.spark))
        return self._spark

    def _watch(self, spark: "SparkSession", query: "StreamingQuery", writer: BatchWriter, outage: Outage) -> None:
        """Return when the query has ended, by itself or because it is time to stop.

        Raises QueryFailed if it stands still.
        """
        workers = Outage(WORKERS, _STEP_S)
        stall = Stall(lambda: self._waiting(writer))
        expect(SILENCE_S + self._settings.stop_seconds)
        while query.isActive:
            alive()
            if self._stopping.wait(_STEP_S):
                self._stop(spark, query, writer)
                return
            if query.lastProgress:  # Spark has asked Kafka at least once
                outage.over()
            try:
                need_executors(spark, self._settings.spark)
            except HopFailed as fault:
                workers.next_delay(str(fault))  # told now and then; Spark itself waits
            else:
                workers.over()
            if waiting := stall.records(writer.begun, writer.idle.is_set()):
                raise QueryFailed(f"the query stands still: {waiting} records wait in Kafka, and no batch begins")

    def _waiting(self, writer: BatchWriter) -> int:
        try:
            return writer.waiting(topic_ends(self._settings.kafka))
        except HopFailed:
            return 0  # the query has no answer either, and ends by itself

    def _start(self, spark: "SparkSession", writer: BatchWriter, start: str) -> "StreamingQuery":
        source = spark.readStream.format("kafka").options(**kafka_options(self._settings.kafka, start)).load()
        query = (
            worker_columns(source)
            .writeStream.queryName("login-consumer")
            .option("checkpointLocation", str(self._settings.checkpoint_dir))
            # With an interval Spark waits for a multiple of it by the clock: set back by an hour, it sleeps an hour.
            # The writer waits between batches, and spark.sql.streaming.pollingDelay where there is nothing to read.
            .trigger(processingTime="0 seconds")
            .foreachBatch(writer)
            .start()
        )
        writer.read = partial(part_frame, spark, self._settings.kafka)
        writer.latest = lambda: source_ends(query.lastProgress, self._settings.kafka.topic)
        return query

    def _fault(self, query: "StreamingQuery", writer: BatchWriter) -> str:
        """Return why the query has to begin again, mostly what keeps Kafka from answering.

        Raises QueryFailed if it is something else, CheckpointError if an operator has to decide.
        """
        if writer.replaced:
            raise checkpoint.CheckpointError(writer.replaced)
        if writer.moved:
            return writer.moved
        failure = str(query.exception() or "the query ended without an error")
        cause = lasting_cause(failure)
        if cause or not is_outage(failure):
            log.error("the query failed: %s", failure)
            full = "No space left on device" in failure
            if cause or full:
                writer.tries.take_back()
            where = disks.advice() if full else ""
            raise QueryFailed(cause or f"the query failed: {failure.splitlines()[0]}{where and f'; {where}'}")
        writer.tries.take_back()
        return diagnose(self._settings.kafka)

    def _stop(self, spark: "SparkSession", query: "StreamingQuery", writer: BatchWriter) -> None:
        """End the query between two batches if the running one ends in time."""
        writer.tries.take_back()
        deadline = time.monotonic() + self._settings.stop_seconds
        log.info("stopping after the running batch")
        if writer.idle.wait(self._settings.stop_seconds):
            # Spark must still note the batch as done; otherwise it is replayed, harmless but needless
            while query.isActive and time.monotonic() < deadline and _last_batch(query) < writer.done:
                time.sleep(_STEP_S / 20)
        else:
            log.warning("the batch did not end in %d s; it is replayed at the next start", self._settings.stop_seconds)
            spark.sparkContext.cancelAllJobs()  # Spark does not know which are the query's: see session()
        query.stop()


def _last_batch(query: "StreamingQuery") -> int:
    progress = query.lastProgress
    return progress.batchId if progress else -1
