# SPDX-License-Identifier: Apache-2.0
"""Finding out why Kafka cannot be reached, on real sockets of this machine."""

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from kafka.errors import SaslAuthenticationFailedError
from login_common.settings import KafkaSettings
from login_producer.connection import Connection, UnreachableError
from login_producer.settings import DeliverySettings


@contextmanager
def listener(context: ssl.SSLContext | None) -> Iterator[int]:
    """Accept connections on a free port of 127.0.0.1, with TLS or answering in plain text."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:  # closed at the end of the test
                    return
                with client:
                    try:
                        if context:
                            context.wrap_socket(client, server_side=True).close()
                        else:
                            client.sendall(b"no TLS here\n")
                    except OSError:  # the other side refused the certificate, as it should
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def cause(ca_file: Path, server: str) -> str:
    kafka = KafkaSettings(bootstrap_servers=[server], username="u", password="p", ca_file=ca_file)  # type: ignore[arg-type]
    with pytest.raises(UnreachableError) as caught:
        Connection(kafka, DeliverySettings()).open()
    return str(caught.value)


@pytest.fixture
def ca(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return authority


def server_context(issuer: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer.issue_cert(name).configure_cert(context)
    return context


def test_connection_refused(ca: trustme.CA, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "connection refused" in cause(tmp_path / "ca.pem", f"127.0.0.1:{port}")


def test_unknown_name(ca: trustme.CA, tmp_path: Path) -> None:
    assert "kafka.invalid:9093: the name cannot be resolved" in cause(tmp_path / "ca.pem", "kafka.invalid:9093")


def test_other_ca(ca: trustme.CA, tmp_path: Path) -> None:
    with listener(server_context(trustme.CA(), "127.0.0.1")) as port:
        assert "not trusted by" in cause(tmp_path / "ca.pem", f"127.0.0.1:{port}")


def test_other_host_name(ca: trustme.CA, tmp_path: Path) -> None:
    with listener(server_context(ca, "kafka1.example.org")) as port:
        assert "for another host name" in cause(tmp_path / "ca.pem", f"127.0.0.1:{port}")


def test_plain_text_listener(ca: trustme.CA, tmp_path: Path) -> None:
    with listener(None) as port:
        assert "is this the TLS listener?" in cause(tmp_path / "ca.pem", f"127.0.0.1:{port}")


def test_ca_file_without_certificate(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    assert "cannot be used" in cause(tmp_path / "ca.pem", "127.0.0.1:1")


def test_every_server_is_named(ca: trustme.CA, tmp_path: Path) -> None:
    kafka = KafkaSettings(
        bootstrap_servers=["one.invalid:1", "two.invalid:2"],
        username="u",
        password="p",  # type: ignore[arg-type]
        ca_file=tmp_path / "ca.pem",
    )
    with pytest.raises(UnreachableError, match=r"one\.invalid:1: .*; two\.invalid:2: "):
        Connection(kafka, DeliverySettings()).open()


def test_a_client_is_outdated_by_another_password_in_the_file_or_by_a_refusal(ca: trustme.CA, tmp_path: Path) -> None:
    password = tmp_path / "password"
    kafka = KafkaSettings(
        bootstrap_servers=["kafka.invalid:9093"], username="u", password_file=password, ca_file=tmp_path / "ca.pem"
    )
    connection = Connection(kafka, DeliverySettings())

    def opened_with(text: str) -> Connection:
        password.write_text(text)
        with pytest.raises(UnreachableError):
            connection.open()
        return connection

    assert opened_with("one").outdated() is None
    password.write_text("two")
    assert connection.outdated() == "the password was changed"
    password.unlink()
    assert connection.outdated() is None

    logging.getLogger("kafka.net").error("Connection failed: %s", SaslAuthenticationFailedError("as kafka-python does"))
    refused = "authentication refused: wrong user 'u' or wrong password"
    assert opened_with("one").outdated() == refused
    assert opened_with("two").outdated() is None
