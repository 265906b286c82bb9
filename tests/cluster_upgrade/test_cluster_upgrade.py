# SPDX-License-Identifier: Apache-2.0
"""Three brokers and four nodes of Elasticsearch go to newer versions, and Kafka back, while events flow.

The tests build on each other, in this order. One host holds Elasticsearch's data only.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from itertools import pairwise

from cluster import Cluster, Watch
from older import OLDER, WANTED, running, settings
from playbook import ROOT, run_playbook

log = logging.getLogger("cluster")
UPGRADE = "playbooks/upgrade.yml"
UNITS = {"kafka": ("cl-1", "cl-2", "cl-3"), "elasticsearch": ("cl-1", "cl-2", "cl-3", "cl-4")}


def versions(cluster: Cluster) -> dict[str, set[str]]:
    return {product: {running(cluster.hosts[name], product) for name in names} for product, names in UNITS.items()}


def check_turns(cluster: Cluster, watch: Watch, product: str, **place: str) -> None:
    """Each node was restarted once, no two at a time, and the named one first or last."""
    away = cluster.times_away(product, watch.began)
    assert set(away) == set(UNITS[product])
    assert all(end < begin for (_, end), (begin, _) in pairwise(away.values())), away
    order = list(away)
    assert {"first": order[0], "last": order[-1]}.items() >= place.items(), away


def check_starts(watch: Watch, *products: str) -> None:
    on_all = {"cl-1", "cl-2", "cl-3"}
    assert watch.starts() == Counter({(name, f"{product}.service"): 1 for product in products for name in on_all})


def test_the_older_versions_run(cluster: Cluster) -> None:
    cluster.wait_until_well(nodes=4)
    assert versions(cluster) == {product: {version} for product, version in OLDER.items()}


def test_the_upgrade(cluster: Cluster) -> None:
    acked = cluster.acknowledged()
    before = cluster.ledger.settled()
    cluster.start_producers()
    watch = cluster.watch()
    leader = f"cl-{cluster.quorum()['leader']}"
    run = cluster.play(UPGRADE)
    gap = watch.end(nodes=4)
    log.info("Kafka and Elasticsearch upgraded in turns: longest gap %.1f s", gap)
    assert versions(cluster) == {product: {version} for product, version in WANTED.items()}
    check_starts(watch, "kafka", "elasticsearch")
    check_turns(cluster, watch, "kafka", last=leader)
    check_turns(cluster, watch, "elasticsearch", first="cl-4")
    assert "metadata.version 30 -> 33" in run.text
    acked = cluster.acknowledged() - acked
    after = cluster.ledger.settled()
    cluster.start_producers()
    assert (before.fault(), after.fault()) == ("", "")
    assert after.events - before.events == acked


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    assert cluster.play(UPGRADE).changed == 0


def test_kafka_goes_back_and_forth_in_turns_and_is_finalized(cluster: Cluster) -> None:
    finalize = {"upgrade_finalize": True}
    older = settings({"kafka": OLDER["kafka"]})
    for version, more in ((OLDER["kafka"], older), (WANTED["kafka"], finalize)):
        watch = cluster.watch()
        leader = f"cl-{cluster.quorum()['leader']}"
        cluster.play(UPGRADE, "--extra-vars", json.dumps(more))
        gap = watch.end(nodes=4)
        log.info("Kafka brought to %s in turns: longest gap %.1f s", version, gap)
        assert versions(cluster)["kafka"] == {version}
        check_starts(watch, "kafka")
        check_turns(cluster, watch, "kafka", last=leader)
    run = run_playbook(
        ROOT / UPGRADE, cluster.deployment.inventory, "-e", json.dumps(settings({"kafka": OLDER["kafka"]}))
    )
    assert run.returncode != 0
    assert "no way back" in run.text, run.output
