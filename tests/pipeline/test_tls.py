# SPDX-License-Identifier: Apache-2.0
"""Every TLS listener of the host takes TLS 1.3 and a good suite of 1.2, and no suite with CBC."""

from __future__ import annotations

import socket
import ssl

import pytest
from deployment import Deployment, Tunnel

CBC = (
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-ECDSA-AES128-SHA",
)
PORTS = ("kafka", "broker", "controller", "elasticsearch", "transport", "node metrics", "kafka metrics")
# Those that want no certificate of the client: with TLS 1.2 the others end the handshake without one.
OPEN = ("kafka", "elasticsearch", "node metrics", "kafka metrics")
SECONDS = 15


@pytest.fixture(params=PORTS)
def port(request: pytest.FixtureRequest, deployment: Deployment, tunnel: Tunnel) -> int:
    name, _, metrics = request.param.partition(" ")
    if not metrics:
        return tunnel[getattr(deployment, f"{name}_port")]
    if not deployment.metrics_ports:
        pytest.skip("no metrics here")
    return tunnel[deployment.metrics_ports[name]]


def client(deployment: Deployment, version: ssl.TLSVersion, suites: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=deployment.ca_file)
    context.minimum_version = context.maximum_version = version
    if suites:
        context.set_ciphers(suites)
    return context


def agreed(context: ssl.SSLContext, port: int, name: str) -> tuple[str, str]:
    """Return the suite and version that both agree on. Raises SSLError, ConnectionResetError."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        suite = secure.cipher()
        assert suite
        return suite[0], suite[1]


@pytest.mark.parametrize("suite", CBC)
def test_a_suite_with_cbc_is_refused(suite: str, port: int, deployment: Deployment) -> None:
    context = client(deployment, ssl.TLSVersion.TLSv1_2, f"{suite}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)) as refused:
        agreed(context, port, deployment.pipeline_address)
    # It is the server that does not want it; Java's own web server, of Kafka's metrics, says so by closing.
    closed = isinstance(refused.value, ConnectionResetError | ssl.SSLEOFError)
    assert closed or "ALERT" in str(refused.value).upper()


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"])
@pytest.mark.parametrize("port", OPEN, indirect=True)
def test_a_good_suite_of_tls_12_is_taken(suite: str, port: int, deployment: Deployment) -> None:
    context = client(deployment, ssl.TLSVersion.TLSv1_2, suite)
    assert agreed(context, port, deployment.pipeline_address)[0] == suite


def test_tls_13_is_taken(port: int, deployment: Deployment) -> None:
    context = client(deployment, ssl.TLSVersion.TLSv1_3)
    assert agreed(context, port, deployment.pipeline_address)[1] == "TLSv1.3"
