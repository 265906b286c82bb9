# SPDX-License-Identifier: Apache-2.0
"""What other hosts of the inventory have set: host_values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

_UNSET = object()


def host_values(
    hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], name: str, default: Any = _UNSET
) -> dict[str, Any]:
    """Return the value of a variable by host; a host without it has the default, or is left out if there is none.

    A host's variables hold no defaults of roles that run on other hosts, so that the caller has to give the default.
    """
    found = {host: hostvars[host].get(name, default) for host in hosts}
    return {host: value for host, value in found.items() if value is not _UNSET}


class FilterModule:
    """Ansible looks for a class of this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_values": host_values}
