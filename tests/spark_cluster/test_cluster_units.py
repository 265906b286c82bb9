# SPDX-License-Identifier: Apache-2.0
"""The units of a cluster, what the consumer makes of it, and runs of site.yml against it."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from cluster import APPLICATION, MASTER, WORKER, Cluster
from deployment import Deployment
from playbook import ROOT, run_playbook
from testinfra.host import Host
from waiting import wait_until

from tests.pipeline.test_second_run import starts
from tests.pipeline.test_units import EXPOSURE, PROPERTIES

SERVICES = (MASTER, WORKER, "kafka", "elasticsearch", "login-consumer")


def units(cluster: Cluster) -> list[tuple[Host, str]]:
    return [(cluster.pipeline.host, MASTER), *((host, WORKER) for host in cluster.hosts.values())]


def test_units_are_hardened(cluster: Cluster) -> None:
    wanted = PROPERTIES | {"User": "spark", "Group": "spark", "ReadWritePaths": "/var/lib/spark"}
    del wanted["NRestarts"]  # other tests kill them
    for host, unit in units(cluster):
        text = host.check_output(f"systemctl show {unit} --property={','.join(wanted)}")
        assert dict(line.split("=", 1) for line in text.splitlines()) == wanted
        level = re.search(r"exposure level for \S+: ([0-9.]+)", host.check_output(f"systemd-analyze security {unit}"))
        assert level and float(level[1]) < EXPOSURE


def test_each_worker_has_an_executor_that_is_the_user_spark(cluster: Cluster) -> None:
    cluster.wait_for_executors(*cluster.hosts)
    state = cluster.state()
    assert [each["state"] for each in state["workers"] if each["state"] != "DEAD"] == ["ALIVE"] * len(cluster.hosts)
    assert [each["name"] for each in state["activeapps"]] == [APPLICATION]
    for name, pids in cluster.executors().items():
        for pid in pids:
            assert cluster.hosts[name].check_output("ps -o user:32= -p %s", str(pid)) == "spark"
            environment = cluster.hosts[name].check_output("tr '\\0' '\\n' < /proc/%s/environ", str(pid)).splitlines()
            assert "TZ=UTC" in environment


def test_nothing_is_kept_below_tmp(cluster: Cluster) -> None:
    command = "find /tmp /var/tmp '(' -name 'spark-*' -o -name 'blockmgr-*' -o -user spark -name '*.so' ')'"
    for host in cluster.hosts.values():
        assert host.check_output(command) == ""


def test_check_goes_through_an_executor(cluster: Cluster) -> None:
    told = cluster.pipeline.host.run("login-consumer check")
    assert told.rc == 0, told.stdout + told.stderr
    for hop in ("Spark: master", "Spark: executor: one of a worker", "Spark: Elasticsearch: 3 documents"):
        assert f"ok       {hop}" in told.stdout


def test_status_shows_the_units(deployment: Deployment) -> None:
    run = run_playbook(ROOT / "playbooks/status.yml", deployment.inventory)
    shown = re.findall(r"(\S+) +(spark-\w+) +active", run.output)
    assert Counter(unit for _, unit in shown) == {MASTER: 1, WORKER: 2}, run.output


def services(cluster: Cluster) -> Counter[tuple[str, str]]:
    """Return how often each service has been started since boot, by host and unit."""
    return Counter(
        {
            (name, unit.removesuffix(".service")): number
            for name, host in cluster.hosts.items()
            for unit, number in starts(host).items()
            if unit.removesuffix(".service") in SERVICES
        }
    )


def test_check_mode_finds_nothing_to_change_and_shows_no_secret(deployment: Deployment) -> None:
    run = deployment.deploy("--check", "--diff", "-vv")
    assert (run.returncode, run.changed) == (0, 0), run.output
    assert [name for name, secret in deployment.secrets.items() if secret in run.output] == []


@pytest.mark.parametrize(
    ("settings", "tags", "restarted"),
    [
        ({"spark_worker_memory_mb": 1600}, "spark", {WORKER}),
        ({"spark_consumer_executor_memory_mb": 700}, "spark_consumer", {"login-consumer"}),
    ],
)
def test_a_changed_setting_restarts_what_it_concerns_once(
    settings: dict[str, int], tags: str, restarted: set[str], deployment: Deployment, cluster: Cluster
) -> None:
    before = services(cluster)
    try:
        run = deployment.deploy("--tags", tags, "--extra-vars", json.dumps(settings))
        assert run.returncode == 0, run.output
        after = services(cluster) - before
        assert {unit for _, unit in after} == restarted and set(after.values()) == {1}, after
        cluster.wait_for_executors(*cluster.hosts)
        cluster.pipeline.ledger.wait_for_flow()
    finally:
        assert deployment.deploy("--tags", tags).returncode == 0
    wait_until(lambda: cluster.pipeline.audit()["balanced"], "the audit balances", 60)
