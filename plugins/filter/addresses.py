# SPDX-License-Identifier: Apache-2.0
"""Which names mean the host itself, by mistake: own_loopback."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


def own_loopback(
    known: Mapping[str, str], host: str, asking: list[str], facts: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return the hosts whose names mean the loopback of `host`, while they are other machines.

    `known` has the address of each name as `host` knows it, `facts` Ansible's facts of each host, as far as they are
    known. Of its own name those count to whom it says what the name means here (`asking`). Hosts with the same
    addresses share a network, where each name may be an address of the loopback.
    """
    own = sorted(facts[host]["all_ipv4_addresses"])
    found = []
    for name, address in known.items():
        if not re.match(r"127[.]|::1$", address):
            continue
        others = asking if name == host else [name]
        if any(sorted(facts[other].get("all_ipv4_addresses", own)) != own for other in others):
            found.append(name)
    return found


class FilterModule:
    """Ansible looks for a class of this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"own_loopback": own_loopback}
