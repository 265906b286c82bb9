# SPDX-License-Identifier: Apache-2.0
"""Several Kibana of one cluster, by a stand-in: who logs in to one is known to the others, and they show the same."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from cluster import Cluster
from kibana_archive import REMOVE, make_archive
from playbook import Run

pytestmark = pytest.mark.usefixtures("long")
HOSTS = ("cl-2", "cl-3")


@pytest.fixture(scope="module")
def runs(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, Run]]:
    """The first run with an archive, and the second."""
    folder = tmp_path_factory.mktemp("archives")
    make_archive(folder, cluster.consumer.check_output("basename $(readlink /opt/elasticsearch/current)").split("-")[0])
    given = json.dumps({"artifact_local_dir": str(folder), "kibana_ready_timeout": 120})
    options = ("--tags", "host,pki,kibana", "-e", given)
    yield cluster.play("site.yml", *options), cluster.play("site.yml", *options)
    for name in HOSTS:
        cluster.hosts[name].check_output(f"sh -c '{REMOVE}'")


@pytest.mark.usefixtures("runs")
def test_each_runs_with_the_same_keys(cluster: Cluster) -> None:
    for name in HOSTS:
        assert cluster.hosts[name].check_output("systemctl is-active kibana") == "active"
    first, second = (cluster.hosts[name].file("/etc/kibana/secrets.yml").content_string for name in HOSTS)
    assert first == second and "xpack.security.encryptionKey" in first


@pytest.mark.usefixtures("runs")
def test_each_asks_all_of_elasticsearch(cluster: Cluster) -> None:
    for name in HOSTS:
        settings = cluster.hosts[name].file("/etc/kibana/kibana.yml").content_string
        (line,) = [each for each in settings.splitlines() if each.startswith("elasticsearch.hosts:")]
        assert [f"https://{host}:9200" for host in ("cl-1", "cl-2", "cl-3")] == json.loads(line.partition(": ")[2])


@pytest.mark.usefixtures("runs")
def test_the_objects_are_imported_by_one(cluster: Cluster) -> None:
    assert sum(cluster.hosts[name].file("/var/lib/kibana/imported.json").exists for name in HOSTS) == 1


def test_a_second_run_changes_nothing(runs: tuple[Run, Run]) -> None:
    assert runs[0].changed > 0 and runs[1].changed == 0, runs[1].output
