# SPDX-License-Identifier: Apache-2.0
"""CAs of a company as the tests need them: good ones, and such as nobody should bring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
PEM = serialization.Encoding.PEM


def subject(name: str, unit: str = "") -> x509.Name:
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)] if unit else []
    return x509.Name([*units, x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(frozen=True)
class Ca:
    """A CA, with those above it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> str:
        """The CA's certificate, and those of the CAs above it."""
        return "".join(each.public_bytes(PEM).decode() for each in (self.certificate, *self.above))

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(PEM).decode()

    def key_pem(self, passphrase: str = "") -> str:
        """The key, encrypted if there is a passphrase."""
        encryption = (
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        )
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption).decode()

    def child(self, name: str, days: float = 100, is_ca: bool = True) -> Ca:
        """Return a CA that this one vouches for."""
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = [(x509.BasicConstraints(ca=is_ca, path_length=None), True)]
        return Ca(self.signed(subject(name), key.public_key(), days, extensions), key, (self.certificate, *self.above))

    def leaf(self, request: x509.CertificateSigningRequest, **other: Any) -> str:
        """Return the certificate that is asked for; what is in `other` (days, key, name, names, purposes) differs."""
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        extensions = [
            (x509.SubjectAlternativeName(other.get("names", names)), False),
            (x509.ExtendedKeyUsage(other.get("purposes", BOTH)), False),
        ]
        key, days = other.get("key", request.public_key()), other.get("days", 90)
        return self.signed(other.get("name", request.subject), key, days, extensions).public_bytes(PEM).decode()

    def signed(self, name: x509.Name, key: Any, days: float, extensions: list[Any]) -> x509.Certificate:
        return signed(name, key, self.certificate.subject, self.key, days, extensions)


def signed(
    name: x509.Name, key: Any, issuer: x509.Name, issuer_key: Any, days: float, extensions: list[Any]
) -> x509.Certificate:
    now = datetime.now(UTC)
    begin = min(now, now + timedelta(days=days)) - timedelta(days=2)
    builder = x509.CertificateBuilder(issuer, name, key, x509.random_serial_number(), begin, now + timedelta(days=days))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def root(name: str = "Root", days: float = 1000) -> Ca:
    """Return a CA that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = [(x509.BasicConstraints(ca=True, path_length=None), True)]
    return Ca(signed(subject(name), key.public_key(), subject(name), key, days, extensions), key)


def request(host: str = "login-1", unit: str = "kafka-broker") -> x509.CertificateSigningRequest:
    """Return a request as a host makes it."""
    names = x509.SubjectAlternativeName([x509.DNSName(host), x509.DNSName("localhost")])
    builder = x509.CertificateSigningRequestBuilder(subject(host, unit))
    builder = builder.add_extension(names, False).add_extension(x509.ExtendedKeyUsage(BOTH), False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


def put(folder: Path, files: dict[str, str]) -> None:
    """Write files that only their owner can read."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
