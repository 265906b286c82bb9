# SPDX-License-Identifier: Apache-2.0
"""What breaks in a running pipeline. Each function breaks one thing, mends it, and leaves the rest to the pipeline."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import Elasticsearch
from pipeline import CHECKPOINT
from scene import Scene
from waiting import wait_until

API_KEY_FILE = "/etc/login-consumer/elasticsearch_api_key"
ZONES = ("America/New_York", "Asia/Kolkata", "Europe/Berlin", "Pacific/Apia")


Fault = Callable[[Scene], None]


def driver_killed(scene: Scene) -> None:
    scene.kill("login-consumer", "bin/login-consumer run")


def jvm_killed(scene: Scene) -> None:
    scene.kill("login-consumer", "org.apache.spark.deploy.SparkSubmit")


def worker_killed(scene: Scene) -> None:
    scene.kill("login-consumer", "pyspark.daemon")


def kafka_killed(scene: Scene) -> None:
    scene.kill("kafka", "kafka.Kafka")


def elasticsearch_killed(scene: Scene) -> None:
    scene.kill("elasticsearch", "org.elasticsearch.bootstrap.Elasticsearch")


def kafka_away(scene: Scene) -> None:
    _away(scene, "kafka")


def elasticsearch_away(scene: Scene) -> None:
    _away(scene, "elasticsearch")


def both_away(scene: Scene) -> None:
    _away(scene, "kafka", "elasticsearch")


def consumer_restarted(scene: Scene) -> None:
    scene.pipeline.systemctl("restart", "login-consumer")


def producer_starts_before_kafka(scene: Scene) -> None:
    pipeline = scene.pipeline
    pipeline.systemctl("stop", "login-producer", "kafka")
    try:
        pipeline.systemctl("start", "login-producer")
        process = pipeline.property("login-producer", "MainPID")
        scene.away()
    finally:
        pipeline.systemctl("start", "login-producer", "kafka")
    assert pipeline.property("login-producer", "MainPID") == process, "the producer did not wait for Kafka"


def disk_full(scene: Scene) -> None:
    """Let Elasticsearch find its disk full, by limits that no disk meets; it then blocks writes by itself."""
    limits = {f"cluster.routing.allocation.disk.watermark.{name}": "1000tb" for name in ("low", "high", "flood_stage")}
    elastic = scene.elastic()
    with scene.without_restart(), _settings(elastic, {"cluster.info.update.interval": "10s"}):
        since = scene.pipeline.clock()
        with _settings(elastic, limits):
            refused(scene, since, "waiting for Elasticsearch", "disk is nearly full", "free space")
            scene.away()
        wait_until(lambda: not _blocked(elastic), "Elasticsearch takes its block away", 60)


def index_read_only(scene: Scene) -> None:
    elastic = scene.elastic()
    with scene.without_restart():
        since, index = scene.pipeline.clock(), newest_index(elastic)
        elastic.indices.put_settings(index=index, settings={"index.blocks.write": True})
        try:
            refused(scene, since, "waiting for Elasticsearch", "blocks writes", "remove the index's block")
            scene.away()
        finally:
            elastic.indices.put_settings(index=index, settings={"index.blocks.write": None})


def index_closed(scene: Scene) -> None:
    elastic = scene.elastic()
    with scene.without_restart():
        since, index = scene.pipeline.clock(), newest_index(elastic)
        elastic.indices.close(index=index)
        try:
            refused(scene, since, "waiting for Elasticsearch", "index_closed_exception", "open it")
            scene.away()
        finally:
            elastic.indices.open(index=index)


def pipeline_gone(scene: Scene) -> None:
    _ingest_pipeline(scene, "login-test-gone", "does not exist", "index login-events-")


def pipeline_drops(scene: Scene) -> None:
    elastic = scene.elastic()
    elastic.ingest.put_pipeline(id="login-test-drops", processors=[{"drop": {}}])
    try:
        _ingest_pipeline(scene, "login-test-drops", "drops documents", "index login-events-")
    finally:
        elastic.ingest.delete_pipeline(id="login-test-drops")


def _ingest_pipeline(scene: Scene, name: str, *told: str) -> None:
    """Give the newest index of events an ingest pipeline by which it takes no document, and take it away again."""
    elastic = scene.elastic()
    with scene.without_restart():
        since, index = scene.pipeline.clock(), newest_index(elastic)
        elastic.indices.put_settings(index=index, settings={"index.default_pipeline": name})
        try:
            refused(scene, since, "waiting for Elasticsearch", *told)
            scene.away()
        finally:
            elastic.indices.put_settings(index=index, settings={"index.default_pipeline": None})


def api_key_expired(scene: Scene) -> None:
    """Give the consumer a key that expires while it runs, then the old one again; it must not need a restart."""
    elastic, host, since = scene.elastic(), scene.pipeline.host, scene.pipeline.clock()
    id_, _, _ = base64.b64decode(scene.pipeline.deployment.secrets["consumer_api_key"]).decode().partition(":")
    rights = elastic.security.get_api_key(id=id_)["api_keys"][0]["role_descriptors"]
    key = elastic.security.create_api_key(name="expires", role_descriptors=rights, expiration="30s")["encoded"]
    host.check_output(f"cp -p {API_KEY_FILE} {API_KEY_FILE}.kept")
    try:
        host.check_output("printf %%s %s > %s", key, API_KEY_FILE)  # in an argument: it lives half a minute
        scene.pipeline.systemctl("restart", "login-consumer")
        process = scene.pipeline.property("login-consumer", "MainPID")
        refused(scene, since, "waiting for Elasticsearch", "refuses the API key (401)", "make a new key")
    finally:
        host.check_output(f"mv {API_KEY_FILE}.kept {API_KEY_FILE}")
    scene.pipeline.wait_for_log("login-consumer", since, "Elasticsearch works again")
    assert scene.pipeline.property("login-consumer", "MainPID") == process, "the consumer was restarted"


def newest_offsets_truncated(scene: Scene) -> None:
    """As after a power cut: the file of the batch that was planned last is there, and empty."""
    with consumer_stopped_hard(scene):
        scene.pipeline.host.check_output(f"truncate -s 0 {CHECKPOINT}/offsets/$({newest('offsets')})")


def newest_commit_lost(scene: Scene) -> None:
    """As after a kill between the last write to Elasticsearch and Spark's own note of the batch."""
    host = scene.pipeline.host
    wait_for_commit(scene)
    scene.pipeline.systemctl("stop", "login-consumer")  # between two batches
    committed, planned = host.check_output(newest("commits")), host.check_output(newest("offsets"))
    lost = [f"commits/{committed}", f"commits/.{committed}.crc"]
    if planned != committed:  # the next batch was planned, and not begun
        lost += [f"offsets/{planned}", f"offsets/.{planned}.crc"]
    host.check_output(f"cd {CHECKPOINT} && rm -f {' '.join(lost)}")
    since = scene.pipeline.clock()
    scene.pipeline.start_consumer()
    scene.pipeline.ledger.wait_for_flow()
    scene.pipeline.wait_for_log(
        "login-consumer", since, f"batch {committed} is recorded already, so it is not repeated"
    )


def checkpoint_lost(scene: Scene) -> None:
    with consumer_stopped_hard(scene):
        scene.pipeline.host.check_output(f"rm -rf {CHECKPOINT}")


def checkpoint_of_a_backup(scene: Scene) -> None:
    """Put back a copy of the checkpoint that is some batches old."""
    copy = f"{CHECKPOINT}-of-yesterday"
    with consumer_stopped_hard(scene):
        scene.pipeline.host.check_output(f"rm -rf {copy} && cp -a {CHECKPOINT} {copy}")
    scene.pipeline.ledger.wait_for_flow()
    with consumer_stopped_hard(scene):
        scene.pipeline.host.check_output(f"rm -rf {CHECKPOINT} && mv {copy} {CHECKPOINT}")


def another_zone(scene: Scene) -> None:
    """Give the host another time zone, as an administrator would; the services start in it."""
    zone = scene.random.choice(ZONES)
    before = scene.pipeline.host.check_output("readlink -f /etc/localtime")
    file = f"/usr/share/zoneinfo/{zone}"
    scene.pipeline.host.check_output(f"test -e {file} && ln -sfn {file} /etc/localtime")
    try:
        scene.pipeline.systemctl("restart", "login-consumer", "login-producer")
        scene.pipeline.ledger.wait_for_flow()
    finally:
        scene.pipeline.host.check_output(f"ln -sfn {before} /etc/localtime")


def _away(scene: Scene, *units: str) -> None:
    scene.pipeline.systemctl("stop", *units)
    try:
        scene.away()
    finally:
        scene.pipeline.systemctl("start", *units)


def wait_for_commit(scene: Scene) -> None:
    """Wait until the consumer runs, and its checkpoint holds a batch that is done."""
    scene.pipeline.start_consumer()
    test = f"ls {CHECKPOINT}/commits/[0-9]*"
    wait_until(lambda: scene.pipeline.host.run(test).rc == 0, "a batch is done", 120)


def _blocked(elastic: Elasticsearch) -> bool:
    """Return whether Elasticsearch has blocked an index because of the disk."""
    told = elastic.indices.get_settings(index="login-*", name="index.blocks.read_only_allow_delete", flat_settings=True)
    return any(each["settings"] for each in told.body.values())


def refused(scene: Scene, since: float, *texts: str) -> None:
    """Wait until the consumer says why it does not go on, in one line."""
    scene.pipeline.wait_for_log("login-consumer", since, *texts)


def newest_index(elastic: Elasticsearch, family: str = "login-events") -> str:
    """Return the index that takes the documents of now."""
    return str(max(elastic.indices.get(index=f"{family}-*").body))


@contextmanager
def _settings(elastic: Elasticsearch, values: dict[str, Any]) -> Iterator[None]:
    """Let the cluster have other settings, and then the defaults."""
    cluster = elastic.cluster
    cluster.put_settings(persistent=values)
    try:
        yield
    finally:
        cluster.put_settings(persistent=dict.fromkeys(values))


@contextmanager
def consumer_stopped_hard(scene: Scene) -> Iterator[None]:
    """Kill all of the consumer, which must have written something, and keep it down."""
    wait_for_commit(scene)
    scene.pipeline.host.check_output("systemctl kill --signal=KILL login-consumer; systemctl stop login-consumer")
    try:
        yield
    finally:
        scene.pipeline.systemctl("start", "login-consumer")


def newest(kind: str) -> str:
    """Return the command that shows the newest batch of Spark's `offsets` or `commits`."""
    return f"ls {CHECKPOINT}/{kind} | sort -n | tail -1"
