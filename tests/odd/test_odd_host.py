# SPDX-License-Identifier: Apache-2.0
"""What an odd host (molecule/odd) could spoil, and does not."""

# ruff: noqa: S108  (what lies below /tmp is looked at, nothing is put there)
from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from deployment import Deployment, Tunnel
from endpoints import Endpoints
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from pipeline import UNITS, Pipeline
from testinfra.host import Host

# What each service's user runs and reads
SOFTWARE = {
    "kafka": "/opt/kafka/current/ /etc/kafka /etc/login-pipeline/kafka",
    "elasticsearch": "/opt/elasticsearch/current/ /etc/elasticsearch",
    "login-consumer": "/opt/login-consumer/current/ /opt/spark/current/ /etc/login-consumer",
    "login-producer": "/opt/login-producer/current/ /etc/login-producer",
    "login-report": "/opt/login-report/current/ /etc/login-report",
}
PROGRAMS = {
    "login-consumer": "import pyarrow, pydantic, elasticsearch, login_consumer.cli",
    "login-producer": "import kafka, crc32c, lz4, login_producer.cli",
    "login-report": "import matplotlib, login_report.cli",
}
COMPRESSIONS = ("zstd", "snappy", "lz4", "gzip")


def test_the_host_is_odd(host: Host, deployment: Deployment) -> None:
    """Else the other tests would prove nothing. Seen as Ansible sees it: by ssh and sudo."""
    assert host.check_output(". /etc/os-release; echo $ID $VERSION_ID") == "debian 13"
    assert deployment.ssh_user != "root" and host.check_output("whoami") == "root"
    assert host.check_output("umask") == "0077"
    assert host.check_output("echo $LANG; /usr/bin/printf %.1f 0,5") == "tr_TR.UTF-8\n0,5"
    assert host.check_output("date +%z") == "+0545"
    assert host.check_output("uname -n") == "Odd_HOST"
    assert host.run("curl --silent http://192.0.2.1").rc == 7, "http_proxy leads nowhere, so there is no connection"
    assert "https_proxy=http://127.0.0.1:1" in host.check_output("env")
    for folder in ("/tmp", "/var/tmp", "/var/log", "/home"):
        assert "noexec" in host.check_output("findmnt -no OPTIONS %s", folder)
    assert re.fullmatch("fd[0-9a-f:]+", deployment.pipeline_address)


@pytest.mark.parametrize("unit", UNITS)
def test_a_services_proxy_leads_nowhere(unit: str, host: Host) -> None:
    process = host.check_output("systemctl show --value --property=MainPID %s", unit)
    environment = host.check_output("tr '\\0' '\\n' < /proc/%s/environ", process).splitlines()
    assert {"https_proxy=http://127.0.0.1:1", "LANG=C.UTF-8"} <= set(environment)


def test_all_hops_are_made_by_ipv6(host: Host, deployment: Deployment) -> None:
    server = f"[{deployment.pipeline_address}]"
    lines = [line.split() for line in host.check_output("ss -Htnp state established").splitlines() if "users:" in line]
    clients = {
        (match[1], peer)
        for _, _, _, peer, processes in lines
        for match in [re.search(r'"([^"]+)"', processes)]
        if match and re.search(r":(9091|9092|9093|9200)$", peer)
    }
    assert {peer for _, peer in clients} >= {f"{server}:9092", f"{server}:9200"}, clients
    assert {peer for _, peer in clients if not peer.startswith(server)} == set(), clients


@pytest.mark.parametrize("user", SOFTWARE)
def test_its_software_is_readable_for_each_service(user: str, host: Host) -> None:
    # From a folder that the service may enter: where one logs in to it may not.
    assert host.check_output(f"cd / && runuser -u {user} -- find {SOFTWARE[user]} ! -readable") == ""


@pytest.mark.parametrize("user", PROGRAMS)
def test_its_software_runs_for_each_service(user: str, host: Host) -> None:
    host.check_output("runuser -u %s -- /opt/%s/current/bin/python -c %s", user, user, PROGRAMS[user])


@pytest.mark.parametrize("service", ["kafka", "elasticsearch"])
def test_data_lie_on_a_volume_of_their_own(service: str, host: Host, deployment: Deployment) -> None:
    folder = {"kafka": deployment.kafka_data_dir, "elasticsearch": deployment.elasticsearch_data_dir}[service]
    assert host.check_output("findmnt -no TARGET -T %s", f"{folder}/data") == folder
    assert host.check_output("stat -c '%%U %%a' %s", f"{folder}/lost+found") == "root 700"
    assert folder in host.check_output("systemctl show --value --property=RequiresMountsFor %s", service).split()
    # All that was formatted, created and unpacked there belongs to the service.
    foreign = host.check_output(f"find {folder} ! -user {service} ! -path {folder}/lost+found")
    assert foreign == ""


@pytest.fixture
def compression(pipeline: Pipeline, kafka: Callable[[str], dict[str, Any]]) -> Iterator[Callable[[str], None]]:
    """Return what has the broker compress all records anew by another algorithm."""
    admin = KafkaAdminClient(**kafka("admin"))
    topic = pipeline.deployment.topic

    def choose(algorithm: str) -> None:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"compression.type": algorithm})])

    yield choose
    admin.reset_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=["compression.type"])])
    admin.close()


def test_what_java_unpacks_to_compress_runs(compression: Callable[[str], None], pipeline: Pipeline) -> None:
    """Kafka and Spark take zstd and snappy from libraries that they unpack to a folder of temporary files."""
    for algorithm in COMPRESSIONS:
        compression(algorithm)
        pipeline.ledger.wait_for_flow()
    with pipeline.still() as account:
        assert account.fault() == ""
        assert pipeline.audit()["balanced"]
    for unit in ("kafka", "login-consumer"):
        assert pipeline.property(unit, "NRestarts") == "0"


def test_the_exporter_of_elasticsearch_tells_how_it_is(deployment: Deployment, tunnel: Tunnel) -> None:
    """Only Debian 13 has one that knows TLS and passwords."""
    endpoints = Endpoints(deployment, tunnel)
    with pytest.raises(HTTPError, match="401"):
        endpoints.get("elasticsearch", "wrong")
    told = endpoints.samples("elasticsearch")
    health = {key: value for key, value in told.items() if key.startswith("elasticsearch_cluster_health_status{")}
    assert [key for key, value in health.items() if value] == [key for key in health if 'color="green"' in key]
    assert any(key.startswith("elasticsearch_indices_docs{") for key in told)


def test_the_report_is_written(host: Host) -> None:
    host.check_output("rm -f /var/lib/login-report/report.html && systemctl start login-report")
    assert host.check_output("stat -c '%U %a' /var/lib/login-report/report.html") == "login-report 640"


def test_a_run_finds_nothing_to_change(deployment: Deployment) -> None:
    run = deployment.deploy("--check", "--diff")
    assert (run.returncode, run.changed) == (0, 0), run.output
