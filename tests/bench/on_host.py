# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' part that runs on the host, in the consumer's own Python environment, with its Spark and settings.

Standard input: one JSON object with `mode`, `start` (offset by partition), `batch` (records in a micro-batch),
`index` and `api_key`. All that the topic holds from `start` on is read. Standard output: the end of each batch, a JSON
list of seconds since 1970. The modes are

  plain       what a pipeline without guarantees does: each value parsed as it comes, sent to Elasticsearch without an
              id, nothing checked or counted, the same documents
  read        values read from Kafka, and dropped
  from_json   values parsed by Spark's own from_json, in the JVM
  orjson      values parsed by orjson in Python workers
  strict      values parsed by the consumer's own parser in Python workers
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import orjson
import pyarrow as pa
from elasticsearch import Elasticsearch, OrjsonSerializer
from login_common.times import iso
from login_consumer.settings import Settings, load_settings
from login_consumer.sink import in_bulks
from login_consumer.spark import kafka_options, session
from login_consumer.worker import COLUMNS
from login_formats import Event, Limits
from login_formats.native import parse

THREADS = 2  # as the consumer's workers have
FIELDS = ["event_id", "user_id", "timestamp", "browser", "country", "source_ip", "user_agent", "outcome", "reason"]
Batches = Iterable[pa.RecordBatch]
EMPTY = pa.RecordBatch.from_pydict({"done": pa.array([], pa.int64())})


def client(settings: Settings, api_key: str) -> Elasticsearch:
    told = settings.elasticsearch
    return Elasticsearch(
        list(told.hosts), api_key=api_key, ca_certs=str(told.ca_file), serializer=OrjsonSerializer(), request_timeout=60
    )


def plain(settings: Settings, index: str, api_key: str, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Write all records of one task."""
    sender = client(settings, api_key)
    action = orjson.dumps({"index": {"_index": index}}) + b"\n"

    def write(batch: pa.RecordBatch) -> None:
        ingested, lines = iso(time.time_ns() // 1_000_000), []
        columns = [batch.column(name).to_pylist() for name in ("value", "partition", "offset")]
        for raw, partition, offset in zip(*columns, strict=True):
            document = as_document(orjson.loads(raw), settings.kafka.topic, partition, offset, ingested)
            lines.append(action + orjson.dumps(document) + b"\n")
        for part in in_bulks(lines, settings.elasticsearch.bulk_bytes):
            answer = sender.bulk(operations=b"".join(lines[part]), filter_path="errors")
            if answer["errors"]:
                raise RuntimeError("Elasticsearch did not take all")

    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in batches:
            pending.append(pool.submit(write, batch))
            if len(pending) > THREADS:
                pending.popleft().result()
        for written in pending:
            written.result()
    yield EMPTY


def as_document(told: dict[str, Any], topic: str, partition: int, offset: int, ingested: str) -> dict[str, Any]:
    """Return what the consumer stores of such a record, from what the record tells as it is."""
    return {
        "@timestamp": told["timestamp"],
        "event": {
            "id": told["event_id"],
            "ingested": ingested,
            "kind": "event",
            "category": ["authentication"],
            "type": ["start"],
            "outcome": told["outcome"],
            "reason": told.get("reason"),
        },
        "user": {"id": told["user_id"]},
        "source": {
            "address": told["source_ip"],
            "ip": told["source_ip"],
            "geo": {"country_iso_code": told["country"]},
        },
        "user_agent": {"name": told["browser"], "original": told["user_agent"]},
        "login": {"kafka": {"topic": topic, "topic_id": "0" * 22, "partition": partition, "offset": offset}},
        "ecs": {"version": "8.17.0"},
    }


def parsed(parser: Callable[[bytes], Any], batches: Batches) -> Iterator[pa.RecordBatch]:
    """Parse all records of one task."""
    for batch in batches:
        for raw in batch.column("value").to_pylist():
            parser(raw)
    yield EMPTY


def main() -> None:
    told = json.load(sys.stdin)
    settings = load_settings(None)
    spark = session(settings, "login-bench")
    from pyspark.sql import DataFrame, functions

    ended: list[float] = []

    def run(frame: DataFrame) -> None:
        limits = Limits.of()
        columns = frame.withColumn("timestamp", functions.unix_millis("timestamp")).select(*COLUMNS)
        if told["mode"] == "read":
            work = columns.select("value")
        elif told["mode"] == "from_json":
            text, schema = functions.col("value").cast("string"), ", ".join(f"{name} STRING" for name in FIELDS)
            work = columns.select(functions.from_json(text, schema, {"mode": "PERMISSIVE"}).alias("event"))
        else:
            function: Callable[[Batches], Iterator[pa.RecordBatch]] = {
                "plain": partial(plain, settings, told["index"], told["api_key"]),
                "orjson": partial(parsed, orjson.loads),
                "strict": partial(parsed, partial(_strict, time.time_ns() // 1_000_000, limits)),
            }[told["mode"]]
            work = columns.mapInArrow(function, "done LONG")
        work.write.format("noop").mode("overwrite").save()

    def each_batch(frame: DataFrame, _: int) -> None:
        run(frame)
        if told["mode"] == "plain":
            client(settings, told["api_key"]).indices.refresh(index=told["index"])
        ended.append(time.time())

    offsets = {str(partition): offset for partition, offset in told["start"].items()}
    options = kafka_options(settings.kafka, json.dumps({settings.kafka.topic: offsets}))
    options["maxOffsetsPerTrigger"] = str(told["batch"])
    checkpoint = tempfile.mkdtemp(dir=settings.spark.local_dir)
    try:
        source = spark.readStream.format("kafka").options(**options).load()
        query = source.writeStream.option("checkpointLocation", checkpoint).trigger(availableNow=True)
        query.foreachBatch(each_batch).start().awaitTermination()
        print(json.dumps(ended))
    finally:
        spark.stop()
        shutil.rmtree(checkpoint)


def _strict(now: int, limits: Limits, raw: bytes) -> Event:
    return parse(raw, now, limits)


if __name__ == "__main__":
    main()
