# SPDX-License-Identifier: Apache-2.0
"""When an Elasticsearch cluster can do without a node, and what is said if it cannot."""

from __future__ import annotations

from typing import Any

import elasticsearch_cluster
import pytest
from elasticsearch_cluster import (
    ALLOCATION,
    EXCLUDED,
    Hopeless,
    complete,
    dispensable,
    drained,
    founded,
    left,
    readable,
    spared,
)

GREEN = {"status": "green", "unassigned_shards": 0, "initializing_shards": 0, "relocating_shards": 0}
YELLOW = {**GREEN, "status": "yellow", "unassigned_shards": 2}


class Cluster:
    """Answers for the nodes given, with their roles; `asked` is what it was told to change."""

    def __init__(self, nodes: dict[str, str], health: dict[str, Any] = GREEN) -> None:
        self.nodes, self.health = nodes, health
        self.settings: dict[str, Any] = {}
        self.indices: dict[str, Any] = {}
        self.shards: list[dict[str, str]] = []
        self.versions: dict[str, str] = {}
        self.explained: dict[str, Any] = {}
        self.asked: list[str] = []

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if method != "GET":
            self.asked.append(f"{method} {path}")
            self.settings |= (body or {}).get("persistent", {})
            return {}
        if path.startswith("/_cat/nodes"):
            versions = [self.versions.get(name, "8.19.13") for name in self.nodes]
            return [
                {"name": name, "node.role": roles, "version": version}
                for (name, roles), version in zip(self.nodes.items(), versions, strict=True)
            ]
        if path.startswith("/_cat/shards"):
            return self.shards
        if path.startswith("/_cluster/allocation/explain"):
            return self.explained[body["index"]]
        if path.startswith("/_cluster/settings"):
            return {"persistent": self.settings}
        return self.health if path.startswith("/_cluster/health") else self.indices


THREE = dict.fromkeys(("a", "b", "c"), "dim")


def params(**more: Any) -> dict[str, Any]:
    return {"node": "c", "nodes": [], "disposable": [], "wait_seconds": 0, **more}


def test_a_node_is_spared_when_all_copies_are_there() -> None:
    cluster: Any = Cluster(THREE)
    assert spared(cluster, params(), check=False)[1] == []
    assert cluster.settings == {ALLOCATION: "primaries"}


def test_a_node_is_not_spared_while_copies_are_missing() -> None:
    cluster: Any = Cluster(THREE, YELLOW)
    changes, found = spared(cluster, params(), check=False)
    assert (changes, cluster.settings) == ([], {})
    assert found == ["the cluster is yellow: 2 shards are without a node, 0 are being built, 0 are moving"]


@pytest.mark.parametrize("nodes", [{"a": "dim", "b": "dim"}, {"c": "dim"}])
def test_copies_that_are_missing_because_the_node_is_away_or_alone_are_no_hindrance(nodes: dict[str, str]) -> None:
    assert spared(Cluster(nodes, YELLOW), params(), check=True) == ([], [])  # type: ignore[arg-type]


def refused_by(*deciders: str) -> dict[str, Any]:
    """Return why each of two nodes takes no copy, as Elasticsearch explains it."""
    nodes = [{"deciders": [{"decider": name, "decision": "NO"}]} for name in deciders]
    return {"can_allocate": "no", "node_allocation_decisions": nodes}


@pytest.fixture
def mixed() -> Any:
    """Node a is newer than the others, and has a shard whose copy no older node takes."""
    cluster = Cluster(THREE, YELLOW)
    cluster.versions = {"b": "8.9.2", "c": "8.9.2"}
    cluster.shards = [
        {"index": "logins", "shard": "0", "prirep": "p", "state": "STARTED"},
        {"index": "logins", "shard": "0", "prirep": "r", "state": "UNASSIGNED"},
    ]
    cluster.explained = {"logins": refused_by("same_shard", "node_version", "node_version")}
    return cluster


def test_copies_that_wait_for_newer_nodes_are_no_hindrance(mixed: Any) -> None:
    assert complete(mixed, params(nodes=["a", "b", "c"]), check=False) == ([], [])
    assert spared(mixed, params(), check=True) == ([], [])


def test_a_newer_node_that_may_hold_the_only_copy_is_not_spared(mixed: Any) -> None:
    assert spared(mixed, params(node="a"), check=True)[1] != []


def test_copies_that_are_missing_for_another_reason_are_a_hindrance(mixed: Any) -> None:
    mixed.explained = {"logins": refused_by("same_shard", "node_version", "disk_threshold")}
    assert spared(mixed, params(), check=True)[1] != []
    mixed.explained = {"logins": {"can_allocate": "yes", "node_allocation_decisions": [{"node_decision": "yes"}]}}
    assert spared(mixed, params(), check=True)[1] != []


def test_copies_whose_place_is_not_decided_yet_are_waited_for(mixed: Any) -> None:
    mixed.explained = {"logins": {"can_allocate": "awaiting_info"}}
    assert complete(mixed, params(nodes=["a", "b", "c"]), check=False)[1] != []


def test_copies_that_are_being_built_are_waited_for(mixed: Any) -> None:
    mixed.health = {**YELLOW, "initializing_shards": 1}
    assert spared(mixed, params(), check=True)[1] != []


def test_nodes_that_are_away_are_named_and_the_others_make_copies_again() -> None:
    cluster: Any = Cluster({"a": "dim"})
    cluster.settings = {ALLOCATION: "primaries"}
    assert founded(cluster, params(nodes=["a", "b"]), check=False)[1] == ["node b is away"]
    assert cluster.settings == {ALLOCATION: None}


def index(replicas: int, expand: str = "false") -> dict[str, Any]:
    return {"settings": {"index.number_of_replicas": str(replicas), "index.auto_expand_replicas": expand}}


def test_the_copies_need_as_many_data_nodes() -> None:
    cluster: Any = Cluster({"a": "dim", "b": "m", "c": "dim"})
    cluster.indices = {"own": index(0), ".security": index(1, "0-1")}
    assert dispensable(cluster, params(), check=False) == ([], [])
    cluster.indices["logins"] = index(1)
    with pytest.raises(Hopeless, match="index logins need 2 data nodes, and only 1 would be left"):
        dispensable(cluster, params(), check=False)


def test_the_last_master_stays() -> None:
    with pytest.raises(Hopeless, match="c is the only master-eligible node"):
        dispensable(Cluster({"a": "d", "b": "d", "c": "m"}), params(), check=False)  # type: ignore[arg-type]


def test_a_node_gives_up_its_vote_when_its_shards_are_gone() -> None:
    cluster: Any = Cluster(THREE)
    cluster.shards = [{"index": "logins", "shard": "0", "node": "c -> 10.0.0.1 id a"}]
    assert drained(cluster, params(), check=False)[1] == ["c still has 1 shards, such as logins/0"]
    assert cluster.asked == ["PUT /_cluster/settings"]
    cluster.shards = [{"index": "logins", "shard": "0", "node": "a"}]
    assert drained(cluster, params(), check=False)[1] == []
    assert cluster.asked[-1].startswith("POST /_cluster/voting_config_exclusions?node_names=c")
    assert cluster.settings == {EXCLUDED: "c"}


def test_a_node_that_has_left_is_forgotten_and_others_that_leave_are_not() -> None:
    cluster: Any = Cluster({"a": "dim", "b": "dim"})
    cluster.settings = {EXCLUDED: "b,c"}
    left(cluster, params(), check=False)
    assert cluster.settings == {EXCLUDED: "b"}
    left(cluster, params(node="b"), check=False)
    assert cluster.settings == {EXCLUDED: "b"}  # It is still there.


def red(*names: str, starting: int = 0) -> dict[str, Any]:
    indices = {name: {"status": "red"} for name in names} | {"other": {"status": "yellow"}}
    return {**YELLOW, "status": "red", "initializing_shards": starting, "indices": indices}


OURS = ["login-events-*", "login-pipeline-*"]


@pytest.mark.parametrize("state", [readable, spared, complete, dispensable])
@pytest.mark.parametrize("name", ["login-events-2026.01", "somebody", ".kibana_1"])
def test_a_red_index_is_named_at_once_with_what_to_do(state: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticsearch_cluster, "RED_S", 0.02)
    monkeypatch.setattr(elasticsearch_cluster, "WAIT_STEP_S", 0.01)
    cluster: Any = Cluster(THREE, red(name))
    with pytest.raises(Hopeless, match=rf"these indices are red.*: {name}\. Bring the node.*restore\.yml"):
        state(cluster, params(wait_seconds=900), False)


def test_red_indices_that_a_restore_replaces_are_no_obstacle() -> None:
    cluster: Any = Cluster(THREE, red("login-events-2026.01", "login-pipeline-2026.01"))
    assert readable(cluster, params(disposable=OURS), check=False) == ([], [])
    cluster.health["indices"]["other"] = {"status": "green"}
    assert spared(cluster, params(disposable=OURS), check=True) == ([], [])
    cluster.health = red("login-events-2026.01", "somebody")
    (told,) = readable(cluster, params(disposable=OURS), check=False)[1]
    assert "somebody" in told and "login-events" not in told


@pytest.mark.parametrize(("nodes", "starting"), [(["a", "b", "c"], 1), (["a", "d"], 0)])
def test_shards_that_are_being_started_or_whose_node_is_away_are_waited_for(
    nodes: list[str], starting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elasticsearch_cluster, "RED_S", 0)
    cluster: Any = Cluster(THREE, red("login-events-2026.01", starting=starting))
    found = readable(cluster, params(nodes=nodes), check=False)[1]
    assert found[0] == "indices are red: login-events-2026.01"


def test_without_a_red_index_nothing_is_waited_for() -> None:
    assert readable(Cluster(THREE, YELLOW), params(wait_seconds=900), check=False) == ([], [])  # type: ignore[arg-type]
