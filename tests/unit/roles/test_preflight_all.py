# SPDX-License-Identifier: Apache-2.0
"""No rule of the preflight is without a test, and what its checks of versions and certificates are asked is right."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from certificates import put, root
from preflight_rules import assertions
from preflight_tasks import GROUPS, NAME, ROOT, Host, Preflight

TABLES = [file for file in sorted(Path(__file__).parent.glob("test_preflight_*.py")) if file != Path(__file__)]
USABLE, NOEXEC = " > Refuse folders that services cannot use", " > Refuse folders that are mounted noexec"

# Rules that no table can hold, and the tests that hold them
ELSEWHERE = {
    "artifact: Refuse a bundle that was made for other systems": (
        "tests/unit/roles/test_preflight_senders.py::test_a_bundle_for_other_systems"
    ),
}
# What nobody can set wrongly: folders that are always the same, and such as no code is run from. By the path of a rule
# the groups of a host that it looks at.
ALWAYS_PASS = {
    "host: Refuse folders that do not fit" + USABLE: GROUPS,
    "spark_consumer: Refuse folders that do not fit" + USABLE: GROUPS,
    "kibana: Refuse folders that do not fit" + NOEXEC: ("kibana",),
    "report: Refuse a folder that does not fit" + NOEXEC: ("reports",),
}


def test_each_rule_of_the_preflight_is_tested() -> None:
    tables = [path for file in TABLES for path in runpy.run_path(str(file))["RULES"]]
    assert len(tables) > 50
    assert sorted([*tables, *ELSEWHERE, *ALWAYS_PASS]) == sorted(assertions())


def test_the_tests_that_are_named_exist() -> None:
    for test in ELSEWHERE.values():
        file, _, name = test.partition("::")
        assert f"\ndef {name}(" in (ROOT / file).read_text()


@pytest.mark.parametrize("path", ALWAYS_PASS, ids=str)
def test_rules_that_always_pass(path: str) -> None:
    host = Host(groups=ALWAYS_PASS[path], found={"__pipeline_mounts": {"stdout_lines": []}})
    assert Preflight(host).do(path).refusals == []


STEP = "Check the step from the installed to the wanted version of {{ artifact_product }}"
FOLLOWING = "Refuse a version that cannot follow the installed one"


@pytest.mark.parametrize(
    ("path", "groups", "dest", "data"),
    [
        (f"kafka: {FOLLOWING}", GROUPS, "/opt/kafka", "/srv/kafka/data/meta.properties"),
        (
            "elasticsearch: Refuse a version that cannot follow the one that has written the data",
            GROUPS,
            "/opt/elasticsearch",
            "/srv/es/data/_state",
        ),
        (f"kibana: {FOLLOWING}, or does not fit Elasticsearch's", ("kibana", *GROUPS), "/opt/kibana", ""),
        (f"spark: {FOLLOWING}", GROUPS, "/opt/spark", "/var/lib/login-consumer/checkpoint"),
    ],
    ids=["kafka", "elasticsearch", "kibana", "spark"],
)
def test_what_is_installed_and_has_written_data_is_looked_for(
    path: str, groups: tuple[str, ...], dest: str, data: str
) -> None:
    """Which steps are refused, and with which words, is in tests/unit/plugins/test_artifact_steps.py."""
    settings = {"kafka_data_dir": "/srv/kafka", "elasticsearch_data_dir": "/srv/es"}
    preflight = Preflight(Host(settings, groups))
    told = [preflight.read(f"{path} > {STEP}", name) for name in ("artifact_dest", "artifact_data")]
    assert told == [dest, data]


def test_the_version_that_has_written_the_data_decides() -> None:
    """Elasticsearch's data tell it, as 2 digits for each part: the newest of them counts."""
    path = f"elasticsearch: Refuse a version that cannot follow the one that has written the data > {STEP}"
    for written, told in (
        ("node_version.8190399\nnode_version.8990199", ["elasticsearch 8.99.1 -> 8.19.13 is refused"]),
        ("node_version.8190399\nnode_version.8090299", []),
        ("node_version.7160399", ["elasticsearch 7.16.3 -> 8.19.13 is refused", "Go to 7.17 first"]),
    ):
        host = Host(found={"__elasticsearch_writer": {"stdout": written}})
        refusals = Preflight(host).do(path).refusals
        assert len(refusals) == bool(told) and all(words in refusals[0] for words in told), refusals


def test_a_wrong_ca_and_certificates_that_were_brought_are_told(tmp_path: Path) -> None:
    """All faults and their words are in tests/unit/plugins/test_certificate_authority.py."""
    path = "pki: Check the CA, and the certificates that were brought"
    ca, requests = root(), tmp_path / "requests"
    put(tmp_path / "ca", {"ca.pem": ca.pem})
    put(requests, {f"{NAME}.kafka.pem": ca.pem, f"{NAME}.kibana.pem": ca.pem, "other.kafka.pem": ca.pem})
    settings = {"pki_ca_dir": str(tmp_path / "ca"), "pki_requests_dir": str(requests)}
    (told,) = Preflight(Host(settings)).do(path).refusals
    # Of this host's services alone
    assert f"{requests}/{NAME}.kafka.pem: its request {requests}/{NAME}.kafka.csr is gone" in told
    assert "kibana" not in told and "other" not in told
    # With the key nothing is brought; an encrypted one needs its passphrase.
    put(tmp_path / "ca", {"ca.key": ca.key_pem("open sesame")})
    assert Preflight(Host({**settings, "pki_ca_passphrase": "open sesame"})).do(path).refusals == []
    (told,) = Preflight(Host(settings)).do(path).refusals
    assert "ca.key is encrypted: give its passphrase as pki_ca_passphrase" in told
