# SPDX-License-Identifier: Apache-2.0
"""Which services a run needs and does not start itself: not_started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

ALL_TAGS = {"all", "tagged"}


def not_started(
    waiting: list[dict[str, Any]],
    services: Mapping[str, Mapping[str, Any]],
    host: dict[str, Any],
    groups: Mapping[str, list[str]],
    unused: list[str],
) -> dict[str, list[str]]:
    """Return the endpoints, by service, of what this run of a host needs and does not start itself.

    `waiting` says which role, on the hosts of which groups, asks which services in which phases; `services` has group,
    role and endpoints of each; `host` its group_names, the hosts that are in the play, and tags and skip_tags of the
    run. `unused` are the roles that have nothing to do by the settings.
    """
    tags, skipped = set(host["tags"]), set(host["skip_tags"])

    def runs(role: str, phases: list[str]) -> bool:
        wanted = bool(({role, *phases} | ALL_TAGS) & tags)
        return wanted and role not in skipped and not set(phases) <= skipped

    found = {}
    for each in waiting:
        if each["role"] in unused or not set(each["groups"]) & set(host["group_names"]):
            continue
        if not runs(each["role"], each["in"]):
            continue
        for name in each["for"]:
            service = services[name]
            hosts = groups.get(service["group"], [])
            starts = set(hosts) <= set(host["play_hosts"]) and runs(service["role"], ["run"])
            if hosts and not starts:
                found[name] = service["endpoints"]
    return found


class FilterModule:
    """Ansible looks for a class of this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"not_started": not_started}
