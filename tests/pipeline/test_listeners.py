# SPDX-License-Identifier: Apache-2.0
"""Everything that listens on the host for one of our units, and what a stranger of the same host gets from it."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from deployment import Deployment
from strangers import ASK, heard, served, spoken
from testinfra.host import Host

# Our units, and Debian's that we configure
OURS = re.compile(r"(kafka|elasticsearch|kibana|(login|spark|prometheus)-.+)\.service")
# Spark's pages, its masters' ports and the REST gateway that takes a driver from anyone
SPARK_PORTS = {4040, 4041, 6066, 7077, 8080, 8081, 18080}
# Spark's calls and blocks, py4j's two ways: on loopback, each start has other ports
PORTS_OF_SPARK = 4


def listeners(host: Host) -> dict[str, set[tuple[str, int]]]:
    """Return by unit on which addresses and ports it listens; what is no unit's stands below ''."""
    found: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for line in host.check_output("ss -Hltunp").splitlines():
        address, port = line.split()[4].rsplit(":", 1)
        for process in set(re.findall(r"pid=(\d+)", line)):
            # empty for one that has ended since
            unit = host.run("ps -o unit= -p %s", process).stdout.strip()
            found[unit.removesuffix(".service") if OURS.fullmatch(unit) else ""].add((address, int(port)))
    return dict(found)


def wanted(host: Host, deployment: Deployment) -> dict[str, set[int]]:
    """Return by unit the ports that README's table names, as this deployment has them."""
    metrics = deployment.metrics_ports
    named = {
        "kafka": {
            deployment.kafka_port,
            deployment.broker_port,
            deployment.controller_port,
            *deployment.extra_ports,
            *({metrics["kafka"]} if metrics else ()),
        },
        "elasticsearch": {deployment.elasticsearch_port, deployment.transport_port},
    }
    exporters = {"prometheus-node-exporter": "node", "prometheus-elasticsearch-exporter": "elasticsearch"}
    # Debian 12 has none of Elasticsearch that can be used
    there = [unit for unit in exporters if metrics and host.service(unit).exists]
    return named | {unit: {metrics[exporters[unit]]} for unit in there}


def on_loopback(address: str) -> bool:
    return "127.0.0.1" in address or "::1]" in address


@pytest.fixture(scope="module")
def found(host: Host) -> dict[str, set[tuple[str, int]]]:
    return listeners(host)


def test_every_listener_is_named(found: dict[str, set[tuple[str, int]]], host: Host, deployment: Deployment) -> None:
    units = {unit: {port for _, port in places} for unit, places in found.items() if unit not in ("", "login-consumer")}
    assert units == wanted(host, deployment)
    assert not {port for places in found.values() for _, port in places} & SPARK_PORTS


def test_spark_listens_on_loopback_alone_and_no_more_than_it_has_to(found: dict[str, set[tuple[str, int]]]) -> None:
    places = found["login-consumer"]
    assert len(places) == PORTS_OF_SPARK and all(on_loopback(address) for address, _ in places), places


def test_a_stranger_of_the_host_gets_nothing_from_spark(found: dict[str, set[tuple[str, int]]], host: Host) -> None:
    for _, port in found["login-consumer"]:
        told = host.check_output("runuser -u nobody -- python3 -c %s %s %s", ASK, str(port), spoken())
        assert served(heard(told)) == {}, f"port {port}"
