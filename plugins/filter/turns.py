# SPDX-License-Identifier: Apache-2.0
"""In which order hosts restart a service, or join its cluster: restart_turns, restart_batches, without_vote."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

HostVars = Mapping[str, Mapping[str, Any]]


def restart_turns(hosts: list[str], hostvars: HostVars, service: str, in_play: list[str], last: list[str]) -> list[str]:
    """Return the nodes of a cluster that need a restart while they are in use, in the order of their turns.

    A restart is due where an earlier run has left the file that says so (`__SERVICE_due`), or where this run has
    changed something (`__SERVICE_state`). Those of `last` come after all others. A node alone has no other that could
    take over: it has no turn.
    """
    if len(hosts) < 2:
        return []
    due = [
        host
        for host in hosts
        if host in in_play
        and service in hostvars[host]["__pipeline_host"]["active"]
        and (hostvars[host][f"__{service}_due"]["stat"]["exists"] or _changed(hostvars[host], service))
    ]
    return sorted(due, key=lambda host: host in last)


def restart_batches(hosts: list[str], hostvars: HostVars, service: str) -> list[list[str]]:
    """Return the hosts in batches: all that do not interrupt anybody at once, then one after the other."""
    busy = [
        host
        for host in hosts
        if service in hostvars[host]["__pipeline_host"]["active"] and _changed(hostvars[host], service)
    ]
    free = [host for host in hosts if host not in busy]
    return ([free] if free else []) + [[host] for host in busy]


def without_vote(controllers: list[str], hostvars: HostVars, in_play: list[str], voters: Iterable[str]) -> list[str]:
    """Return the controllers whose data directory, by the id in its meta.properties, is none of the voters."""
    voting = list(voters)
    return [host for host in controllers if host in in_play and _directory(hostvars[host]) not in voting]


def _changed(known: Mapping[str, Any], service: str) -> bool:
    return known.get(f"__{service}_state") == "restarted"


def _directory(known: Mapping[str, Any]) -> str | None:
    identity = base64.b64decode(known["__kafka_identity"]["content"]).decode()
    found = re.search(r"^directory\.id=(.+)$", identity, re.MULTILINE)
    return found[1] if found else None


class FilterModule:
    """Ansible looks for a class of this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"restart_turns": restart_turns, "restart_batches": restart_batches, "without_vote": without_vote}
