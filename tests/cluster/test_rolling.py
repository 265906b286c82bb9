# SPDX-License-Identifier: Apache-2.0
"""Changed settings restart the nodes that they touch, one after the other; a node that fails stops the rest."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from cluster import Cluster
from playbook import ROOT, run_playbook

log = logging.getLogger("cluster")
NODES = ("cl-1", "cl-2", "cl-3")


def setting(name: str, values: dict) -> tuple[str, ...]:
    """Return the options of a run with other settings."""
    return "--tags", f"preflight,{name.split('_')[0]}", "--extra-vars", json.dumps({name: values})


@pytest.fixture
def settings_back(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[None]:
    """Put back what a test has changed, if others come after it: without --long it is the last one."""
    yield
    if not request.config.getoption("--long"):
        return
    cluster.play("site.yml", "--tags", "preflight,kafka,elasticsearch")
    cluster.wait_until_well()


@pytest.mark.usefixtures("settings_back")
def test_a_changed_setting_of_kafka_restarts_the_nodes_in_turns(cluster: Cluster) -> None:
    restarts_in_turns(cluster, "kafka", {"log.cleaner.backoff.ms": 15001})


@pytest.mark.usefixtures("long", "settings_back")
def test_a_changed_setting_of_elasticsearch_restarts_the_nodes_in_turns(cluster: Cluster) -> None:
    restarts_in_turns(cluster, "elasticsearch", {"indices.recovery.max_bytes_per_sec": "41mb"})


def restarts_in_turns(cluster: Cluster, unit: str, values: dict) -> None:
    watch = cluster.watch()
    cluster.play("site.yml", *setting(f"{unit}_extra_config", values))
    gap = watch.end()
    log.info("%s restarted in turns: longest gap %.1f s", unit, gap)
    assert watch.starts() == {(name, f"{unit}.service"): 1 for name in NODES}
    spans = list(cluster.times_away(unit, watch.began).values())
    assert all(end < begin for (_, end), (begin, _) in pairwise(spans)), spans


@pytest.mark.usefixtures("long", "settings_back")
def test_a_setting_of_one_host_restarts_that_one_alone(cluster: Cluster, tmp_path: Path) -> None:
    own = tmp_path / "hosts.yml"
    own.write_text(yaml.safe_dump({"all": {"hosts": {"cl-2": {"kafka_extra_config": {"log.cleaner.threads": 2}}}}}))
    watch = cluster.watch()
    cluster.play("site.yml", "-i", str(own), "--tags", "preflight,kafka")
    watch.end()
    assert watch.starts() == {("cl-2", "kafka.service"): 1}


@pytest.mark.usefixtures("long", "settings_back")
def test_a_node_that_does_not_come_back_stops_the_others_restarts(cluster: Cluster) -> None:
    """With a wrong setting the first node fails and the others keep running; the next run makes up for what is due."""
    watch = cluster.watch()
    leader = f"cl-{cluster.quorum()['leader']}"  # its turn comes last
    first, *others = [*(name for name in NODES if name != leader), leader]
    wrong = {"kafka_extra_config": {"log.retention.check.interval.ms": "soon"}, "kafka_roll_timeout": 30}
    run = run_playbook(
        ROOT / "site.yml",
        cluster.deployment.inventory,
        *("--tags", "preflight,kafka", "--extra-vars", json.dumps(wrong)),
    )
    assert run.returncode != 0
    assert f"kafka: the restarts stopped at {first}" in run.text, run.output
    assert f"Not begun: {', '.join(others)}." in run.text
    assert {name for name, _ in watch.starts()} == {first}
    run_back = cluster.play("site.yml", "--tags", "preflight,kafka")
    watch.end()
    # Their settings were written and are the old ones again; the restart that was due is made up for.
    assert {watch.starts()[name, "kafka.service"] for name in others} == {1}, run_back.output
