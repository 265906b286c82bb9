# SPDX-License-Identifier: Apache-2.0
"""The way to a server, step by step, so that a fault is told by its cause: name, port, TLS."""

import socket
import ssl
from pathlib import Path

from login_common import disks

_TIMEOUT_S = 5.0
_HOSTNAME_MISMATCH = 62  # X509_V_ERR_HOSTNAME_MISMATCH of OpenSSL
_ADDRESS_MISMATCH = 64  # X509_V_ERR_IP_ADDRESS_MISMATCH


class NetworkFault(Exception):
    """A step fails. The text says why and what to look at, not which server it is about."""


def host_and_port(server: str) -> tuple[str, int]:
    """Return the parts of "host:port"; an IPv6 address stands in brackets there and without them here."""
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def resolve(host: str, port: int) -> None:
    """Raise NetworkFault unless the name has an address."""
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NetworkFault(_cause(error, host)) from None


def connect(host: str, port: int) -> socket.socket:
    """Return an open connection. Raises NetworkFault, at the latest after 5 s for each address."""
    try:
        return socket.create_connection((host, port), timeout=_TIMEOUT_S)
    except OSError as error:
        raise NetworkFault(_cause(error, host)) from None


def handshake(host: str, port: int, ca_file: Path) -> None:
    """Raise NetworkFault unless the server has a certificate for `host` that the CA file vouches for."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # includes SSLError
        raise NetworkFault(f"CA file {ca_file} cannot be used: {error}") from None
    with connect(host, port) as plain:
        try:
            context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in (_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH):
                raise NetworkFault(f"TLS: the certificate is for another host name ({error.verify_message})") from None
            raise NetworkFault(f"TLS: the certificate is not trusted by {ca_file} ({error.verify_message})") from None
        except ssl.SSLError as error:
            raise NetworkFault(f"TLS: no handshake, is this the TLS listener? ({error.reason})") from None
        except OSError as error:
            raise NetworkFault(_cause(error, host)) from None


def _cause(error: OSError, host: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name cannot be resolved ({error.strerror}): check DNS or /etc/hosts"
    if isinstance(error, ConnectionRefusedError):
        where = disks.advice(host) or "see 'make status', which names a full disk as well"
        return f"connection refused: the service is not running there, or listens on another port; {where}"
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:.0f} s: host down, or a firewall in between"
    return error.strerror or str(error)
