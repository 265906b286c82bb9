# SPDX-License-Identifier: Apache-2.0
"""The cipher suites of every TLS listener, as the templates have them; with services: tests/pipeline/test_tls.py."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
PIPELINE = yaml.safe_load((ROLES / "pipeline/vars/main.yml").read_text())
SUITES: dict[str, str] = PIPELINE["pipeline_tls_suites"]
OF_12 = [name for name in SUITES if "_WITH_" in name]
# Where a listener is given its certificate
GIVES_A_CERTIFICATE = re.compile(
    r"ssl\.keystore\.location|^\s*certificate: cert\.pem|server\.ssl\.certificate:|cert_file:|^\s*keyStore:|spark\.ssl",
    re.MULTILINE,
)
LISTENERS = {
    "kafka/templates/server.properties.j2": "ssl.cipher.suites=" + ",".join(SUITES),
    "elasticsearch/templates/elasticsearch.yml.j2": "cipher_suites: " + str(list(SUITES)),
    "kibana/templates/kibana.yml.j2": "server.ssl.cipherSuites: " + str(list(SUITES.values())),
    "metrics/templates/web.yml.j2": "cipher_suites: " + str(OF_12),
    # the agent of Kafka's metrics, by the unit
    "kafka/templates/kafka.service.j2": "-Djdk.tls.client.cipherSuites=" + ",".join(SUITES),
}


def lines(template: str) -> list[str]:
    """Return the lines of a template that name the suites, filled in."""
    found = [line for line in (ROLES / template).read_text().splitlines() if "pipeline_tls_suites" in line]
    environment = jinja2.Environment()  # noqa: S701  (no page of the web)
    environment.filters["to_json"] = str
    environment.tests["search"] = lambda text, pattern: re.search(pattern, text) is not None
    values: dict[str, Any] = {"pipeline_tls_suites": SUITES}
    return [environment.from_string(line).render(values).strip() for line in found]


@pytest.mark.parametrize("template", LISTENERS)
def test_a_listener_has_the_suites_of_all(template: str) -> None:
    assert any(line.startswith(LISTENERS[template]) for line in lines(template)), lines(template)


def test_elasticsearch_has_them_on_both_its_ports() -> None:
    template = "elasticsearch/templates/elasticsearch.yml.j2"
    assert lines(template) == [LISTENERS[template]] * 2


def test_there_is_no_other_listener_with_a_certificate() -> None:
    found = {
        str(path.relative_to(ROLES))
        for path in ROLES.glob("*/templates/**/*.j2")
        if GIVES_A_CERTIFICATE.search(path.read_text())
    }
    # what the unit says of the agent's listener, which this file configures
    assert found - {"kafka/templates/metrics.yml.j2"} == LISTENERS.keys() - {"kafka/templates/kafka.service.j2"}


def test_the_names_of_openssl_mean_the_same_suites() -> None:
    context = ssl.create_default_context()
    context.set_ciphers(":".join(SUITES[name] for name in OF_12))
    told = {each["name"]: each for each in context.get_ciphers()}
    assert set(SUITES.values()) <= told.keys()
    assert all(each["aead"] for name, each in told.items() if name in SUITES.values())
    # the number of a suite in TLS, by the registry of IANA
    numbers = {name: told[SUITES[name]]["id"] & 0xFFFF for name in SUITES}
    assert numbers == {
        "TLS_AES_128_GCM_SHA256": 0x1301,
        "TLS_AES_256_GCM_SHA384": 0x1302,
        "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": 0xC02B,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": 0xC02C,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": 0xCCA9,
    }


def test_the_suites_fit_the_keys() -> None:
    """Role pki makes keys for ECDSA."""
    key = next(
        task["community.crypto.openssl_privatekey"]
        for task in yaml.safe_load((ROLES / "pki/tasks/leaf.yml").read_text())
        if "community.crypto.openssl_privatekey" in task
    )
    assert key["type"] == "ECC" and all("_ECDHE_ECDSA_" in name for name in OF_12)
