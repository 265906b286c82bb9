# SPDX-License-Identifier: Apache-2.0
"""Who a node is stays as it is: ids, the cluster's founders, a node that lost its data."""

from __future__ import annotations

import json

import pytest
from cluster import JOINING, Cluster
from playbook import ROOT, run_playbook

META = "/var/lib/kafka/data/meta.properties"
NODES = ("cl-1", "cl-2", "cl-3")


def test_kafka_has_one_cluster_id_and_the_node_ids_of_the_inventory(cluster: Cluster) -> None:
    files = [cluster.hosts[name].check_output(f"grep = {META}").splitlines() for name in NODES]
    told = [dict(line.split("=", 1) for line in lines) for lines in files]
    assert len({each["cluster.id"] for each in told}) == 1
    assert [each["node.id"] for each in told] == ["1", "2", "3"]
    assert cluster.quorum()["voters"] == {1, 2, 3}


@pytest.mark.usefixtures("long")
def test_a_changed_node_id_is_refused_before_anything_is_touched(cluster: Cluster) -> None:
    before = cluster.all_starts()
    ids = {"cl-1": 1, "cl-2": 5, "cl-3": 3}
    own = {"kafka_node_id": "{{ " + json.dumps(ids) + "[inventory_hostname] | int }}"}
    options = ("--tags", "preflight,kafka", "--extra-vars", json.dumps(own))
    run = run_playbook(ROOT / "site.yml", cluster.deployment.inventory, *options)
    assert run.returncode != 0
    assert "cl-2: kafka_node_id is 5, but its data belongs to node 2" in run.text
    assert cluster.all_starts() == before


def test_the_copies_stand_on_different_racks(cluster: Cluster) -> None:
    told = cluster.partitions()
    assert all(sorted(each["replica_nodes"]) == [1, 2, 3] for each in told.values()), told


def test_the_founders_are_not_in_the_settings_of_a_formed_cluster(cluster: Cluster) -> None:
    for name in NODES:
        assert cluster.hosts[name].run("grep initial_master_nodes /etc/elasticsearch/elasticsearch.yml").rc == 1
    health = cluster.elastic.cluster.health()
    assert (health["status"], health["number_of_nodes"]) == ("green", 3)
    settings = cluster.elastic.indices.get_settings(index="login-events-*", name="index.number_of_replicas")
    assert {each["settings"]["index"]["number_of_replicas"] for each in settings.body.values()} == {"1"}


@pytest.mark.usefixtures("long")
def test_a_node_that_lost_its_data_joins_and_founds_no_second_cluster(cluster: Cluster) -> None:
    uuid = cluster.elastic.info()["cluster_uuid"]
    host = cluster.hosts["cl-3"]
    watch = cluster.watch()
    host.check_output("systemctl stop elasticsearch")
    host.check_output("rm -rf /var/lib/elasticsearch/data/*")
    host.check_output("systemctl start elasticsearch")
    watch.end()
    assert cluster.elastic.info()["cluster_uuid"] == uuid


@pytest.mark.usefixtures("long")
def test_a_kafka_node_that_lost_its_data_is_made_anew_by_a_run(cluster: Cluster) -> None:
    host = cluster.hosts["cl-3"]
    before = host.check_output(f"grep cluster.id {META}")
    watch = cluster.watch()
    host.check_output("systemctl stop kafka")
    host.check_output("rm -rf /var/lib/kafka/data")
    cluster.play("site.yml", "--tags", "preflight,kafka")
    watch.end()
    assert host.check_output(f"grep cluster.id {META}") == before
    assert cluster.quorum()["voters"] == {1, 2, 3}
    assert watch.starts() == {("cl-3", "kafka.service"): 1}


@pytest.mark.usefixtures("long")
def test_a_run_for_a_new_host_alone_is_refused(cluster: Cluster) -> None:
    options = ("-i", str(cluster.deployment.inventory), "--tags", "preflight", "--limit", "cl-4")
    run = run_playbook(ROOT / "site.yml", JOINING, *options)
    assert run.returncode != 0
    assert "run without --limit" in run.text
