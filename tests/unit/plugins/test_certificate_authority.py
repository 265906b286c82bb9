# SPDX-License-Identifier: Apache-2.0
"""The CA's folder, and certificates that were brought: each fault is named; with real hosts: tests/pki."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from certificate_authority import Wrong, authority_of, brought_faults, choose, not_of_new
from certificates import Ca, request, root, subject
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

NOW = datetime.now(UTC)
BROKERS = "CN=[^,=]+,OU=kafka-broker"


def write(folder: Path, which: str, certificates: str, key: str = "") -> None:
    (folder / f"{which}.pem").write_text(certificates)
    if key:
        (folder / f"{which}.key").write_text(key)
        (folder / f"{which}.key").chmod(0o600)


def wrong(folder: Path, passphrase: str = "") -> str:
    with pytest.raises(Wrong) as raised:
        authority_of(folder, passphrase, NOW)
    return str(raised.value)


def test_an_empty_folder_has_no_ca(tmp_path: Path) -> None:
    facts = authority_of(tmp_path, "", NOW).facts()
    assert (facts["trusted"], facts["signer"], facts["new"]) == ([], "", [])


def test_a_root_signs_alone(tmp_path: Path) -> None:
    ca = root()
    write(tmp_path, "ca", ca.pem, ca.key_pem())
    facts = authority_of(tmp_path, "", NOW).facts()
    assert facts["signer"] == ca.pem and facts["intermediates"] == []
    assert facts["ends"] == f"{ca.certificate.not_valid_after_utc:%Y%m%d%H%M%SZ}"


def test_an_intermediate_ca_signs_with_its_chain_and_ends_with_its_root(tmp_path: Path) -> None:
    top = root(days=50)
    ca = top.child("Middle").child("Lower", days=80)
    write(tmp_path, "ca", ca.pem, ca.key_pem("open sesame"))
    facts = authority_of(tmp_path, "open sesame", NOW).facts()
    assert "".join(facts["intermediates"]) + top.pem == ca.pem
    assert facts["ends"] == f"{top.certificate.not_valid_after_utc:%Y%m%d%H%M%SZ}"


def test_without_a_key_nobody_signs(tmp_path: Path) -> None:
    ca = root()
    write(tmp_path, "ca", ca.pem)
    facts = authority_of(tmp_path, "", NOW).facts()
    assert facts["signer"] == "" and facts["trusted"] == [ca.pem]


def test_the_files_tell_how_far_a_rotation_is(tmp_path: Path) -> None:
    old, new = root(), root()  # of one name, as the deployment makes them

    def state() -> tuple[bool, bool]:
        facts = authority_of(tmp_path, "", NOW).facts()
        return facts["new_is_trusted"], facts["new_signs"]

    write(tmp_path, "ca", old.pem, old.key_pem())
    assert state() == (False, False)
    write(tmp_path, "new", new.pem, new.key_pem())
    assert state() == (False, False)
    write(tmp_path, "ca", old.pem + new.pem)
    assert state() == (True, False)
    (tmp_path / "new.key").replace(tmp_path / "ca.key")
    assert state() == (True, True)
    (tmp_path / "new.pem").replace(tmp_path / "ca.pem")
    assert authority_of(tmp_path, "", NOW).facts()["trusted"] == [new.pem]


def test_what_is_wrong_with_a_ca_is_named(tmp_path: Path) -> None:
    ca, other = root(), root("Other")
    for certificates, key, words in (
        ("nothing", "", "ca.pem holds no certificate in PEM"),
        (ca.pem, other.key_pem(), "ca.key belongs to no certificate of"),
        (ca.pem, "nothing", "ca.key cannot be used, it holds no private key in PEM"),
        (ca.child("Leaf", is_ca=False).pem, "", "'CN=Leaf' is no CA"),
        (root(days=-1).pem, "", "the CA 'CN=Root' ended on"),
        (ca.child("Middle").certificate.public_bytes(Encoding.PEM).decode(), "", "(no root): add the CAs above it"),
        (
            other.pem + ca.child("Middle").pem.replace(ca.pem, ""),
            "",
            "'CN=Middle' is not signed by a root in this file",
        ),
    ):
        write(tmp_path, "ca", certificates, key)
        assert words in wrong(tmp_path)
        (tmp_path / "ca.key").unlink(missing_ok=True)


def test_the_ca_that_is_to_take_over_is_checked_as_well(tmp_path: Path) -> None:
    ca = root()
    write(tmp_path, "ca", ca.pem, ca.key_pem())
    write(tmp_path, "new", root(days=-1).pem, root().key_pem())
    assert "new.pem: the CA 'CN=Root' ended on" in wrong(tmp_path) and "new.key belongs to no" in wrong(tmp_path)


def test_a_key_is_private_and_opens(tmp_path: Path) -> None:
    ca = root()
    write(tmp_path, "ca", ca.pem, ca.key_pem("right"))
    assert "ca.key is encrypted: give its passphrase as pki_ca_passphrase" in wrong(tmp_path)
    told = wrong(tmp_path, "guess")
    assert "pki_ca_passphrase does not open it" in told and "guess" not in told
    (tmp_path / "ca.key").chmod(0o640)
    assert f"others can read it: run chmod 600 {tmp_path}/ca.key" in wrong(tmp_path, "right")
    write(tmp_path, "ca", ca.pem, ca.key_pem())
    assert "ca.key is not encrypted, but pki_ca_passphrase is set" in wrong(tmp_path, "right")


def leaf_of(ca: Ca, **other: Any) -> tuple[str, list[str]]:
    wanted = request()
    pem = wanted.public_bytes(Encoding.PEM).decode()
    leaf = {"request": pem, "current": ca.leaf(wanted, **other), "file": "/nowhere", "subject": BROKERS}
    return choose(leaf, [ca.certificate], NOW)


def test_a_good_certificate_is_taken() -> None:
    certificate, faults = leaf_of(root())
    assert faults == [] and certificate.startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"key": ec.generate_private_key(ec.SECP256R1()).public_key()}, "it belongs to another key than the request"),
        ({"days": -1}, "it ended on"),
        ({"names": [x509.DNSName("login-1")]}, "it lacks the names localhost"),
        ({"purposes": [ExtendedKeyUsageOID.SERVER_AUTH]}, "it may not be used for clientAuth (extendedKeyUsage)"),
        ({"purposes": [ExtendedKeyUsageOID.CLIENT_AUTH]}, "it may not be used for serverAuth (extendedKeyUsage)"),
        ({"name": subject("login-1", "IT")}, "its subject is 'CN=login-1,OU=IT', and brokers are known by CN="),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_each_fault_of_a_certificate_is_named(other: dict[str, Any], words: str) -> None:
    certificate, (fault,) = leaf_of(root(), **other)
    assert certificate == "" and words in fault


def test_a_brought_certificate_needs_its_intermediate(tmp_path: Path) -> None:
    top = root()
    ca = top.child("Middle")
    wanted, file, csr = request(), tmp_path / "k.pem", tmp_path / "k.csr"
    csr.write_bytes(wanted.public_bytes(Encoding.PEM))
    file.write_text(ca.leaf(wanted))
    (told,) = brought_faults(file, csr, [top.certificate], BROKERS, NOW)
    assert "an intermediate CA is missing below it" in told and "Have k.csr signed, and put the certificate" in told
    file.write_text(ca.leaf(wanted) + ca.pem)
    assert brought_faults(file, csr, [top.certificate], BROKERS, NOW) == []
    assert "not signed by a CA of ca.pem" in brought_faults(file, csr, [root("Other").certificate], BROKERS, NOW)[0]
    csr.unlink()
    assert "its request" in brought_faults(file, csr, [top.certificate], BROKERS, NOW)[0]


def test_what_was_brought_goes_before_what_is_there_and_a_bad_one_does_not(tmp_path: Path) -> None:
    ca, wanted = root(), request()
    old, new, file = ca.leaf(wanted), ca.leaf(wanted), tmp_path / "k.pem"
    leaf = {
        "request": wanted.public_bytes(Encoding.PEM).decode(),
        "current": old,
        "file": str(file),
        "subject": "",
    }
    assert choose(leaf, [ca.certificate], NOW) == (old, [])
    file.write_text(new)
    assert choose(leaf, [ca.certificate], NOW) == (new, [])
    file.write_text(ca.leaf(wanted, days=-1))
    assert choose(leaf, [ca.certificate], NOW) == (old, [])
    assert choose({**leaf, "current": ""}, [ca.certificate], NOW)[1][0].startswith("it ended on")
    assert choose({**leaf, "current": "", "file": "/nowhere"}, [ca.certificate], NOW) == ("", ["there is none"])


def test_a_rotation_ends_when_every_certificate_is_of_the_new_ca() -> None:
    old, new, wanted = root(), root(), request()  # of one name: the signature tells them apart
    used = {"kafka": new.leaf(wanted), "elasticsearch": old.leaf(wanted)}
    (told,) = not_of_new(used, [new.certificate])
    assert told.startswith("elasticsearch uses a certificate of the old CA")
    assert not_of_new({"kafka": used["kafka"]}, [new.certificate]) == not_of_new(used, []) == []
