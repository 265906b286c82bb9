# SPDX-License-Identifier: Apache-2.0
"""The running cluster in one hand: its hosts, its services, its accounts."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from account import NOT_YET, Ledger
from deployment import Deployment, Tunnel, kafka_options
from elasticsearch import Elasticsearch
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from playbook import ROOT, Run, run_playbook
from starts import services, starts
from testinfra.host import Host
from waiting import wait_until

JOINING = ROOT / "tests/cluster/joining.yml"
WELL_SECONDS = 300


class Cluster:
    """What the tests do to a running cluster, and ask of it."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        ports = {f"cl-{number}": 2310 + number for number in (1, 2, 3, 4)}
        self._places = {
            name: replace(deployment, name=name, ssh_port=port, pipeline_address=name) for name, port in ports.items()
        }
        self.hosts: dict[str, Host] = {name: place.host() for name, place in self._places.items()}
        self.consumer = self.hosts[deployment.name]
        self.producers = ("cl-2", "cl-3")
        self._tunnels = {name: Tunnel(self._places[name]) for name in ("cl-1", "cl-2", "cl-3")}

    def open(self) -> None:
        for tunnel in self._tunnels.values():
            tunnel.open()
        port = self.deployment.elasticsearch_port
        self.elastic = Elasticsearch(
            [f"https://localhost:{tunnel[port]}" for tunnel in self._tunnels.values()],
            ca_certs=self.deployment.ca_file,
            basic_auth=("elastic", self.deployment.secrets["elastic_password"]),
            request_timeout=30,
            max_retries=3,
            retry_on_timeout=True,
        )
        self.ledger = Ledger(self.elastic, self.deployment.topic, self.kafka("consumer"))

    def close(self) -> None:
        for tunnel in self._tunnels.values():
            tunnel.close()

    def kafka(self, user: str) -> dict[str, Any]:
        """Return the options of a Kafka client."""
        return kafka_options(self.deployment, self._tunnels["cl-1"], user)

    def play(self, playbook: str, *options: str) -> Run:
        """Run a playbook for the hosts of the inventory. Raises AssertionError if it fails."""
        run = run_playbook(ROOT / playbook, self.deployment.inventory, *options)
        assert run.returncode == 0, run.output
        return run

    def play_with_fourth(self, playbook: str, *options: str, fourth: Path = JOINING) -> Run:
        """Run a playbook for four hosts, the new one the first of its groups. Raises AssertionError if it fails.

        `fourth` is the new one's inventory. What `options` say by another `-i` counts more than the inventories.
        """
        run = run_playbook(ROOT / playbook, fourth, "-i", str(self.deployment.inventory), *options)
        assert run.returncode == 0, run.output
        return run

    def kill(self, name: str, unit: str) -> None:
        """Kill a service's process; systemd starts it again."""
        pid = self.hosts[name].check_output("systemctl show --value --property=MainPID %s", unit)
        assert pid != "0", f"{unit} of {name} does not run"
        self.hosts[name].check_output("kill -9 %s", pid)

    def starts(self, name: str) -> Counter[str]:
        """Return how often each service of the pipeline has been started on a host since its boot."""
        return services(starts(self.hosts[name]))

    def all_starts(self) -> Counter[tuple[str, str]]:
        return Counter({(name, unit): n for name in self._tunnels for unit, n in self.starts(name).items()})

    def times_away(self, unit: str, since: float) -> dict[str, tuple[float, float]]:
        """Return when each host's service stopped and was started again, in epoch seconds, in order."""
        spans = {}
        for name, host in self.hosts.items():
            told = f"_PID=1 UNIT={unit}.service --since=@{since:.0f}"
            command = f"journalctl --quiet --output=json --output-fields=MESSAGE_ID {told}"
            lines = [json.loads(line) for line in host.check_output(command).splitlines()]
            moments = [int(line["__REALTIME_TIMESTAMP"]) / 1e6 for line in lines]
            if moments:
                spans[name] = (min(moments), max(moments))
        return dict(sorted(spans.items(), key=lambda item: item[1]))

    def quorum(self) -> dict[str, Any]:
        """Return the leader's node id and the voters' ids of Kafka's controllers."""
        admin = KafkaAdminClient(**self.kafka("admin"))
        try:
            (told,) = admin.describe_metadata_quorum()["topics"][0]["partitions"]
        finally:
            admin.close()
        return {"leader": told["leader_id"], "voters": {each["replica_id"] for each in told["current_voters"]}}

    def partitions(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Return Kafka's partitions as it tells them."""
        admin = KafkaAdminClient(**self.kafka("admin"))
        try:
            topics = admin.describe_topics()
        finally:
            admin.close()
        return {(topic["name"], each["partition_index"]): each for topic in topics for each in topic["partitions"]}

    def wait_until_well(self, brokers: int = 3, nodes: int = 3) -> None:
        """Wait until both clusters have all their nodes and copies, and systemd calls their services started.

        `nodes` are those of Elasticsearch.
        """

        def kafka_is_well() -> bool:
            admin = KafkaAdminClient(**self.kafka("admin"))
            try:
                there = [each for each in admin.describe_cluster()["brokers"] if not each["is_fenced"]]
            finally:
                admin.close()
            told = self.partitions().values()
            return len(there) == brokers and all(set(each["replica_nodes"]) == set(each["isr_nodes"]) for each in told)

        def elasticsearch_is_well() -> bool:
            # Green alone does not do: after a minute the others make the copies that a node took with it.
            told = self.elastic.cluster.health()
            return told["status"] == "green" and told["number_of_nodes"] == nodes

        def services_are_started() -> bool:
            # Of several units it asks whether one is active.
            both = "systemctl --quiet is-active kafka && systemctl --quiet is-active elasticsearch"
            return all(self.hosts[name].run(both).rc == 0 for name in self._tunnels)

        wait_until(kafka_is_well, "Kafka is well", WELL_SECONDS, ignoring=(KafkaError,))
        wait_until(elasticsearch_is_well, "Elasticsearch is well", WELL_SECONDS, ignoring=NOT_YET)
        wait_until(services_are_started, "the services are started", WELL_SECONDS)

    def longest_gap(self, since: float) -> float:
        """Return the longest time in seconds, since then (epoch seconds), in which no event came to Elasticsearch."""
        self.elastic.indices.refresh(index="login-events-*")
        aggs = {"times": {"date_histogram": {"field": "event.ingested", "fixed_interval": "100ms", "min_doc_count": 1}}}
        query = {"range": {"event.ingested": {"gte": round((since - 5) * 1000), "format": "epoch_millis"}}}
        told = self.elastic.search(index="login-events-*", size=0, query=query, aggs=aggs)
        times = [bucket["key"] / 1000 for bucket in told["aggregations"]["times"]["buckets"]]
        return max(later - earlier for earlier, later in pairwise(times))

    def audit(self) -> dict[str, Any]:
        """Return what `login-consumer audit` finds, which balances."""
        told = self.consumer.run("login-consumer audit --json")
        assert told.rc in (0, 1), told.stdout + told.stderr
        found = json.loads(told.stdout)
        assert found["balanced"], found
        return dict(found)

    def acknowledged(self) -> int:
        """Stop the producers; return how many events they have had acknowledged in their lives: all."""
        acked = 0
        for name in self.producers:
            self.hosts[name].check_output("systemctl stop login-producer")
            told = json.loads(self.hosts[name].check_output("cat /var/lib/login-producer/counters.json"))
            assert told["generated"] == told["acked"], f"{name} has lost events: {told}"
            acked += int(told["acked"])
        return acked

    def start_producers(self) -> None:
        for name in self.producers:
            self.hosts[name].check_output("systemctl start login-producer")

    def watch(self) -> Watch:
        return Watch(self)


class Watch:
    """From its making on: the gap, the restarts, the audit."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        cluster.ledger.wait_for_flow()
        self.began = time.time()
        self._before = cluster.all_starts()

    def starts(self) -> Counter[tuple[str, str]]:
        """Return which services of the three hosts have been started since then."""
        return self._cluster.all_starts() - self._before

    def end(self, brokers: int = 3, nodes: int = 3) -> float:
        """Wait until all is well again and the audit balances; return the longest gap in seconds.

        Raises AssertionError, also if a producer was started anew meanwhile.
        """
        self._cluster.wait_until_well(brokers, nodes)
        self._cluster.ledger.wait_for_flow()
        gap = self._cluster.longest_gap(self.began)
        self._cluster.audit()
        assert not [unit for _, unit in self.starts() if unit.startswith("login-producer")], self.starts()
        return gap
