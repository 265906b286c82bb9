# SPDX-License-Identifier: Apache-2.0
"""One host with Kafka and Elasticsearch, in older and in the project's own versions."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment import Deployment, Tunnel, elasticsearch_client, kafka_options
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from older import OLDER, running, settings
from playbook import ROOT, Run, run_playbook
from starts import services, starts
from testinfra.host import Host

NAME = "login-upgrade"
SSH_PORT = 2256
# Kafka and Elasticsearch alone; the other roles are not deployed here.
TAGS = ("--tags", "host,pki,kafka,elasticsearch")
RECORDS = 1000
INDEX = "login-events-2026.01"


def write_inventory(folder: Path) -> None:
    connection = {
        "ansible_host": "127.0.0.1",
        "ansible_port": SSH_PORT,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(folder / "state/ssh/id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder}/state/ssh/known_hosts -o IdentitiesOnly=yes",
    }
    sizes = {"artifact_source": "registry", "elasticsearch_heap_mb": 512, "kafka_heap_mb": 320}
    groups = {group: {"hosts": {NAME: {}}} for group in ("kafka", "elasticsearch", "consumers")}
    inventory = {"all": {"vars": {**connection, **sizes}, "children": groups}}
    (folder / "hosts.json").write_text(json.dumps(inventory))


@dataclass(frozen=True)
class UpgradedHost:
    """The host and its inventory."""

    inventory: Path

    def play(self, playbook: str, *options: str, older: dict[str, str] | None = None, **more: Any) -> Run:
        """Run a playbook, with other versions of the products named and further settings."""
        extra = json.dumps({**settings(older), **more})
        return run_playbook(ROOT / playbook, self.inventory, *TAGS, "--extra-vars", extra, *options)

    @functools.cached_property
    def deployment(self) -> Deployment:
        return Deployment.of(self.inventory, self.inventory / "state/description.json")

    @functools.cached_property
    def host(self) -> Host:
        return self.deployment.host()

    def builds(self, product: str) -> dict[str, str]:
        """Return the versions on the host: of all builds, and which is current."""
        names = self.host.check_output("cd /opt/%s && ls -d *", product).split()
        versions = {name: name.rpartition("-")[0] for name in names if name != "current"}
        return {"all": sorted(versions.values()), "current": versions[self.link(product)]}

    def link(self, product: str) -> str:
        return self.host.check_output("readlink /opt/%s/current", product)

    def starts(self) -> Counter[str]:
        """Return how often each service has been started since the host's boot."""
        return services(starts(self.host))

    def running(self) -> dict[str, str]:
        """Return the versions that the running processes have open."""
        return {product: running(self.host, product) for product in OLDER}

    @contextmanager
    def tunnel(self) -> Iterator[Tunnel]:
        tunnel = Tunnel(self.deployment)
        tunnel.open()
        try:
            yield tunnel
        finally:
            tunnel.close()

    def write(self) -> None:
        """Write records to Kafka and documents to Elasticsearch."""
        with self.tunnel() as tunnel:
            producer = KafkaProducer(**kafka_options(self.deployment, tunnel, "producer"), acks="all")
            sent = [producer.send(self.deployment.topic, f"record {n}".encode()) for n in range(RECORDS)]
            producer.close()
            for each in sent:
                each.get(timeout=0)
            client = elasticsearch_client(self.deployment, tunnel, basic_auth=self.elastic)
            body = [line for n in range(RECORDS) for line in ({"index": {"_id": str(n)}}, {"number": n})]
            assert not client.bulk(index=INDEX, operations=body, refresh="wait_for")["errors"]

    def read(self) -> tuple[set[str], int]:
        """Return the records in Kafka and the sum of the documents' numbers in Elasticsearch."""
        with self.tunnel() as tunnel:
            # it may have been started just now
            patient = {"bootstrap_timeout_ms": 120_000, "reconnect_backoff_max_ms": 1000}
            options = kafka_options(self.deployment, tunnel, "admin") | patient
            consumer = KafkaConsumer(**options, auto_offset_reset="earliest", consumer_timeout_ms=5000)
            partitions = consumer.partitions_for_topic(self.deployment.topic)
            consumer.assign([TopicPartition(self.deployment.topic, number) for number in partitions])
            records = [record.value.decode() for record in consumer]
            consumer.close()
            assert len(records) == len(set(records))
            client = elasticsearch_client(self.deployment, tunnel, basic_auth=self.elastic)
            told = client.search(index=INDEX, size=0, aggs={"sum": {"sum": {"field": "number"}}})
            return set(records), int(told["aggregations"]["sum"]["value"])

    @property
    def elastic(self) -> tuple[str, str]:
        return "elastic", self.deployment.secrets["elastic_password"]
