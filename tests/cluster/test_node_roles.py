# SPDX-License-Identifier: Apache-2.0
"""A fourth node of Elasticsearch, the first of its group, that is not master-eligible joins and leaves again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cluster import Cluster
from waiting import wait_until

pytestmark = pytest.mark.usefixtures("long")
TAGS = ("--tags", "preflight,host,pki,elasticsearch")
LEAVE = ("-e", "node=cl-4", "-e", "uninstall_data=yes")


@pytest.mark.parametrize("roles", [["data", "ingest"], []], ids=["data only", "coordinating only"])
def test_a_node_without_a_vote_joins_and_leaves(cluster: Cluster, tmp_path: Path, roles: list[str]) -> None:
    fourth = tmp_path / "hosts.yml"
    groups = {"elasticsearch": {"hosts": {"cl-4": {"ansible_port": 2314, "elasticsearch_node_roles": roles}}}}
    fourth.write_text(yaml.safe_dump({"all": {"children": groups}}))
    watch = cluster.watch()
    cluster.play_with_fourth("site.yml", *TAGS, fourth=fourth)
    (told,) = cluster.elastic.nodes.info(node_id="cl-4")["nodes"].values()
    assert set(told["roles"]) == set(roles)

    def holds_shards() -> bool:
        shards = cluster.elastic.cat.shards(format="json", h="node,state")
        return any(each["node"] == "cl-4" and each["state"] == "STARTED" for each in shards)

    if roles:
        wait_until(holds_shards, "the new node has shards", 120)
    assert holds_shards() == bool(roles)
    assert cluster.play_with_fourth("site.yml", *TAGS, fourth=fourth).changed == 0
    cluster.play_with_fourth("playbooks/remove_node.yml", *LEAVE, fourth=fourth)
    watch.end()
    assert watch.starts() == {}
