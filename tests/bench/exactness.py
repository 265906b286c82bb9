# SPDX-License-Identifier: Apache-2.0
"""What exactness costs: the consumer beside a plain pipeline on the same records, and parsers side by side.

On the demo host, which gets the records of the benchmark as ordinary logins. Both read the same records of the same
topic by the same Spark, in batches of the same size, and make the same documents searchable after each batch.
Times begin with the end of the first batch, so that the start of Spark is left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path += [
    str(ROOT / path)
    for path in ("tests/support", "tests/pipeline", "src/producer/src", "src/common/src", "src/formats/src")
]
warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)

from account import Ledger  # noqa: E402  (found by the path set above)
from deployment import Deployment, Tunnel, elasticsearch_client, kafka_options  # noqa: E402
from kafka import KafkaProducer  # noqa: E402
from login_producer.sources.synthetic import live_events  # noqa: E402
from pipeline import UNITS, Pipeline  # noqa: E402

HOUR_MS = 3_600_000
HERE = Path(__file__).parent
ON_HOST = "/run/login-bench.py"
INDEX = "bench-logins"  # not login-*, which audits read
PARSERS = ("read", "from_json", "orjson", "strict")


class Bench:
    """The demo host with its producer and consumer stopped, and records to read."""

    def __init__(self, deployment: Deployment, tunnel: Tunnel, records: int, batch: int) -> None:
        self._deployment, self._tunnel, self.records, self._batch = deployment, tunnel, records, batch
        password = deployment.secrets["elastic_password"]
        self._elastic = elasticsearch_client(deployment, tunnel, basic_auth=("elastic", password))
        ledger = Ledger(self._elastic, deployment.topic, kafka_options(deployment, tunnel, "consumer"))
        self.pipeline = Pipeline(deployment, deployment.host(), self._elastic, ledger)
        self._start: dict[int, int] = {}

    def fill(self) -> None:
        """Send new records of the past hour, in no order, as after an outage."""
        self.pipeline.systemctl("start", "login-consumer")
        self.pipeline.ledger.settled()
        self.pipeline.systemctl("stop", "login-consumer")
        self._start = self.pipeline.ledger.ends()
        options = kafka_options(self._deployment, self._tunnel, "producer")
        producer = KafkaProducer(**options, acks="all", compression_type="lz4", linger_ms=50, batch_size=1 << 18)
        now, chance = time.time() * 1000, random.Random(1)
        for event in itertools.islice(live_events(1, 2000, lambda: int(now - chance.random() * HOUR_MS)), self.records):
            producer.send(self._deployment.topic, event.value, event.key)
        producer.flush()
        producer.close()

    def exact(self) -> float:
        """Let the consumer take the records; return its records a second."""
        ends, since = self.pipeline.ledger.ends(), self.pipeline.clock()
        topic_id = self.pipeline.ledger.topic_id()
        with self.pipeline.settings("max_offsets_per_trigger = 200000", f"max_offsets_per_trigger = {self._batch}"):
            self.pipeline.systemctl("start", "login-consumer")
            self.pipeline.ledger.wait_for(ends, 600)
            self.pipeline.systemctl("stop", "login-consumer")
        query: dict[str, Any] = {
            "bool": {
                "filter": [
                    {"term": {"topic_id": topic_id}},
                    {"range": {"@timestamp": {"gte": round(since * 1000), "format": "epoch_millis"}}},
                    {"range": {"read": {"gt": 0}}},
                ]
            }
        }
        hits = self._elastic.search(index="login-pipeline-*", query=query, sort=["sequence"], size=1000)["hits"]["hits"]
        assert sum(hit["_source"]["read"] for hit in hits) == self.records
        assert all(hit["_source"]["read"] == hit["_source"]["indexed"] for hit in hits)
        return self._rate([datetime.fromisoformat(hit["_source"]["@timestamp"]).timestamp() for hit in hits])

    def other(self, mode: str) -> float:
        """Let on_host.py read the records; return its records a second."""
        self._elastic.options(ignore_status=404).indices.delete(index=INDEX)
        template = self._elastic.indices.simulate_index_template(name="login-events-2026.01")["template"]
        self._elastic.indices.create(index=INDEX, settings=template["settings"], mappings=template["mappings"])
        rights = {"bench": {"indices": [{"names": [INDEX], "privileges": ["all"]}]}}
        key = self._elastic.security.create_api_key(name="bench", role_descriptors=rights, expiration="1h")["encoded"]
        told = {"mode": mode, "start": self._start, "batch": self._batch, "index": INDEX, "api_key": key}
        environment = [line for line in self._command() if line.startswith("export ")]
        command = f"{environment[0].removeprefix('export ')} /opt/login-consumer/current/bin/python {ON_HOST}"
        ended = self._on_host(f"runuser -u login-consumer -- env {command}", json.dumps(told))
        if mode == "plain":
            self._elastic.indices.refresh(index=INDEX)
            assert self._elastic.count(index=INDEX)["count"] == self.records
        self._elastic.options(ignore_status=404).indices.delete(index=INDEX)
        return self._rate(json.loads(ended))

    def _command(self) -> list[str]:
        return self.pipeline.host.check_output("cat /usr/local/bin/login-consumer").splitlines()

    def _on_host(self, command: str, text: str) -> str:
        done = subprocess.run(
            [*self._deployment.ssh(), command], input=text, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{command}: {done.stderr}")
        return done.stdout

    def copy(self) -> None:
        """Bring the part that runs on the host there."""
        self._on_host(f"cat > {ON_HOST}; chmod 0644 {ON_HOST}", (HERE / "on_host.py").read_text())

    def clean_up(self) -> None:
        """Leave nothing of the benchmark's own, and all services running."""
        self.pipeline.systemctl("start", *UNITS)
        self.pipeline.host.check_output(f"rm -rf {ON_HOST} /var/lib/login-consumer/spark/login-bench")
        self._elastic.options(ignore_status=404).indices.delete(index=INDEX)
        self._elastic.security.invalidate_api_key(name="bench")

    def _rate(self, ended: list[float]) -> float:
        """Return records a second after the first batch."""
        return (self.records - self._batch) / (ended[-1] - ended[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--records", type=int, default=300_000, help="in one run")
    parser.add_argument("--batch", type=int, default=50_000, help="records in one micro-batch")
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment.of(ROOT / "inventory/demo", Path(folder) / "report.json")
    tunnel = Tunnel(deployment)
    tunnel.open()
    try:
        bench = Bench(deployment, tunnel, told.records, told.batch)
        try:
            bench.copy()
            bench.pipeline.systemctl("stop", "login-producer")
            compare(bench, told.rounds)
        finally:
            bench.clean_up()
    finally:
        tunnel.close()


def compare(bench: Bench, rounds: int) -> None:
    """Print each run's records a second, and the medians."""
    runs: dict[str, list[float]] = {name: [] for name in ("exact", "plain", *PARSERS)}

    def show(name: str, rate: float) -> None:
        runs[name].append(rate)
        print(f"  {name:<10}{rate:>10,.0f} records/s", flush=True)

    for number in range(rounds):
        print(f"round {number + 1}: {bench.records:,} records", flush=True)
        bench.fill()
        # by turns, so that neither is always the one to find warm caches
        for name in ("exact", "plain") if number % 2 else ("plain", "exact"):
            show(name, bench.exact() if name == "exact" else bench.other(name))
        for name in PARSERS:
            show(name, bench.other(name))
    median = {name: statistics.median(rates) for name, rates in runs.items()}
    print("\nmedians, records/s:", ", ".join(f"{name} {rate:,.0f}" for name, rate in median.items()))
    print(f"exact / plain           {median['exact'] / median['plain']:.2f}   (at least 0.75 is wanted)")
    for name in ("orjson", "from_json"):
        print(f"strict / {name:<15}{median['strict'] / median[name]:.2f}")


if __name__ == "__main__":
    main()
