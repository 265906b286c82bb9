# SPDX-License-Identifier: Apache-2.0
"""What breaks one node while events flow: they go on, each is counted once, and the producers do not notice."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from cluster import Cluster

log = logging.getLogger("cluster")


@pytest.fixture(scope="module", autouse=True)
def nothing_is_lost(cluster: Cluster) -> Iterator[None]:
    """Compare what the producers had acknowledged over all tests of this file with what is stored."""
    cluster.wait_until_well()
    acked = cluster.acknowledged()
    before = cluster.ledger.settled()
    assert before.fault() == ""
    cluster.start_producers()
    yield
    acked = cluster.acknowledged() - acked
    after = cluster.ledger.settled()
    cluster.start_producers()
    assert after.fault() == ""
    assert after.events - before.events == acked


@pytest.mark.usefixtures("long")
def test_a_broker_is_killed(cluster: Cluster) -> None:
    leader = cluster.quorum()["leader"]
    name = next(f"cl-{number}" for number in (3, 2, 1) if number != leader)
    watch = cluster.watch()
    cluster.kill(name, "kafka")
    gap = watch.end()
    log.info("broker of %s killed: longest gap %.1f s", name, gap)
    assert watch.starts() == {(name, "kafka.service"): 1}


def test_the_active_controller_is_killed(cluster: Cluster) -> None:
    name = f"cl-{cluster.quorum()['leader']}"
    watch = cluster.watch()
    cluster.kill(name, "kafka")
    gap = watch.end()
    log.info("active controller %s killed: longest gap %.1f s", name, gap)
    assert watch.starts() == {(name, "kafka.service"): 1}
    assert cluster.quorum()["voters"] == {1, 2, 3}


def test_elasticsearchs_master_is_killed(cluster: Cluster) -> None:
    kill_elasticsearch(cluster, master=True)


@pytest.mark.usefixtures("long")
def test_another_node_of_elasticsearch_is_killed(cluster: Cluster) -> None:
    kill_elasticsearch(cluster, master=False)


def kill_elasticsearch(cluster: Cluster, master: bool) -> None:
    nodes = {each["name"]: each["master"] == "*" for each in cluster.elastic.cat.nodes(format="json", h="name,master")}
    name = max(name for name, is_master in nodes.items() if is_master == master)
    watch = cluster.watch()
    cluster.kill(name, "elasticsearch")
    gap = watch.end()
    log.info("Elasticsearch of %s (master: %s) killed: longest gap %.1f s", name, master, gap)
    assert watch.starts() == {(name, "elasticsearch.service"): 1}
