# SPDX-License-Identifier: Apache-2.0
"""A fourth node of Elasticsearch, the first of its group, that is not master-eligible joins and leaves again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cluster import Cluster
from waiting import wait_until

TAGS = ("--tags", "preflight,host,pki,elasticsearch")


@pytest.mark.parametrize("roles", [["data", "ingest"], []], ids=["data only", "coordinating only"])
def test_a_node_without_a_vote_joins_and_leaves(cluster: Cluster, tmp_path: Path, roles: list[str]) -> None:
    own = tmp_path / "hosts.yml"
    own.write_text(yaml.safe_dump({"all": {"hosts": {"cl-4": {"elasticsearch_node_roles": roles}}}}))
    watch = cluster.watch()
    cluster.play_with_fourth("site.yml", "-i", str(own), *TAGS)
    (told,) = cluster.elastic.nodes.info(node_id="cl-4")["nodes"].values()
    assert set(told["roles"]) == set(roles)

    def holds_shards() -> bool:
        shards = cluster.elastic.cat.shards(format="json", h="node,state")
        return any(each["node"] == "cl-4" and each["state"] == "STARTED" for each in shards)

    if roles:
        wait_until(holds_shards, "the new node has shards", 120)
    assert holds_shards() == bool(roles)
    assert cluster.play_with_fourth("site.yml", "-i", str(own), *TAGS).changed == 0
    cluster.play_with_fourth("playbooks/remove_node.yml", "-i", str(own), "-e", "node=cl-4", "-e", "uninstall_data=yes")
    watch.end()
    assert watch.starts() == {}
