#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: waits for an Elasticsearch cluster while a node is restarted or leaves for good.

A restart: `spared` before it, `complete` after it. A farewell: `dispensable` before anything is touched, `drained`, and
`left` when the node is stopped. `founded` waits for the nodes alone, `readable` until no index is red.
"""

from __future__ import annotations

import time
from fnmatch import fnmatchcase
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.service_api import OPTIONS, Cluster, Refused, outcome

DOCUMENTATION = r"""
module: elasticsearch_cluster
short_description: Wait for an Elasticsearch cluster while a node is restarted or leaves
options:
  url: {description: "The nodes' URLs, separated by commas.", type: str, required: true}
  ca_file: {description: CA certificates., type: path, required: true}
  username: {description: A user that may change the cluster's settings., type: str, default: elastic}
  password: {description: The user's password., type: str, required: true}
  state:
    description:
      - 'spared: wait until all shards have their copies, then let none be made elsewhere while C(node) is away.'
      - 'complete: wait for C(nodes), let copies be made again, and wait until all shards have theirs.'
      - 'founded: wait for C(nodes), and let copies be made.'
      - 'readable: wait until no index is red; refuse at once where nothing is done about one.'
      - 'dispensable: wait until all shards have their copies; refuse if the others cannot hold or elect them.'
      - 'drained: move the shards of C(node) away, then take its vote.'
      - 'left: wait until C(node) is away, then forget it.'
    type: str
    choices: [spared, complete, founded, readable, dispensable, drained, left]
    required: true
  node:
    description:
      - Name of the node that is about to be restarted or to leave.
      - For spared, what is not well because the node is away already is no hindrance, nor is a cluster that does not
        answer for a quarter of a minute.
    type: str
  nodes: {description: Names of the nodes that must be there., type: list, elements: str, default: []}
  disposable:
    description: Patterns of indices that may be red, as a restore replaces them.
    type: list
    elements: str
    default: []
  wait_seconds: {description: How long to wait., type: int, required: true}
"""

ALLOCATION = "cluster.routing.allocation.enable"
EXCLUDED = "cluster.routing.allocation.exclude._name"
WAIT_STEP_S = 1.0
SILENCE_S = 15
VOTE_S = 60
RED_S = 30


class Hopeless(Exception):
    """Waiting would not help; the text says why and what would."""


class Red:
    """The red indices, but for those that a restore replaces. Waiting is vain where no shard is being started."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._nodes, self._disposable = params["nodes"], params["disposable"]
        self._since: float | None = None
        self.rest = "green"

    def look(self, cluster: Cluster) -> list[str]:
        """Return what is wrong with red indices, nothing if there are none; `rest` is how the others are.

        Raises Hopeless.
        """
        health = cluster.call("GET", "/_cluster/health?level=indices")
        red = sorted(name for name, each in health.get("indices", {}).items() if each["status"] == "red")
        red = [name for name in red if not any(fnmatchcase(name, each) for each in self._disposable)]
        others = {each["status"] for each in health.get("indices", {}).values()} - {"red"}
        self.rest = "red" if red else "yellow" if "yellow" in others else "green"
        away = missing_nodes(cluster, self._nodes)
        if not red or health["initializing_shards"] or away:
            self._since = None
            return [f"indices are red: {', '.join(red)}", *away] if red else []
        self._since = self._since or time.monotonic()
        told = (
            f"these indices are red, and no shard of them is being started: {', '.join(red)}. Bring the node or the "
            "disk back that holds their shards; GET /_cluster/allocation/explain says what is missing. What is lost "
            "for good: restore the pipeline's own indices by playbooks/restore.yml, another index from its backup, or "
            "delete it"
        )
        if time.monotonic() - self._since >= RED_S:
            raise Hopeless(told)
        return [told]


def setting_change(cluster: Cluster, name: str, value: str | None) -> list[str]:
    """Set a lasting setting of the cluster; None is the default."""
    stored = setting(cluster, name)
    if stored == value:
        return []
    cluster.call("PUT", "/_cluster/settings", {"persistent": {name: value}})
    return [f"{name}: {stored} -> {value}"]


def setting(cluster: Cluster, name: str) -> str | None:
    return cluster.call("GET", "/_cluster/settings?flat_settings=true")["persistent"].get(name)


def excluded_but(cluster: Cluster, node: str) -> list[str]:
    """Return the other nodes from which shards are kept away."""
    return [name for name in (setting(cluster, EXCLUDED) or "").split(",") if name and name != node]


def roles_of(cluster: Cluster) -> dict[str, str]:
    """Return the nodes that are there, with the letters of their roles."""
    return {each["name"]: each["node.role"] for each in cluster.call("GET", "/_cat/nodes?format=json&h=name,node.role")}


def missing_nodes(cluster: Cluster, wanted: list[str]) -> list[str]:
    present = roles_of(cluster)
    return [f"node {name} is away" for name in wanted if name not in present]


def missing_copies(cluster: Cluster, red: Red, without: str | None = None) -> list[str]:
    """Return which copies of shards are missing or moving.

    While nodes differ in their versions, no copy goes from a newer one to an older one: those are not missing that only
    wait for other nodes to become newer, unless the node `without` may hold the only one.
    """
    health = cluster.call("GET", "/_cluster/health")
    status = health["status"]
    if status == "red":
        found = red.look(cluster)
        if found:
            return found
        status = red.rest
    settled = not health["initializing_shards"] and not health["relocating_shards"]
    if settled and (status == "green" or (status == "yellow" and waits_for_newer(cluster, without))):
        return []
    return [
        f"the cluster is {health['status']}: {health['unassigned_shards']} shards are without a node, "
        f"{health['initializing_shards']} are being built, {health['relocating_shards']} are moving"
    ]


def waits_for_newer(cluster: Cluster, without: str | None) -> bool:
    nodes = cluster.call("GET", "/_cat/nodes?format=json&h=name,version")
    versions = {
        each["name"]: [int(number) for number in each["version"].partition("-")[0].split(".")] for each in nodes
    }
    if min(versions.values()) == max(versions.values()) or versions.get(without) == max(versions.values()):
        return False
    shards = cluster.call("GET", "/_cat/shards?format=json&h=index,shard,prirep,state")
    for each in shards:
        if each["state"] == "UNASSIGNED":
            copy = {"index": each["index"], "shard": int(each["shard"]), "primary": each["prirep"] == "p"}
            told = cluster.call("GET", "/_cluster/allocation/explain", copy)
            if told.get("can_allocate") != "no":
                return False  # It is not decided yet: nodes are still asked which copies they have.
            refusals = [
                {decider["decider"] for decider in node.get("deciders", []) if decider["decision"] == "NO"}
                for node in told["node_allocation_decisions"]
            ]
            if not all(found & {"node_version", "same_shard"} for found in refusals):
                return False
    return True


def hindrances(cluster: Cluster, node: str, red: Red) -> list[str]:
    """Return why the others cannot do without the node yet."""
    present = roles_of(cluster)
    if node not in present or len(present) == 1:
        return []
    return missing_copies(cluster, red, without=node)


def wait(seconds: float, look: Any) -> list[str]:
    """Return what the last look found: nothing, or what is wrong after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except Refused as error:
            found = [str(error)]
        if not found or time.monotonic() >= end:
            return found
        time.sleep(WAIT_STEP_S)


def answers(cluster: Cluster) -> list[str]:
    cluster.call("GET", "/_cluster/health")
    return []


def spared(cluster: Cluster, params: dict[str, Any], check: bool) -> tuple[list[str], list[str]]:
    if wait(SILENCE_S, lambda: answers(cluster)):
        return [], []  # There is nothing that could be spared.
    red = Red(params)
    found = wait(params["wait_seconds"], lambda: hindrances(cluster, params["node"], red))
    return ([] if found or check else setting_change(cluster, ALLOCATION, "primaries")), found


def founded(cluster: Cluster, params: dict[str, Any], check: bool) -> tuple[list[str], list[str]]:
    found = wait(params["wait_seconds"], lambda: missing_nodes(cluster, params["nodes"]))
    # Also where nodes are missing: the others must not be left without copies.
    return ([] if check else setting_change(cluster, ALLOCATION, None)), found


def complete(cluster: Cluster, params: dict[str, Any], check: bool) -> tuple[list[str], list[str]]:
    end = time.monotonic() + params["wait_seconds"]
    changes, found = founded(cluster, params, check)
    red = Red(params)
    return changes, found or wait(end - time.monotonic(), lambda: missing_copies(cluster, red))


def readable(cluster: Cluster, params: dict[str, Any], check: bool) -> tuple[list[str], list[str]]:
    red = Red(params)
    return [], wait(params["wait_seconds"], lambda: red.look(cluster))


def dispensable(cluster: Cluster, params: dict[str, Any], check: bool) -> tuple[list[str], list[str]]:
    stay = {name: roles for name, roles in roles_of(cluster).items() if name != params["node"]}
    if not any("m" in roles for roles in stay.values()):
        raise Hopeless(f"{params['node']} is the only master-eligible node. Make another one master-eligible first")
    holders = sum("d" in roles for roles in stay.values())
    wanted = "index.number_of_replicas,index.auto_expand_replicas"
    told = cluster.call("GET", f"/_all/_settings/{wanted}?flat_settings=true&expand_wildcards=all")
    for index, each in sorted(told.items()):
        if each["settings"].get("index.auto_expand_replicas", "false") != "false":
            continue  # It adapts.
        needed = 1 + int(each["settings"]["index.number_of_replicas"])
        if needed > holders:
            lack = f"the copies of index {index} need {needed} data nodes, and only {holders} would be left"
            raise Hopeless(f"{lack}. Add a node, or lower its number_of_replicas, first")
    red = Red(params)
    return [], wait(params["wait_seconds"], lambda: missing_copies(cluster, red))


def drained(cluster: Cluster, params: dict[str, Any], check: bool) -> tuple[list[str], list[str]]:
    node = params["node"]
    if check:
        return [f"the shards of {node} move to other nodes"], []
    changes = setting_change(cluster, EXCLUDED, ",".join([*excluded_but(cluster, node), node]))
    found = wait(params["wait_seconds"], lambda: shards_on(cluster, node))
    if not found and "m" in roles_of(cluster).get(node, ""):
        cluster.call("POST", f"/_cluster/voting_config_exclusions?node_names={node}&timeout={VOTE_S}s")
        changes.append(f"{node} votes no more")
    return changes, found


def shards_on(cluster: Cluster, node: str) -> list[str]:
    # The name of a shard that moves is followed by where it goes.
    places = cluster.call("GET", "/_cat/shards?format=json&h=index,shard,node")
    left = [f"{each['index']}/{each['shard']}" for each in places if (each["node"] or "").split(" ")[0] == node]
    return [f"{node} still has {len(left)} shards, such as {left[0]}"] if left else []


def left(cluster: Cluster, params: dict[str, Any], check: bool) -> tuple[list[str], list[str]]:
    node = params["node"]
    found = wait(params["wait_seconds"], lambda: [f"{node} is still there"] if node in roles_of(cluster) else [])
    if found or check:
        return [], found
    changes = setting_change(cluster, EXCLUDED, ",".join(excluded_but(cluster, node)) or None)
    # All of them: those of nodes that left earlier are of no use either.
    cluster.call("DELETE", "/_cluster/voting_config_exclusions?wait_for_removal=false")
    return [*changes, f"{node} is forgotten"], []


STATES = {each.__name__: each for each in (spared, complete, founded, readable, dispensable, drained, left)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "state": {"type": "str", "choices": list(STATES), "required": True},
            "node": {"type": "str"},
            "nodes": {"type": "list", "elements": "str", "default": []},
            "disposable": {"type": "list", "elements": "str", "default": []},
            "wait_seconds": {"type": "int", "required": True},
        },
        required_if=[("state", state, ["node"]) for state in ("spared", "dispensable", "drained", "left")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        changes, found = STATES[params["state"]](Cluster(params), params, module.check_mode)
    except (Refused, Hopeless) as error:
        module.fail_json(msg=str(error))
    if found:
        module.fail_json(msg=f"after {params['wait_seconds']} s: {'; '.join(found)}")
    module.exit_json(**outcome(changes))


if __name__ == "__main__":
    main()
