# SPDX-License-Identifier: Apache-2.0
"""The Spark session and the Kafka source."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from login_common.settings import SettingsError, read_text

from login_consumer.oversized import worker_columns
from login_consumer.settings import Kafka, Settings, Spark
from login_consumer.tries import Part

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# The default one starts a dozen processes for each log file of a batch; this one only writes and renames.
_CHECKPOINT_FILES = "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"

# How often Kafka is asked for records at most; Spark's own default
_LEAST_POLL_MS = 10

# What Spark remembers of past batches is only for its web page. By default it is a thousand of each, some minutes long,
# so that they outlived the collections of the young: at 1,000 events/s the heap grew by 5 MB a minute, now by 1.3.
_FEW_PAST_BATCHES = {
    "spark.ui.retainedJobs": "10",
    "spark.ui.retainedStages": "10",
    "spark.ui.retainedTasks": "100",
    "spark.sql.ui.retainedExecutions": "10",
    "spark.sql.streaming.numRecentProgressUpdates": "10",
}


_ARROW_BYTES = 8 << 20
"""Ordinary records reach the bound on their number long before."""

# For Spark's ports on loopback, without a cluster: the secret is drawn by the JVM at its start, and kept in its memory.
_AUTHENTICATED = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    "spark.network.crypto.authEngineVersion": "2",
    "spark.network.crypto.cipher": "AES/GCM/NoPadding",
    "spark.network.crypto.saslFallback": "false",
}


class SparkFailed(Exception):
    """Spark did not start; the text says why, and what to look at."""


def session(
    settings: Settings, name: str, alone: bool = False, more: Mapping[str, str] | None = None
) -> "SparkSession":
    """Start Spark from $SPARK_HOME, with `more` options. No secret is among its options: they stand in the JVM's
    command line.

    `alone` says that no other process uses this `name`; what one that was killed has left is then removed.
    Raises SparkFailed, and SettingsError if Spark, the Kafka connector or the properties file is not where the settings
    say.
    """
    # Java calls the function of foreachBatch through a port of Python. With a Java thread for each of Python's threads,
    # the default, nobody proves anything there (py4j 0.10.9.9). Without them a query's jobs are in none of its groups.
    os.environ["PYSPARK_PIN_THREAD"] = "false"
    _find_pyspark()
    from pyspark.sql import SparkSession

    spark = settings.spark
    jars_dir = spark.jars_dir or Path(os.environ["SPARK_HOME"]) / "jars"
    if not any(jars_dir.glob("spark-sql-kafka-*.jar")):
        raise SettingsError(f"spark.jars_dir: no spark-sql-kafka jar in {jars_dir}; put the connector's jars there")
    scratch = spark.local_dir / name
    try:
        if alone and scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        raise SettingsError(f"spark.local_dir: {scratch} cannot be made anew: {error.strerror}") from None
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_DIRS"] = str(scratch)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # of the web page, if there is one
    # Short of memory it would go on with some of its threads gone; systemd starts the service again instead.
    every_jvm = "-XX:+ExitOnOutOfMemoryError "
    every_jvm += f"-Duser.timezone=UTC -Dlog4j2.configurationFile={files('login_consumer') / 'log4j2.properties'}"
    options = {
        "spark.driver.memory": spark.driver_memory,
        # Records only pass through the JVM, so little lives in its heap. With G1, Java's own choice, a service at rest
        # took 200 MB more, an event 8 % more of the consumer's processor time (docs/performance.md).
        "spark.driver.defaultJavaOptions": "-XX:+UseSerialGC",
        "spark.cleaner.periodicGC.interval": "10min",  # by default 30: so long the service grows at a steady rate
        # not /tmp: cleaners empty it, and it may be mounted noexec, where zstd and lz4 cannot load their code
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={scratch} {every_jvm}",
        "spark.executor.extraJavaOptions": every_jvm,  # the same path there: executors need this very installation
        # Looked for at each start, though nothing is fetched: by default in a home, which no service has (Java 21: '?')
        "spark.jars.ivy": str(scratch / "ivy"),
        "spark.ui.enabled": str(spark.ui).lower(),
        "spark.ui.showConsoleProgress": "false",
        # For workers and results of Python: sockets in the scratch folder, which no other user may enter, and no port
        "spark.python.unix.domain.socket.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.pyspark.jvmStacktrace.enabled": "true",  # the cause of a failed query stands only there
        "spark.sql.adaptive.enabled": "false",  # streaming does not have it, and warns
        "spark.sql.execution.arrow.maxRecordsPerBatch": "5000",
        # The same for large records: 5,000 of 1 MB would be 5 GB, in this JVM and again in Python.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(_ARROW_BYTES),
        "spark.sql.streaming.checkpointFileManagerClass": _CHECKPOINT_FILES,
        "spark.sql.streaming.pollingDelay": f"{max(spark.trigger_ms, _LEAST_POLL_MS)}ms",
        # the default expression misses Kafka's JAAS line
        "spark.redaction.regex": "(?i)secret|password|passwd|token|credential|jaas|access[.]?key",
    }
    if not spark.ui:
        options |= _FEW_PAST_BATCHES
    if spark.cluster is None:
        options |= _AUTHENTICATED
    if spark.properties_file:
        read_text(spark.properties_file, "file of Spark's properties")  # Spark would go on without it
        os.environ["PYSPARK_SUBMIT_ARGS"] = f"--properties-file {shlex.quote(str(spark.properties_file))} pyspark-shell"
    if spark.jars_dir:
        options["spark.jars"] = ",".join(sorted(str(jar) for jar in spark.jars_dir.glob("*.jar")))
    builder = SparkSession.builder.appName(name).master(spark.master)
    for key, value in (options | spark.conf | dict(more or {})).items():
        builder = builder.config(key, value)
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkRuntimeError

    try:
        return builder.getOrCreate()
    except (Py4JError, PySparkRuntimeError) as error:  # the second: the JVM has ended, and has said why
        raise SparkFailed(_why_not_started(spark, str(error))) from None


def _why_not_started(spark: Spark, failure: str) -> str:
    if spark.cluster and "stopped SparkContext" in failure:  # how Spark tells that no master has taken the driver
        return (
            f"{spark.master} does not take the driver: is spark.authenticate.secret in {spark.properties_file} the "
            "master's, and can that host connect to spark.driver.host? Its journal (spark-master) says more"
        )
    # the first line only names the call that failed
    return f"Spark did not start: {' '.join(failure.splitlines()[:2])}"


def kafka_options(kafka: Kafka, starting_offsets: str) -> dict[str, str]:
    """Return the options of Spark's Kafka source; `starting_offsets` only counts without a checkpoint.

    Raises SettingsError if the password's file cannot be read.
    """
    return {
        "kafka.bootstrap.servers": ",".join(kafka.bootstrap_servers),
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.mechanism": "SCRAM-SHA-512",
        "kafka.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            f"username={_quoted(kafka.username)} password={_quoted(kafka.secret())};"
        ),
        "kafka.ssl.truststore.type": "PEM",
        "kafka.ssl.truststore.location": str(kafka.ca_file),
        "kafka.reconnect.backoff.max.ms": "5000",
        # Together these let the query fail after 20 s without a broker, instead of after three silent minutes:
        # the consumer then says why, and starts it again.
        "kafka.request.timeout.ms": "15000",
        "kafka.default.api.timeout.ms": "20000",
        "fetchOffset.numRetries": "1",
        # When a partition's records of a batch have been read, the client has asked for more, which are not there yet;
        # Spark's next question waits behind that one, for each partition in turn. With the default, half a second, this
        # was most of the delay of an event, with 20 ms still a third of it.
        "kafka.fetch.max.wait.ms": "0",
        # Records that the client unpacks at once. They count by their number alone, and compression lets 1 MB on the
        # wire hold hundreds of large ones: Java's default of 500 would fill the heap with 500 records of 1 MiB.
        "kafka.max.poll.records": "50",
        "groupIdPrefix": kafka.group_prefix,
        "subscribe": kafka.topic,
        "includeHeaders": "true",
        "startingOffsets": starting_offsets,
        "maxOffsetsPerTrigger": str(kafka.max_offsets_per_trigger),
        "failOnDataLoss": str(not kafka.allow_data_loss).lower(),
    }


def part_frame(spark: "SparkSession", kafka: Kafka, part: Part) -> "DataFrame":
    """Return `part` of the topic as oversized.COLUMNS; Kafka's client asks for nothing before it or after it.

    Raises SettingsError if the password's file cannot be read.
    """
    options = kafka_options(kafka, json.dumps({kafka.topic: {str(each.partition): each.first for each in part}}))
    for only_of_streams in ("subscribe", "maxOffsetsPerTrigger"):
        del options[only_of_streams]
    options["assign"] = json.dumps({kafka.topic: [each.partition for each in part]})
    options["endingOffsets"] = json.dumps({kafka.topic: {str(each.partition): each.next for each in part}})
    # One by one, so that a record which cannot be unpacked spoils none before it
    options["kafka.max.poll.records"] = "1"
    return worker_columns(spark.read.format("kafka").options(**options).load())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _find_pyspark() -> None:
    home = os.environ.get("SPARK_HOME")
    if not home:
        raise SettingsError("SPARK_HOME is not set; set it to the folder of Spark 4, as the service's unit does")
    python = Path(home) / "python"
    py4j = next(python.glob("lib/py4j-*.zip"), None)
    if not (python / "pyspark").is_dir() or py4j is None:
        raise SettingsError(f"SPARK_HOME is {home}, but there is no python/pyspark with python/lib/py4j-*.zip in it")
    for path in (str(python), str(py4j)):
        if path not in sys.path:
            sys.path.insert(0, path)
