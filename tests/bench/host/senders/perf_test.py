# SPDX-License-Identifier: Apache-2.0
"""kafka-producer-perf-test, Kafka's own measure in Java: values are read from a file, none is made."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from itertools import islice
from pathlib import Path

from job import STATE_DIR, Job
from login_producer.sources.synthetic import live_events

_MAIN = "org.apache.kafka.tools.ProducerPerformance"
_JARS = "/opt/kafka/current/libs/*"
_PAYLOADS = 10_000


def send(job: Job) -> dict[str, float]:
    """Send `records` values; return the seconds of its own account, which leave out the start of its JVM."""
    with tempfile.TemporaryDirectory(dir=STATE_DIR) as folder:  # readable by this user alone
        payloads, options = Path(folder, "payloads"), Path(folder, "client.properties")
        payloads.write_bytes(b"\n".join(event.value for event in islice(live_events(1, 500), _PAYLOADS)))
        options.write_text(_options(job))
        count = str(job.more["records"])
        told = ["--topic", job.kafka.topic, "--num-records", count, "--throughput", "-1"]
        told += ["--payload-file", str(payloads), "--command-config", str(options)]
        java = str(Path(os.environ["JAVA_HOME"], "bin/java"))
        done = subprocess.run(
            [java, "-Xmx256m", "-cp", _JARS, _MAIN, *told], capture_output=True, text=True, check=False
        )
    rates = re.findall(rf"^{count} records sent, ([0-9.]+) records/sec", done.stdout, re.MULTILINE)
    if done.returncode or not rates:
        raise RuntimeError(f"{_MAIN} has failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return {"seconds": job.more["records"] / float(rates[-1])}


def _options(job: Job) -> str:
    secret = job.kafka.secret().replace("\\", "\\\\").replace('"', '\\"')
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    jaas = f'{module} required username="{job.kafka.username}" password="{secret}";'
    settings = {
        "bootstrap.servers": ",".join(job.kafka.bootstrap_servers),
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": jaas.replace("\\", "\\\\"),  # a backslash escapes in such a file too
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(job.kafka.ca_file),
        # as the pipeline's own producer
        "acks": "all",
        "compression.type": "lz4",
        "linger.ms": "20",
        "batch.size": str(1 << 18),
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())
