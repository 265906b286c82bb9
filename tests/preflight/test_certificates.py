# SPDX-License-Identifier: Apache-2.0
"""A CA that its owner has brought, on a host that gets its certificates and no service: without its key, then with it.

It installs packages and leaves users: it has a host of its own (--dist loadfile), or comes after the tests that want
the host bare.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bare_host import NAME, BareHost
from certificates import Ca, put, root, subject
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from playbook import Run

PASSPHRASE = "a passphrase with 'quotes' and $igns"
LONG = f"{'login-host.' * 7}example.org"
# No Java: no service is deployed here.
VARIABLES = {"host_packages": ["python3-cryptography", "ca-certificates"]}


@pytest.fixture
def company(bare: BareHost) -> Ca:
    """A root that the hosts trust, and below it the CA that signs."""
    ca = root("Company").child("Company, servers")
    put(bare.folder / "state/ca", {"ca.pem": ca.pem})
    return ca


def deploy(bare: BareHost, tags: str = "pki", **variables: Any) -> Run:
    return bare.deploy({**VARIABLES, **variables}, options=("--tags", tags))


def requests(bare: BareHost) -> dict[str, x509.CertificateSigningRequest]:
    folder = bare.folder / "state/requests"
    return {file.stem: x509.load_pem_x509_csr(file.read_bytes()) for file in sorted(folder.glob("*.csr"))}


def bring(bare: BareHost, service: str, certificate: str) -> Path:
    file = bare.folder / "state/requests" / f"{NAME}.{service}.pem"
    file.write_text(certificate)
    return file


@pytest.mark.usefixtures("long")
def test_a_ca_of_the_owner(bare: BareHost, company: Ca) -> None:
    # Without the key, the run asks for certificates and stops.
    asks = deploy(bare, "host,pki")
    assert asks.returncode != 0 and "holds no ca.key" in asks.text, asks.output
    wanted = requests(bare)
    assert sorted(wanted) == [f"{NAME}.elasticsearch", f"{NAME}.kafka"]
    assert all(f"{name}.csr, the certificate goes to {name}.pem" in asks.text for name in wanted), asks.output
    kafka, elasticsearch = wanted[f"{NAME}.kafka"], wanted[f"{NAME}.elasticsearch"]
    assert kafka.subject.rfc4514_string() == f"CN={NAME},OU=kafka-broker"

    # What nobody could work with is refused, and nothing is changed.
    bring(bare, "kafka", company.leaf(kafka, name=subject(NAME, "IT")) + company.pem)
    bring(bare, "elasticsearch", root("Other").leaf(elasticsearch, purposes=[ExtendedKeyUsageOID.SERVER_AUTH]))
    refused = deploy(bare)
    assert refused.returncode != 0 and refused.changed == 0, refused.output
    for words in (
        f"{NAME}.kafka.pem: its subject is 'CN={NAME},OU=IT', and brokers are known by CN=[^,=]+,OU=kafka-broker",
        f"{NAME}.elasticsearch.pem: it may not be used for clientAuth",
        f"{NAME}.elasticsearch.pem: it is not signed by a CA of ca.pem, or an intermediate CA is missing below it",
        f"Have {NAME}.elasticsearch.csr signed",
    ):
        assert words in refused.text, refused.output

    # What was signed is taken, with its chain: a client that knows the root alone can check it.
    for service, request in (("kafka", kafka), ("elasticsearch", elasticsearch)):
        bring(bare, service, company.leaf(request) + company.certificate_pem)
    taken = deploy(bare)
    assert taken.returncode == 0, taken.output
    verify = "openssl verify -CAfile /run/root.pem -untrusted %s -purpose %s %s"
    bare.host.check_output("printf %%s %s > /run/root.pem", company.pem.removeprefix(company.certificate_pem))
    for service in ("kafka", "elasticsearch"):
        for purpose in ("sslserver", "sslclient"):
            file = f"/etc/login-pipeline/{service}/cert.pem"
            bare.host.check_output(verify % (file, purpose, file))
    assert bare.host.check_output("cat /etc/login-pipeline/ca.pem") == company.pem.strip()

    # With the key, encrypted: a certificate that ends soon is renewed, and one whose names have changed; here one
    # of them is longer than a common name can be.
    put(bare.folder / "state/ca", {"ca.key": company.key_pem(PASSPHRASE)})
    bare.host.check_output("echo 192.0.2.1 %s >> /etc/hosts", LONG)
    names = {"pki_extra_names": ["kafka.example.org"], "pipeline_address": LONG}
    signs = deploy(bare, pki_ca_passphrase=PASSPHRASE, **names)
    assert signs.returncode == 0 and PASSPHRASE not in signs.output, signs.output
    text = bare.host.check_output("cat /etc/login-pipeline/kafka/cert.pem")
    leaf, between = x509.load_pem_x509_certificates(text.encode())
    known = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"kafka.example.org", LONG} <= set(known.get_values_for_type(x509.DNSName))
    assert leaf.subject.rfc4514_string() == f"CN={LONG[:64]},OU=kafka-broker"
    assert between == company.certificate and leaf.issuer == company.certificate.subject
    # No certificate outlives its CA, and one that ends with it is not renewed again and again; a host whose clock is
    # behind accepts it as well.
    assert leaf.not_valid_after_utc == company.certificate.not_valid_after_utc
    assert datetime.now(UTC) - leaf.not_valid_before_utc > timedelta(hours=1)
    again = deploy(bare, pki_ca_passphrase=PASSPHRASE, **names)
    assert (again.returncode, again.changed) == (0, 0), again.output
