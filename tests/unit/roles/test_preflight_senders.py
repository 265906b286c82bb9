# SPDX-License-Identifier: Apache-2.0
"""The preflight's rules of the producers, the report, the metrics, and of where software comes from."""

# ruff: noqa: S108  (folders below /tmp are named to be refused)
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from preflight_rules import Rules, check
from preflight_tasks import GROUPS, NAME, Host, Preflight

JOURNAL = {"name": "journal", "type": "journal"}
FILE = {"name": "shop", "type": "file", "format": "keycloak", "paths": ["/var/log/keycloak/events*.json"]}
NODE, ELASTICSEARCH = "prometheus-node-exporter", "prometheus-elasticsearch-exporter"


def sources(*given: dict[str, Any]) -> Host:
    return Host({"producer_sources": list(given)}, ("login_sources",))


def reports(folder: str = "/var/lib/login-report") -> Host:
    return Host({"report_dir": folder}, (*GROUPS, "reports"))


def metrics(listening: str = "", installed: list[str] | None = None, debian: str = "12", **settings: Any) -> Host:
    return Host(
        {"pipeline_metrics": True, **settings},
        facts={"distribution_major_version": debian},
        state={"listening": listening.split()},
        found={"__metrics_installed": installed or []},
    )


def password(text: str, wanted: bool = True) -> Host:
    return Host({"pipeline_metrics": wanted, "pipeline_given_secrets": {"metrics_password": text}})


RULES: Rules = {
    "producer: Refuse sources that share a name or have a bad one": (
        [
            (
                sources(JOURNAL, JOURNAL),
                [f"{NAME}: producer_sources: the name journal is given twice", "login-producer@NAME"],
            ),
            *((sources({**FILE, "name": name}), [f"the name {name} is"]) for name in ("Shop", "-a", "a_b", "a" * 42)),
        ],
        [sources(JOURNAL, FILE), sources({**FILE, "name": "a" * 41}), Host({"producer_sources": [JOURNAL, JOURNAL]})],
    ),
    "producer: Refuse sources that lack a setting or have one of another type": (
        [
            (
                sources({"name": "shop", "type": "file", "since": "now"}),
                [
                    f"{NAME}: producer_sources: shop is of type file. It needs ",
                    "It has no use for since. docs/sources.md tells",
                ],
            ),
            (sources({"name": "shop", "type": "file", "format": "okta"}), ["It needs paths. docs/sources.md"]),
            (sources({"name": "shop", "type": "file", "paths": ["/x"]}), ["It needs format. docs/sources.md"]),
            (sources({**JOURNAL, "paths": ["/x"]}), ["journal is of type journal. It has no use for paths."]),
        ],
        [
            sources(JOURNAL, FILE),
            sources({**JOURNAL, "format": "sshd", "since": "now", "identifiers": ["sshd"]}),
            sources({**FILE, "timezone": "UTC", "layout": "json", "groups": ["adm"]}),
        ],
    ),
    "producer: Refuse files that the service cannot see": (
        [
            (
                sources({**FILE, "paths": ["/var/log/auth.log", path]}),
                [f"{NAME}: producer_sources: shop has paths below", "such as /var/log"],
            )
            for path in ("/home/op/a.log", "/root", "/tmp/a.log", "/var/tmp/a.log", "/run/user/0/a")
        ],
        [sources(JOURNAL, FILE), sources({**FILE, "paths": ["/homes/a.log", "/run/a.log", "/srv/tmp/a.log"]})],
    ),
    "report: Refuse a folder that does not fit > Refuse folders that services cannot use": (
        [
            (reports("/home/op/www"), ["report_dir is /home/op/www."]),
            (reports("/srv/our report"), ["report_dir is '/srv/our report'."]),
        ],
        [reports(), reports("/srv/www")],
    ),
    "metrics: Refuse a port that another program holds": (
        [
            (
                metrics("0.0.0.0:9100"),
                [
                    f"{NAME}: port 9100 is taken by another program",
                    "set metrics_node_exporter to false",
                    "set another metrics_node_port",
                ],
            ),
            (metrics(":::9100", [ELASTICSEARCH]), ["port 9100 is taken"]),
            (metrics("127.0.0.1:9200", metrics_node_port=9200), ["port 9200 is taken"]),
            (metrics("*:9114", [NODE], "13"), ["port 9114 is taken", "set another metrics_elasticsearch_port"]),
        ],
        [
            metrics(),
            metrics("0.0.0.0:19100 0.0.0.0:9114"),
            metrics("0.0.0.0:9100", [NODE]),
            metrics("0.0.0.0:9100", metrics_node_exporter=False),
            metrics("0.0.0.0:9100", pipeline_metrics=False),
        ],
    ),
    "metrics: Refuse one port for two": (
        [
            (
                metrics(metrics_node_port=9404),
                [f"{NAME}: the ports for Prometheus are 9404, 9404. Give each its own", "kafka_metrics_port"],
            ),
            (metrics(debian="13", metrics_elasticsearch_port=9100), ["are 9100, 9100, 9404"]),
        ],
        [
            metrics(),
            metrics(debian="13"),
            metrics(metrics_elasticsearch_port=9100),
            metrics(metrics_node_port=9404, pipeline_metrics=False),
        ],
    ),
    "metrics: Refuse an exporter that can be asked by everybody": (
        [
            (
                metrics(metrics_elasticsearch_exporter=True),
                ["exporter of Debian 12 knows neither TLS nor passwords", "Leave metrics_elasticsearch_exporter out"],
            )
        ],
        [metrics(), metrics(debian="13"), Host({"metrics_elasticsearch_exporter": True})],
    ),
    "metrics: Refuse a password that cannot be hashed": (
        [
            (password("ü" * 36 + "u"), ["metrics_password is longer than 72 bytes", "Choose a shorter one"]),
            (password("u" * 73), ["metrics_password is longer than 72 bytes"]),
        ],
        [metrics(), password("ü" * 36), password("u" * 73, wanted=False)],
    ),
    "artifact: Refuse versions that would not be taken": (
        [
            (
                Host({"artifact_source": "registry", "artifact_versions": {"kafka": "4.3.1", "kibana": "8.19.2"}}),
                [
                    f"{NAME}: artifact_versions names kafka, which come from the registry",
                    "artifact_sources, as in {'kafka': upstream}",
                ],
            ),
            (
                Host({"artifact_versions": {"spark": "4.1.1"}, "artifact_sources": {"spark": "registry"}}),
                ["artifact_versions names spark,"],
            ),
        ],
        [
            Host({"artifact_source": "registry"}),
            Host({"artifact_versions": {"kafka": "4.3.1"}}),
            Host({"artifact_source": "local", "artifact_versions": {"kafka": "4.3.1"}}),
            Host(
                {
                    "artifact_source": "registry",
                    "artifact_versions": {"kafka": "4.3.1"},
                    "artifact_sources": {"kafka": "upstream"},
                }
            ),
        ],
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule: str) -> None:
    check(RULES, rule)


def test_a_bundle_for_other_systems(tmp_path: Path) -> None:
    rule = "artifact: Refuse a bundle that was made for other systems"
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives/debian-bookworm-amd64.tar").touch()
    settings = {"artifact_bundle_dir": str(tmp_path)}
    passes = Preflight(Host(settings)).do(rule)
    assert (passes.refusals, passes.evaluated) == ([], True)
    for facts, system in (
        ({"distribution_release": "trixie"}, "trixie-amd64"),
        ({"architecture": "aarch64"}, "bookworm-arm64"),
    ):
        (told,) = Preflight(Host(settings, facts=facts)).do(rule).refusals
        assert f"{NAME} is {system}, for which {tmp_path} holds nothing" in told
        assert f'run make bundle SYSTEMS="... {system}"' in told
    assert not Preflight(Host()).do(rule).evaluated
