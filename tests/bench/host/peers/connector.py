# SPDX-License-Identifier: Apache-2.0
"""The elasticsearch-spark connector, in foreachBatch. It runs on Spark 3.5 only."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import jvm
from documents import add_counts
from job import STATE_DIR, Job
from spark import begin, source, spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_STORE_PASSWORD = "changeit"  # of a file that holds a public certificate


def backlog(job: Job) -> None:
    """Take all records of the job."""
    options = _options(job)

    def each_batch(frame: DataFrame, _: int) -> None:
        told = jvm.parsed(frame).persist()  # read once for both
        try:
            found = jvm.documents(told, job)
            found.write.format("org.elasticsearch.spark.sql").options(**options).mode("append").save(job.events)
            add_counts(job.client(), job.windows, jvm.collected(jvm.counts(told)))
        finally:
            told.unpersist()
        job.refresh()

    begin(source(job, spark(3)), each_batch).awaitTermination()


def _options(job: Job) -> dict[str, str]:
    url = urlsplit(job.elasticsearch.hosts[0])
    return {
        "es.nodes": str(url.hostname),
        "es.port": str(url.port),
        "es.nodes.wan.only": "true",
        "es.net.ssl": "true",
        "es.net.ssl.truststore.location": _truststore(str(job.elasticsearch.ca_file)),
        "es.net.ssl.truststore.pass": _STORE_PASSWORD,
        "es.net.http.header.Authorization": f"ApiKey {job.elasticsearch.secret()}",
        "es.mapping.id": "event.id",
        # by default 1000 documents or 1 MB, and a refresh after each: much slower
        "es.batch.size.entries": "5000",
        "es.batch.size.bytes": "8mb",
        "es.batch.write.refresh": "false",
    }


@lru_cache(maxsize=1)
def _truststore(ca_file: str) -> str:
    """Return the address of the CA's certificate in the form that the connector reads."""
    store = STATE_DIR / "truststore.p12"
    store.unlink(missing_ok=True)
    told = ["-alias", "ca", "-file", ca_file, "-keystore", str(store), "-storetype", "PKCS12"]
    command = ["keytool", "-importcert", "-noprompt", *told, "-storepass", _STORE_PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
    return store.as_uri()
