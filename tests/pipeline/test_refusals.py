# SPDX-License-Identifier: Apache-2.0
"""Every port refuses whoever has no credentials or wrong ones, and each account can do its own job only."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest
import trustme
from deployment import Deployment, Tunnel, elasticsearch_client
from elasticsearch import AuthenticationException, AuthorizationException, Elasticsearch
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import NewTopic

PORTS = ("kafka_port", "broker_port", "controller_port", "elasticsearch_port", "transport_port")
MUTUAL_TLS = ("broker_port", "controller_port", "transport_port")
# Kafka's ApiVersions, the request that a client begins with: length, key 18, version 0, correlation 1, no client id
API_VERSIONS = bytes.fromhex("0000000a 0012 0000 00000001 ffff")
TLS_ALERT = b"\x15"
SECONDS = 15

Options = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    """A CA that the pipeline does not know."""
    return trustme.CA()


@pytest.fixture
def connect(deployment: Deployment, tunnel: Tunnel) -> Callable[[str], socket.socket]:
    """Return a function from a port's name to a connection."""
    return lambda name: socket.create_connection(("127.0.0.1", tunnel[getattr(deployment, name)]), timeout=SECONDS)


def handshake(plain: socket.socket, context: ssl.SSLContext, name: str) -> bytes:
    """Shake hands and read what comes first: with TLS 1.3 a refused certificate shows only here."""
    with context.wrap_socket(plain, server_hostname=name) as secure:
        secure.sendall(API_VERSIONS)
        return secure.recv(1)


@pytest.mark.parametrize("port", PORTS)
def test_plain_text_is_refused(port: str, connect: Callable[[str], socket.socket]) -> None:
    with connect(port) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n" if port == "elasticsearch_port" else API_VERSIONS)
        try:
            answer = plain.recv(1)
        except ConnectionResetError:
            answer = b""
    assert answer in (b"", TLS_ALERT)


@pytest.mark.parametrize("port", PORTS)
def test_a_client_that_trusts_another_ca_finds_out(
    port: str, connect: Callable[[str], socket.socket], stranger: trustme.CA, deployment: Deployment
) -> None:
    context = ssl.create_default_context()
    stranger.configure_trust(context)
    with connect(port) as plain, pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        handshake(plain, context, deployment.pipeline_address)


@pytest.mark.parametrize("port", PORTS)
def test_a_client_that_looks_for_another_name_finds_out(
    port: str, connect: Callable[[str], socket.socket], deployment: Deployment
) -> None:
    context = ssl.create_default_context(cafile=deployment.ca_file)
    with connect(port) as plain, pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(plain, context, "another.example.org")


@pytest.mark.parametrize("certificate", ["none", "of a strange CA"])
@pytest.mark.parametrize("port", MUTUAL_TLS)
def test_a_client_without_our_certificate_is_refused(
    port: str, certificate: str, connect: Callable[[str], socket.socket], stranger: trustme.CA, deployment: Deployment
) -> None:
    context = ssl.create_default_context(cafile=deployment.ca_file)
    if certificate != "none":
        stranger.issue_cert("login.example.org", organization_unit_name="kafka-broker").configure_cert(context)
    with connect(port) as plain, pytest.raises((ssl.SSLError, ConnectionResetError)) as refused:
        handshake(plain, context, deployment.pipeline_address)
    # Our side of the handshake was fine: it is the server that did not want us.
    assert not isinstance(refused.value, ssl.SSLCertVerificationError)
    assert isinstance(refused.value, ConnectionResetError) or "ALERT" in str(refused.value).upper()


@pytest.mark.parametrize(
    "wrong",
    [
        {"sasl_plain_password": "wrong"},
        {"sasl_plain_username": "nobody"},
        {"sasl_plain_username": "kafka-broker"},
        {"sasl_mechanism": "PLAIN"},
        {"security_protocol": "SSL"},
        {"security_protocol": "SASL_PLAINTEXT"},
    ],
    ids=lambda wrong: "-".join(*wrong.items()),
)
def test_kafka_refuses_wrong_credentials(wrong: dict[str, str], kafka: Options) -> None:
    good = {**kafka("consumer"), "group_id": None, "bootstrap_timeout_ms": 4_000}
    KafkaConsumer(**good).close()
    with pytest.raises(errors.KafkaError):
        KafkaConsumer(**good | wrong)


def read_topic(options: dict[str, Any], topic: str) -> None:
    consumer = KafkaConsumer(**options, group_id=None, auto_offset_reset="earliest")
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.poll(timeout_ms=SECONDS * 1000)
    finally:
        consumer.close()


def join_group(options: dict[str, Any], topic: str) -> None:
    consumer = KafkaConsumer(**options, group_id="another-group")
    try:
        consumer.committed(TopicPartition(topic, 0))
    finally:
        consumer.close()


def write_topic(options: dict[str, Any], topic: str) -> None:
    producer = KafkaProducer(**options, enable_idempotence=False)
    try:
        producer.send(topic, b"refuse me").get(timeout=SECONDS)
    finally:
        producer.close()


def create_topic(options: dict[str, Any], topic: str) -> None:
    admin = KafkaAdminClient(**options)
    try:
        admin.create_topics([NewTopic(f"{topic}-of-a-stranger", 1, 1)])
    finally:
        admin.close()


@pytest.mark.parametrize(
    ("user", "act"),
    [
        ("producer", read_topic),
        ("producer", join_group),
        ("producer", create_topic),
        ("consumer", write_topic),
        ("consumer", join_group),
        ("consumer", create_topic),
        ("replay", read_topic),
        ("replay", join_group),
        ("replay", create_topic),
    ],
)
def test_kafka_accounts_do_only_their_job(
    user: str, act: Callable[..., None], kafka: Options, deployment: Deployment
) -> None:
    with pytest.raises(errors.AuthorizationError):
        act(kafka(user), deployment.topic)


@pytest.mark.usefixtures("long")
def test_a_foreign_sender_may_write_and_loses_its_account_when_it_is_taken_out(
    kafka: Options, deployment: Deployment
) -> None:
    run = deployment.deploy("--tags", "kafka", "--extra-vars", json.dumps({"pipeline_kafka_clients": ["shop"]}))
    assert run.returncode == 0, run.output
    sender = kafka("client-shop")
    write_topic(sender, deployment.topic)  # a dead letter more
    with pytest.raises(errors.AuthorizationError):
        read_topic(sender, deployment.topic)
    run = deployment.deploy("--tags", "kafka")
    assert (run.returncode, run.changed) == (0, 1), run.output
    with pytest.raises(errors.KafkaError):
        write_topic(sender | {"bootstrap_timeout_ms": 4_000}, deployment.topic)


@pytest.mark.parametrize(
    "login",
    [
        {},
        {"basic_auth": ("elastic", "wrong")},
        {"basic_auth": ("elastic", "changeme")},
        {"basic_auth": ("nobody", "wrong")},
        {"api_key": base64.b64encode(b"AAAAAAAAAAAAAAAAAAAA:wrong").decode()},
    ],
    ids=str,
)
def test_elasticsearch_refuses_wrong_credentials(login: dict[str, Any], deployment: Deployment, tunnel: Tunnel) -> None:
    with elasticsearch_client(deployment, tunnel, **login) as client, pytest.raises(AuthenticationException):
        client.info()


@pytest.fixture(scope="module")
def as_consumer(deployment: Deployment, tunnel: Tunnel) -> Elasticsearch:
    return elasticsearch_client(deployment, tunnel, api_key=deployment.secrets["consumer_api_key"])


def test_the_consumers_key_reads_its_indices(as_consumer: Elasticsearch) -> None:
    assert as_consumer.count(index="login-events-*")["count"] > 0


FAMILIES = {"events": "events", "letters": "dead-letters", "windows": "metrics", "accounts": "pipeline"}


def check_forbidden(client: Elasticsearch, method: str, path: str, body: Any) -> None:
    """The request is refused for want of rights; {events} and the like in its path are indices that are there."""
    headers = {"accept": "application/json", "content-type": "application/json"}
    there = {
        name: max(client.indices.get(index=f"login-{FAMILIES[name]}-*").body)
        for name in FAMILIES
        if f"{{{name}}}" in path
    }
    with pytest.raises(AuthorizationException):
        client.perform_request(method, path.format(**there), headers=headers, body=body)


@pytest.fixture(scope="module", params=["analyst", "dashboard-admin"])
def as_reader(request: pytest.FixtureRequest, deployment: Deployment, tunnel: Tunnel) -> Elasticsearch:
    """Each of the users who look at the data."""
    password = deployment.secrets[f"{request.param.replace('-', '_')}_password"]
    return elasticsearch_client(deployment, tunnel, basic_auth=(request.param, password))


def test_readers_read_the_pipelines_indices(as_reader: Elasticsearch) -> None:
    for family in ("events", "metrics", "dead-letters", "pipeline"):
        assert as_reader.count(index=f"login-{family}-*")["_shards"]["failed"] == 0
    assert as_reader.count(index="login-events-*")["count"] > 0
    assert as_reader.count(index="*")["count"] > 0  # what they may see of all indices


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/.security/_search", None),
        ("GET", "/other/_search", None),
        ("PUT", "/{events}/_doc/1", {"a": 1}),
        ("DELETE", "/login-events-1970.01", None),
        ("DELETE", "/{events}/_doc/no-such-event", None),
        ("POST", "/{events}/_refresh", None),
        ("PUT", "/_index_template/login-events", {"index_patterns": ["login-events-*"]}),
        ("PUT", "/_security/user/stranger", {"password": "long enough", "roles": ["superuser"]}),
        ("POST", "/_security/api_key", {"name": "stranger"}),
        ("GET", "/_nodes", None),
        ("GET", "/_cluster/settings", None),
    ],
)
def test_readers_only_read(method: str, path: str, body: Any, as_reader: Elasticsearch) -> None:
    check_forbidden(as_reader, method, path, body)


# Harmless even where it is allowed: what is named is not there. {events} is an index that is there.
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/other/_search", None),
        ("GET", "/.security/_search", None),
        ("PUT", "/other/_doc/1", {"a": 1}),
        ("DELETE", "/login-events-1970.01", None),
        ("DELETE", "/{events}/_doc/no-such-event", None),
        ("PUT", "/{events}/_doc/no-such-event", {"a": 1}),  # the mapping would refuse it
        ("POST", "/{events}/_update/no-such-event", {"doc": {"a": 1}}),
        ("POST", "/login-events-1970.01/_delete_by_query", {"query": {"match_all": {}}}),
        ("PUT", "/{letters}/_doc/no-such-letter", {"a": 1}),
        ("POST", "/{letters}/_update/no-such-letter", {"doc": {"replay": None}}),
        ("DELETE", "/{letters}/_doc/no-such-letter", None),
        ("POST", "/{accounts}/_update/no-such-account", {"doc": {"read": 1}}),
        ("DELETE", "/{accounts}/_doc/no-such-account", None),
        # fields that are there already, so that nothing would change
        ("PUT", "/{events}/_mapping", {"properties": {"@timestamp": {"type": "date"}}}),
        ("PUT", "/{letters}/_mapping", {"properties": {"@timestamp": {"type": "date"}}}),
        ("PUT", "/{windows}/_mapping", {"properties": {"window_start": {"type": "date"}}}),
        ("PUT", "/{accounts}/_mapping", {"properties": {"@timestamp": {"type": "date"}}}),
        # an index that is there already: who may make one with mappings of his own is told 400
        ("PUT", "/{events}", None),
        ("PUT", "/{windows}", None),
        ("PUT", "/login-events-1970.01/_settings", {"index.number_of_replicas": 0}),
        ("PUT", "/_index_template/login-events", {"index_patterns": ["login-events-*"]}),
        ("PUT", "/_security/user/stranger", {"password": "long enough", "roles": ["superuser"]}),
        ("POST", "/_security/api_key", {"name": "stranger"}),
        ("PUT", "/_cluster/settings", {"persistent": {"action.destructive_requires_name": False}}),
        ("GET", "/_nodes", None),
    ],
)
def test_the_consumers_key_does_only_its_job(method: str, path: str, body: Any, as_consumer: Elasticsearch) -> None:
    check_forbidden(as_consumer, method, path, body)


@pytest.fixture(scope="module")
def as_retention(deployment: Deployment, tunnel: Tunnel) -> Elasticsearch:
    return elasticsearch_client(deployment, tunnel, api_key=deployment.secrets["retention_api_key"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/other", None),
        ("DELETE", "/login-check-1970.01", None),
        ("PUT", "/{events}/_doc/1", {"a": 1}),
        ("DELETE", "/{events}/_doc/no-such-event", None),
        ("POST", "/login-events-1970.01/_delete_by_query", {"query": {"match_all": {}}}),
        ("PUT", "/login-events-1970.01", None),
        ("GET", "/.security/_search", None),
        ("POST", "/_security/api_key", {"name": "stranger"}),
        ("PUT", "/_cluster/settings", {"persistent": {"action.destructive_requires_name": False}}),
    ],
)
def test_the_retentions_key_does_only_its_job(method: str, path: str, body: Any, as_retention: Elasticsearch) -> None:
    check_forbidden(as_retention, method, path, body)


@pytest.fixture(scope="module")
def as_replay(deployment: Deployment, tunnel: Tunnel) -> Elasticsearch:
    return elasticsearch_client(deployment, tunnel, api_key=deployment.secrets["replay_api_key"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/{letters}/_doc/no-such-letter", {"a": 1}),
        ("PUT", "/{letters}/_create/no-such-letter", {"a": 1}),
        ("DELETE", "/{letters}/_doc/no-such-letter", None),
        ("PUT", "/{letters}/_mapping", {"properties": {"@timestamp": {"type": "date"}}}),
        ("GET", "/login-events-1970.01/_search", None),
        ("POST", "/login-metrics-1970.01/_update/no-such-window", {"doc": {"count": 1}}),
        ("PUT", "/login-dead-letters-1970.01", None),
        ("POST", "/_security/api_key", {"name": "stranger"}),
    ],
)
def test_the_key_of_replays_does_only_its_job(method: str, path: str, body: Any, as_replay: Elasticsearch) -> None:
    check_forbidden(as_replay, method, path, body)
