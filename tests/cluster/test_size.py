# SPDX-License-Identifier: Apache-2.0
"""A fourth host joins, gets its share, and leaves again, while events flow. It is the first of its groups."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import yaml
from cluster import Cluster
from playbook import ROOT, run_playbook

pytestmark = pytest.mark.usefixtures("long")

log = logging.getLogger("cluster")
META = "/var/lib/kafka/data/meta.properties"


def identities(cluster: Cluster) -> list[str]:
    return [cluster.hosts[name].check_output(f"sort {META}") for name in ("cl-1", "cl-2", "cl-3")]


def test_a_fourth_host_joins_and_no_service_is_restarted(cluster: Cluster) -> None:
    before = identities(cluster)
    watch = cluster.watch()
    cluster.play_with_fourth("site.yml")
    gap = watch.end(brokers=4, nodes=4)
    log.info("a fourth host joined: longest gap %.1f s", gap)
    assert watch.starts() == {}
    assert identities(cluster) == before
    assert cluster.quorum()["voters"] == {1, 2, 3, 4}
    assert cluster.elastic.cluster.health()["number_of_nodes"] == 4


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    assert cluster.play_with_fourth("site.yml").changed == 0


def test_the_new_broker_gets_its_share(cluster: Cluster) -> None:
    watch = cluster.watch()
    cluster.play_with_fourth("playbooks/rebalance_kafka.yml")
    gap = watch.end(brokers=4, nodes=4)
    log.info("partitions spread over four brokers: longest gap %.1f s", gap)
    topic = [each for (name, _), each in cluster.partitions().items() if name == cluster.deployment.topic]
    # It stands on the rack of cl-1, and each partition has one copy on each rack.
    assert sum(4 in each["replica_nodes"] for each in topic) == len(topic) // 2
    assert all({2, 3} < set(each["replica_nodes"]) for each in topic)
    assert any(each["leader_id"] == 4 for each in topic)
    assert cluster.play_with_fourth("playbooks/rebalance_kafka.yml").changed == 0


def test_a_node_whose_copies_have_no_other_place_is_not_let_go(cluster: Cluster) -> None:
    for node, why in (("cl-9", "is not in the groups"), ("cl-3", "only 2 would be left")):
        options = ("-e", f"node={node}")
        run = run_playbook(ROOT / "playbooks/remove_node.yml", cluster.deployment.inventory, *options)
        assert run.returncode != 0
        assert why in run.text, run.output


def test_the_fourth_host_leaves_empty(cluster: Cluster) -> None:
    shared = "/srv/backups-of-all"
    cluster.hosts["cl-4"].check_output(f"mkdir -p {shared} && touch {shared}/snapshot")
    options = ("-e", "node=cl-4", "-e", "uninstall_data=yes", "-e", f"pipeline_backup_dir={shared}")
    watch = cluster.watch()
    cluster.play_with_fourth("playbooks/remove_node.yml", *options)
    gap = watch.end()
    log.info("the fourth host left: longest gap %.1f s", gap)
    assert watch.starts() == {}
    assert cluster.quorum()["voters"] == {1, 2, 3}
    assert all(4 not in each["replica_nodes"] for each in cluster.partitions().values())
    assert cluster.elastic.cluster.health()["number_of_nodes"] == 3
    assert cluster.hosts["cl-4"].run("test -e /etc/kafka || test -e /etc/elasticsearch").rc == 1
    assert cluster.hosts["cl-4"].file(f"{shared}/snapshot").exists
    # A run that broke off is repeated: what has left already is no fault.
    cluster.play_with_fourth("playbooks/remove_node.yml", *options)


def test_the_others_forget_it_without_a_restart(cluster: Cluster) -> None:
    watch = cluster.watch()
    cluster.play("site.yml")
    watch.end()
    assert watch.starts() == {}
    assert cluster.play("site.yml").changed == 0


def test_a_host_joins_that_is_a_controller_only_and_leaves_again(cluster: Cluster, tmp_path: Path) -> None:
    own = tmp_path / "hosts.yml"
    own.write_text(yaml.safe_dump({"all": {"hosts": {"cl-4": {"kafka_process_roles": ["controller"]}}}}))
    watch = cluster.watch()
    cluster.play_with_fourth("site.yml", "-i", str(own), "--tags", "preflight,host,pki,kafka")
    assert cluster.quorum()["voters"] == {1, 2, 3, 4}
    cluster.play_with_fourth("playbooks/remove_node.yml", "-i", str(own), "-e", "node=cl-4", "-e", "uninstall_data=yes")
    watch.end()
    assert watch.starts() == {}
    assert cluster.quorum()["voters"] == {1, 2, 3}
