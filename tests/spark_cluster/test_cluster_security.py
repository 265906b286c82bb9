# SPDX-License-Identifier: Apache-2.0
"""Where a cluster's secrets are, who may read them, and who may use the cluster."""

# ruff: noqa: S108  (the folders below are searched)
from __future__ import annotations

import base64
import re
from collections import defaultdict
from pathlib import Path

import pytest
from cluster import APPLICATION, EXECUTOR, Cluster
from deployment import Deployment

HUNT = (Path(__file__).parents[1] / "pipeline/secret_hunt.py").read_text()
PLACES = ["/etc", "/var/lib", "/var/log", "/run", "/tmp", "/var/tmp", "/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"]
SETTINGS = "spark_secret in /etc/spark/spark-defaults.conf"


def wanted(deployment: Deployment) -> dict[str, str]:
    """Return all secrets of the deployment by name."""
    secrets = dict(deployment.secrets)
    secrets["consumer_api_key, decoded"] = base64.b64decode(secrets["consumer_api_key"]).decode().split(":")[1]
    return secrets


def hunt(deployment: Deployment, on: Deployment, user: str, places: list[str]) -> set[str]:
    """Return where `user` finds secrets on a host; processes are told without their numbers."""
    program = f"SECRETS = {wanted(deployment)!r}\nPLACES = {places!r}\n{HUNT}"
    return {re.sub(r"/proc/\d+/", "/proc/", found) for found in on.python(program, user)}


def test_a_worker_keeps_no_secret_but_sparks_own(
    deployment: Deployment, workers: dict[str, Deployment], cluster: Cluster
) -> None:
    cluster.wait_for_executors(*cluster.hosts)
    # an executor gets it from its worker by its environment, which only its user and root can read
    found = hunt(deployment, workers[cluster.away], "root", ["/opt", *PLACES, "journal"])
    assert found == {SETTINGS, "spark_secret in /proc/environ"}


def test_executors_read_no_other_services_secret(deployment: Deployment, workers: dict[str, Deployment]) -> None:
    for each in workers.values():
        assert hunt(deployment, each, "spark", PLACES) == {SETTINGS, "spark_secret in /proc/environ"}


@pytest.mark.parametrize("user", ["nobody", "login-producer"])
def test_no_other_user_reads_a_secret_of_spark(user: str, deployment: Deployment) -> None:
    found = hunt(deployment, deployment, user, PLACES)
    assert [each for each in found if each.startswith(("spark", "consumer", "kafka_consumer"))] == []


def test_no_page_shows_a_secret(deployment: Deployment, cluster: Cluster) -> None:
    cluster.wait_for_executors(*cluster.hosts)
    (application,) = (each for each in cluster.state()["activeapps"] if each["name"] == APPLICATION)
    pages = {path: cluster.page(path) for path in ("", "json/", "environment/", f"app/?appId={application['id']}")}
    assert "spark.authenticate.secret" in pages["environment/"], "this page shows the settings, the secret masked"
    for name, host in cluster.hosts.items():
        get = "curl -sS --fail http://127.0.0.1:8081/%s"
        executor = next(iter(cluster.processes(name, EXECUTOR).values()))
        number = re.search(r"--executor-id (\d+)", executor)
        assert number, executor
        log = f"logPage/?appId={application['id']}&executorId={number[1]}&logType=stderr"
        pages |= {f"{name}: {path}": host.check_output(get, path) for path in ("", "json/", log)}
    for path, page in pages.items():
        assert [name for name, secret in wanted(deployment).items() if secret in page] == [], path


def test_only_the_named_ports_are_open_to_others(cluster: Cluster) -> None:
    for name, host in cluster.hosts.items():
        open_ports: defaultdict[str, set[int]] = defaultdict(set)
        for line in host.check_output("ss -Hltnp").splitlines():
            address, port = line.split()[3].rsplit(":", 1)
            for process in set(re.findall(r"pid=(\d+)", line)):
                # empty for one that has ended since
                unit = host.run("ps -o unit= -p %s", process).stdout.strip().removesuffix(".service")
                if "127.0.0.1" not in address and unit in ("spark-master", "spark-worker", "login-consumer"):
                    open_ports[unit].add(int(port))
        (executors,) = (open_ports["spark-worker"] - {7078},)
        assert 7078 in open_ports["spark-worker"]
        assert executors and all(7090 <= port < 7107 for port in executors), open_ports
        if name == cluster.pipeline.deployment.name:
            assert open_ports["spark-master"] == {7077}
            driver, blocks = sorted(open_ports["login-consumer"])
            assert driver == 7079 and 7090 <= blocks < 7107


def test_a_driver_without_the_secret_is_refused(cluster: Cluster) -> None:
    host = cluster.pipeline.host
    # as any user of the host could: Spark as it is installed, and a program
    program = "from pyspark import SparkContext\nprint(SparkContext().range(3).count())"
    host.check_output("printf %s > /tmp/intruder.py", program)
    submit = (
        "cd /tmp && SPARK_HOME=/opt/spark/current timeout 40 runuser -u nobody -- /opt/spark/current/bin/spark-submit "
        "--master spark://%s:7077 --conf spark.cores.max=1 --conf spark.executor.memory=512m intruder.py 2>&1"
    )
    told = host.run(submit, cluster.pipeline.deployment.pipeline_address)
    host.check_output("rm /tmp/intruder.py")
    assert told.rc != 0 and "\n3\n" not in told.stdout, told.stdout
    assert [each["name"] for each in cluster.state()["activeapps"]] == [APPLICATION]
