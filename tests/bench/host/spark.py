# SPDX-License-Identifier: Apache-2.0
"""What the peers that use Spark have in common. The session is made as the consumer makes its own."""

from __future__ import annotations

import json
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
from documents import send_body
from job import STATE_DIR, THREADS, Job
from login_consumer.settings import load_settings
from login_consumer.sink import in_bulks
from login_consumer.spark import kafka_options, session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

T = TypeVar("T")
Batches = Iterable[pa.RecordBatch]

# Twice the consumer's memory, state in RocksDB with its log of changes, no more partitions than cores: as Spark's
# guide advises for state of this size.
_OPTIONS = {
    "spark.driver.memory": "2g",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
}
# where Spark 3 has the class that the consumer chooses
_OPTIONS_3 = {
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.FileSystemBasedCheckpointFileManager"
    )
}


@lru_cache(maxsize=1)
def spark(major: int = 4) -> SparkSession:
    """Return the session, made at first use, of Spark 4 or 3 as SPARK_HOME says."""
    made = session(load_settings(None), f"login-bench-{major}", more=_OPTIONS | (_OPTIONS_3 if major == 3 else {}))
    made.sparkContext.setLogLevel("ERROR")
    return made


def source(job: Job, made: SparkSession, latest: bool = False) -> DataFrame:
    """Return the job's records as a stream, or those that come from now on."""
    start = "latest" if latest else json.dumps({job.kafka.topic: {str(key): at for key, at in job.start.items()}})
    return made.readStream.format("kafka").options(**kafka_options(job.kafka, start)).load()


def begin(
    frame: DataFrame, each_batch: Callable[[DataFrame, int], None], mode: str = "append", follow: bool = False
) -> StreamingQuery:
    """Start a query with a new checkpoint: over what there is, or `follow` what comes as soon as it does."""
    checkpoint = tempfile.mkdtemp(dir=STATE_DIR)
    trigger: dict[str, Any] = {"processingTime": "0 seconds"} if follow else {"availableNow": True}
    writer = frame.writeStream.outputMode(mode).option("checkpointLocation", checkpoint).trigger(**trigger)
    return writer.foreachBatch(each_batch).start()


def run(work: DataFrame) -> None:
    """Let the workers do all of it."""
    work.write.format("noop").mode("overwrite").save()


def in_threads(work: Callable[[pa.RecordBatch], T], batches: Batches) -> Iterator[T]:
    """Yield what comes of each batch: one is made ready while another is on its way to Elasticsearch."""
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in batches:
            pending.append(pool.submit(work, batch))
            if len(pending) > THREADS:
                yield pending.popleft().result()
        for done in pending:
            yield done.result()


def send_lines(job: Job, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Send the binary column `line`, each with a whole action, in bulks as large as the consumer's."""

    def write(batch: pa.RecordBatch) -> None:
        lines = batch.column("line").to_pylist()
        for part in in_bulks(lines, job.elasticsearch.bulk_bytes):
            send_body(job.client(), b"".join(lines[part]))

    for _ in in_threads(write, batches):
        pass
    yield pa.RecordBatch.from_pydict({"done": pa.array([], pa.int64())})
