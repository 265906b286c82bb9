# SPDX-License-Identifier: Apache-2.0
"""Action plugin: the CA in its folder on the controller, and certificates that a CA elsewhere has signed; all checked.

What a CA is in the middle of is told by its files alone (docs/certificates.md):

``ca.pem``  all CA certificates that services and clients trust
``ca.key``  key of the one among them that signs; without it certificates are requested and brought
``new.pem``, ``new.key``  CA that is to take over; it signs as soon as its key is ``ca.key``

Arguments: ``folder``; ``passphrase`` of the keys, may be empty; ``brought``, a list of mappings with ``file``,
``request`` and ``subject``, of which files that are not there are left out; ``leaf``, a mapping with the PEM of
``request`` and ``current``, with ``file`` that may have been brought, and ``subject``; ``of_new``, a mapping of
services to the PEM of certificates that the CA which is to take over must have signed. Fails with all that is wrong.
Returns ``authority``, and with ``leaf`` ``certificate`` (PEM, or empty) and ``faults`` (why there is none).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

Chain = list[x509.Certificate]

PURPOSES = {ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth", ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth"}


class Wrong(Exception):
    """What is wrong with a file, each line with the next step."""


class Authority(NamedTuple):
    """The CA as its folder shows it."""

    trusted: Chain
    signer: x509.Certificate | None
    new: Chain

    def path(self) -> Chain:
        """Return the certificates from the signer up to its root, the signer alone if it is one."""
        found = [self.signer] if self.signer else []
        while found and not self_signed(found[-1]):
            found.append(next(each for each in self.trusted if each not in found and issued(each, found[-1])))
        return found

    def facts(self) -> dict[str, Any]:
        """Return what the role needs to know."""
        path = self.path()
        return {
            "trusted": [pem(each) for each in self.trusted],
            # what the host's own trust store calls them
            "names": [f"login-pipeline-{each.fingerprint(hashes.SHA256()).hex()[:12]}" for each in self.trusted],
            "signer": pem(self.signer) if self.signer else "",
            # what a certificate is sent with, so that clients that know only the root can check it
            "intermediates": [pem(each) for each in path if not self_signed(each)],
            "ends": min((each.not_valid_after_utc for each in path), default=datetime.max).strftime("%Y%m%d%H%M%SZ"),
            "new": [pem(each) for each in self.new],
            "new_is_trusted": bool(self.new) and all(each in self.trusted for each in self.new),
            "new_signs": self.signer is not None and self.signer in self.new,
        }


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def self_signed(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # of many kinds: another name, key type or signature
        return False
    return True


def name(certificate: x509.Certificate) -> str:
    return f"'{certificate.subject.rfc4514_string()}'"


def chain(text: bytes, where: str) -> Chain:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise Wrong(f"{where} holds no certificate in PEM ({error}): put one into it, or remove the file") from None


def untrusted(certificate: x509.Certificate, between: Chain, trusted: Chain) -> str:
    """Return why no chain leads from a certificate to the trusted ones, empty if one does."""
    # What a leaf's extensions must say is checked here, with texts of our own.
    any_leaf = ExtensionPolicy.permit_all()
    any_ca = any_leaf.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    policy = PolicyBuilder().store(Store(trusted)).extension_policies(ca_policy=any_ca, ee_policy=any_leaf)
    try:
        policy.build_client_verifier().verify(certificate, between)
    except VerificationError as error:
        return str(error)
    return ""


def key_of(file: Path, passphrase: str) -> Any:
    """Return the public key of a file with a private key."""
    if file.stat().st_mode & 0o077:
        raise Wrong(f"{file} is a CA's key and others can read it: run chmod 600 {file}")
    encrypted = b"ENCRYPTED" in file.read_bytes()
    if encrypted != bool(passphrase):
        raise Wrong(
            f"{file} is encrypted: give its passphrase as pki_ca_passphrase, best from an Ansible Vault"
            if encrypted
            else f"{file} is not encrypted, but pki_ca_passphrase is set: encrypt it (openssl pkey -aes256), or "
            "take the setting away"
        )
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), passphrase.encode() or None)
    except (ValueError, TypeError):
        why = "pki_ca_passphrase does not open it" if encrypted else "it holds no private key in PEM"
        raise Wrong(f"{file} cannot be used, {why}: correct it") from None
    return key.public_key()


def authority_of(folder: Path, passphrase: str, now: datetime) -> Authority:
    """Return the CA of a folder, one without certificates if there is none yet. Raises Wrong."""
    chains: dict[str, Chain] = {"ca": [], "new": []}
    signers: dict[str, x509.Certificate | None] = {"ca": None, "new": None}
    wrong = []
    for which in chains:
        certificates, key = folder / f"{which}.pem", folder / f"{which}.key"
        try:
            if certificates.exists():
                chains[which] = unique(chain(certificates.read_bytes(), str(certificates)))
                wrong += [f"{certificates}: {fault}" for fault in authority_faults(chains[which], now)]
                if key.exists():
                    signers[which] = signer_of(chains[which], key, passphrase)
        except Wrong as error:
            wrong.append(str(error))
    if wrong:
        raise Wrong("\n".join(wrong))
    return Authority(chains["ca"], signers["ca"], chains["new"])


def unique(certificates: Chain) -> Chain:
    return list(dict.fromkeys(certificates))


def signer_of(certificates: Chain, key: Path, passphrase: str) -> x509.Certificate:
    public = key_of(key, passphrase)
    own = [each for each in certificates if each.public_key() == public]
    if not own:
        raise Wrong(
            f"{key} belongs to no certificate of {key.with_suffix('.pem')}: bring the key that was made with the CA's "
            f"certificate, or move {key.name} away to have certificates signed elsewhere"
        )
    return max(own, key=lambda each: each.not_valid_after_utc)  # a CA's certificate may have been renewed


def authority_faults(certificates: Chain, now: datetime) -> list[str]:
    faults = []
    for each in certificates:
        if not may_sign(each):
            faults.append(f"{name(each)} is no CA (basicConstraints CA:TRUE, keyCertSign): bring the CA's certificate")
        if each.not_valid_after_utc <= now:
            faults.append(
                f"the CA {name(each)} ended on {each.not_valid_after_utc:%Y-%m-%d}: take it out. If no other is left, "
                "move the folder away: the next run makes a new CA and gives everything certificates of it"
            )
        if each.not_valid_before_utc > now:
            faults.append(
                f"the CA {name(each)} begins on {each.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: is the clock right?"
            )
    roots = [each for each in certificates if self_signed(each)]
    for each in certificates:
        if not faults and each not in roots and (why := untrusted(each, certificates, roots) if roots else "no root"):
            faults.append(f"{name(each)} is not signed by a root in this file ({why}): add the CAs above it")
    return faults


def may_sign(certificate: x509.Certificate) -> bool:
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid  # without it a CA may do everything


def leaf_faults(
    certificates: Chain, request: x509.CertificateSigningRequest, trusted: Chain, subject: str, now: datetime
) -> list[str]:
    """Return what is wrong with a service's certificate, the first one; the others are intermediate CAs."""
    leaf, *between = certificates
    faults = []
    if leaf.public_key() != request.public_key():
        faults.append("it belongs to another key than the request")
    if leaf.not_valid_after_utc <= now:
        faults.append(f"it ended on {leaf.not_valid_after_utc:%Y-%m-%d}")
    elif why := untrusted(leaf, between, trusted):
        faults.append(f"it is not signed by a CA of ca.pem, or an intermediate CA is missing below it ({why})")
    if missing := sorted(names(request) - names(leaf)):
        faults.append(f"it lacks the names {', '.join(missing)} (subjectAltName)")
    if missing := sorted(PURPOSES[each] for each in purposes(request) - purposes(leaf)):
        faults.append(f"it may not be used for {', '.join(missing)} (extendedKeyUsage)")
    if subject and not re.fullmatch(subject, leaf.subject.rfc4514_string()):
        faults.append(
            f"its subject is {name(leaf)}, and brokers are known by {subject}: have the request's subject kept, or set "
            "pipeline_kafka_broker_subject"
        )
    return faults


def names(of: x509.Certificate | x509.CertificateSigningRequest) -> set[str]:
    try:
        found = of.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(each.value).lower() for each in found if isinstance(each, x509.DNSName | x509.IPAddress)}


def purposes(of: x509.Certificate | x509.CertificateSigningRequest) -> set[x509.ObjectIdentifier]:
    try:
        found = set(of.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return set(PURPOSES)  # without it a certificate may be used for everything
    return found & set(PURPOSES) if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE not in found else set(PURPOSES)


def brought_faults(file: Path, request: Path, trusted: Chain, subject: str, now: datetime) -> list[str]:
    if not request.exists():
        return [f"{file}: its request {request} is gone: move the certificate away, and run again to have it written"]
    try:
        certificates = chain(file.read_bytes(), str(file))
        wanted = x509.load_pem_x509_csr(request.read_bytes())
    except (Wrong, ValueError) as error:
        return [str(error)]
    return [
        f"{file}: {fault}. Have {request.name} signed, and put the certificate in its place"
        for fault in leaf_faults(certificates, wanted, trusted, subject, now)
    ]


def choose(leaf: dict[str, str], trusted: Chain, now: datetime) -> tuple[str, list[str]]:
    """Return the certificate to use, the one that was brought before the present one, or why there is none."""
    file, request = Path(leaf["file"]), x509.load_pem_x509_csr(leaf["request"].encode())
    faults = []
    for where, text in ((str(file), file.read_bytes() if file.exists() else b""), ("", leaf["current"].encode())):
        if text:
            certificates = chain(text, where or "the host")
            found = leaf_faults(certificates, request, trusted, leaf["subject"], now)
            if not found:
                return "".join(pem(each) for each in certificates), []
            faults = faults or found
    return "", faults or ["there is none"]


def not_of_new(used: dict[str, str], new: Chain) -> list[str]:
    """Return which services still use a certificate that the CA which is to take over has not signed."""
    chains = {service: chain(text.encode(), service) for service, text in used.items()} if new else {}
    return [
        f"{service} uses a certificate of the old CA ({why}): repeat the step before, or bring one of the new CA"
        for service, (leaf, *between) in chains.items()
        if (why := untrusted(leaf, between, new))
    ]


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):  # Ansible's signature
        super().run(tmp, task_vars)
        args, now = self._task.args, datetime.now(UTC)
        try:
            authority = authority_of(Path(args["folder"]).expanduser(), args.get("passphrase") or "", now)
            if leaf := args.get("leaf"):
                certificate, faults = choose(leaf, authority.trusted, now)
                return {"changed": False, "authority": authority.facts(), "certificate": certificate, "faults": faults}
        except Wrong as error:
            raise AnsibleActionFail(str(error)) from None
        wrong = [
            fault
            for each in args.get("brought") or []
            if authority.signer is None and (file := Path(each["file"])).exists()
            for fault in brought_faults(file, Path(each["request"]), authority.trusted, each["subject"], now)
        ]
        wrong += not_of_new(args.get("of_new") or {}, authority.new)
        if wrong:
            raise AnsibleActionFail("\n".join(wrong))
        return {"changed": False, "authority": authority.facts()}
