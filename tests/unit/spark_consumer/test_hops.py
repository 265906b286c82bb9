# SPDX-License-Identifier: Apache-2.0
"""The way to a cluster works as long as one of its nodes is there, and tells which are not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from login_consumer.hops import Hop, HopFailed, network_hops


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """One port that answers, and one that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as there, socket.socket() as away:
        away.bind(("127.0.0.1", 0))  # bound, so that no other takes it, but nobody listens
        yield there.getsockname()[1], away.getsockname()[1]


def port_hop(*ports: int) -> Hop:
    addresses = [("127.0.0.1", port) for port in ports]
    return next(hop for hop in network_hops("Kafka", addresses, Path("ca.pem"), "servers") if hop.name == "Kafka: port")


def test_one_node_of_several_is_away(ports: tuple[int, int]) -> None:
    there, away = ports
    told = port_hop(away, there).test()
    assert told.startswith(f"127.0.0.1:{there}; away is 127.0.0.1:{away}: ")


def test_all_nodes_are_away(ports: tuple[int, int]) -> None:
    with pytest.raises(HopFailed, match=rf"^127\.0\.0\.1:{ports[1]}: .*; check servers and ca_file$"):
        port_hop(ports[1]).test()
