# SPDX-License-Identifier: Apache-2.0
"""A way to a service, taken hop by hop, so that the first hop that fails names the fault."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_TIMEOUT_S = 5.0


class HopFailed(Exception):
    """The hop does not work; the text says why and what helps."""


class Hop(NamedTuple):
    """One thing that must work. `test` returns a short note on what it saw, or raises HopFailed."""

    name: str
    test: Callable[[], str]


def network_hops(service: str, addresses: list[tuple[str, int]], ca_file: Path, setting: str) -> list[Hop]:
    """Return the hops name, port and TLS to all `addresses` (host, port); `setting` names their setting."""

    def each(test: Callable[[str, int], None]) -> Callable[[], str]:
        def all_addresses() -> str:
            for host, port in addresses:
                test(host, port)
            return ", ".join(f"{host}:{port}" for host, port in addresses)

        return all_addresses

    def name(host: str, port: int) -> None:
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise HopFailed(f"{host} does not resolve ({error.strerror}); check {setting} and DNS") from None

    def port(host: str, port: int) -> None:
        try:
            socket.create_connection((host, port), _TIMEOUT_S).close()
        except OSError as error:
            raise HopFailed(
                f"{host}:{port} takes no connection ({error}); is {service} running, is a firewall between?"
            ) from None

    def tls(host: str, port: int) -> None:
        try:
            context = ssl.create_default_context(cafile=str(ca_file))
        except OSError as error:
            raise HopFailed(f"the CA file {ca_file} cannot be used ({error}); check ca_file") from None
        try:
            with (
                socket.create_connection((host, port), _TIMEOUT_S) as plain,
                context.wrap_socket(plain, server_hostname=host),
            ):
                pass
        except ssl.SSLCertVerificationError as error:
            raise HopFailed(
                f"the certificate of {host}:{port} is not accepted ({error.verify_message}); "
                f"check ca_file, the names in the certificate and the clocks"
            ) from None
        except OSError as error:
            raise HopFailed(f"no TLS with {host}:{port} ({error}); is it the TLS port of {service}?") from None

    return [
        Hop(f"{service}: name", each(name)),
        Hop(f"{service}: port", each(port)),
        Hop(f"{service}: TLS", each(tls)),
    ]
