# SPDX-License-Identifier: Apache-2.0
"""A way to a service, taken hop by hop, so that the first hop that fails names the fault."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from login_common.network import NetworkFault, connect, handshake, resolve


class HopFailed(Exception):
    """The hop does not work; the text says why and what helps."""


class Hop(NamedTuple):
    """One thing that must work. `test` returns a short note on what it saw, or raises HopFailed."""

    name: str
    test: Callable[[], str]


def network_hops(service: str, addresses: list[tuple[str, int]], ca_file: Path, setting: str) -> list[Hop]:
    """Return the hops name, port and TLS to `addresses` (host, port), whose setting is `setting`.

    Each fails if it does for all of them: a cluster goes on without one of its nodes.
    """

    def each(step: Callable[[str, int], object]) -> Callable[[], str]:
        def all_addresses() -> str:
            well, faults = [], []
            for host, port in addresses:
                try:
                    step(host, port)
                    well.append(f"{host}:{port}")
                except NetworkFault as fault:
                    faults.append(f"{host}:{port}: {fault}")
            if not well:
                raise HopFailed(f"{'; '.join(faults)}; check {setting} and ca_file")
            return ", ".join(well) + "".join(f"; away is {fault}" for fault in faults)

        return all_addresses

    return [
        Hop(f"{service}: name", each(resolve)),
        Hop(f"{service}: port", each(lambda host, port: connect(host, port).close())),
        Hop(f"{service}: TLS", each(lambda host, port: handshake(host, port, ca_file))),
    ]


def first_fault(hops: Iterable[Hop]) -> str:
    """Return the fault of the first hop that fails, nothing if all work."""
    for hop in hops:
        try:
            hop.test()
        except HopFailed as failed:
            return str(failed)
    return ""
