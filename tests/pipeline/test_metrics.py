# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told: to whom, whether it is true, and by a real Prometheus with the documented settings."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from deployment import Deployment, Tunnel
from endpoints import Endpoints, Samples
from pipeline import SENDERS, Pipeline
from playbook import ROOT, Run
from starts import services, starts
from testinfra.host import Host
from waiting import wait_until

RULES = ROOT / "docs/prometheus-rules.yml"
PAGE = ROOT / "docs/metrics.md"
EXPORTER = "prometheus-node-exporter"
CERTIFICATE = 'login_certificate_not_after_timestamp_seconds{{certificate="{}"}}'
# Waits also while the consumer, and with it its last place, is away
WAITING = (
    "sum(max by (topic, partition) (kafka_log_end_offset)"
    " - on (topic, partition) last_over_time(login_consumer_next_offset[5m])) > 50"
)


@pytest.fixture(scope="module", autouse=True)
def only_with_metrics(deployment: Deployment) -> None:
    if not deployment.metrics_ports:
        pytest.skip("the inventory has no pipeline_metrics")


@pytest.fixture(scope="module")
def endpoints(deployment: Deployment, tunnel: Tunnel) -> Endpoints:
    return Endpoints(deployment, tunnel)


@pytest.mark.parametrize("name", ["node", "kafka"])
def test_only_who_has_the_password_is_told_and_only_by_tls(name: str, endpoints: Endpoints) -> None:
    assert len(endpoints.samples(name)) > 100
    for password in (None, "", "wrong"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            endpoints.get(name, password)
    with pytest.raises(OSError, match=r"400|closed|reset|Remote end|Bad Request"):
        endpoints.get(name, endpoints.deployment.secrets["metrics_password"], "http")


def of(samples: Samples, family: str) -> float:
    """Return the sum of a family's samples."""
    found = [value for key, value in samples.items() if key.partition("{")[0] == family]
    assert found, f"{family} is not told"
    return sum(found)


def test_the_consumers_numbers_are_those_of_its_accounts(pipeline: Pipeline, endpoints: Endpoints) -> None:
    with pipeline.still() as before:
        first = endpoints.samples("node")
        pipeline.systemctl("start", *SENDERS)
        pipeline.ledger.wait_for_flow()
        after, _ = pipeline.stand_still()
        last, broker = endpoints.samples("node"), endpoints.samples("kafka")
        ends = pipeline.ledger.ends()
    told = {
        name: of(last, f"login_consumer_{family}_total") - of(first, f"login_consumer_{family}_total")
        for name, family in {
            "kafka": "records_read",
            "events": "events_indexed",
            "duplicates": "records_duplicate",
            "ignored": "records_ignored",
            "unrecognised": "records_unrecognised",
            "dead": "records_dead",
            "skipped": "records_skipped",
        }.items()
    }
    assert told == {name: getattr(after, name) - getattr(before, name) for name in told}
    assert told["kafka"] > 0
    for partition, end in ends.items():
        labels = f'partition="{partition}",topic="{pipeline.deployment.topic}"'
        assert broker[f"kafka_log_end_offset{{{labels}}}"] == end
    assert of(last, "login_consumer_next_offset") == sum(ends.values())


def test_a_producers_numbers_are_those_of_its_status(pipeline: Pipeline, endpoints: Endpoints) -> None:
    def acknowledged() -> int:
        return int(json.loads(pipeline.host.check_output("login-producer status --json"))["counters"]["acked"])

    name = 'login_producer_events_acknowledged_total{service="login-producer"}'
    pipeline.ledger.wait_for_flow()  # it may have been started just now
    least = acknowledged()
    wait_until(lambda: endpoints.samples("node")[name] > least, "the producer's numbers grow", 30)
    told = endpoints.samples("node")
    assert told[name] <= acknowledged()
    assert told['login_producer_kafka_reachable{service="login-producer"}'] == 1
    for each in ("journal", "files"):
        assert f'login_producer_events_sent_total{{service="login-producer-{each}"}}' in told


def end_of(pem: str) -> float:
    return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc.timestamp()


def test_when_certificates_end_is_that_of_the_listeners(
    deployment: Deployment, tunnel: Tunnel, endpoints: Endpoints
) -> None:
    told = endpoints.samples("node")
    ports = {"elasticsearch": deployment.elasticsearch_port, "login-metrics": deployment.metrics_ports["node"]}
    for name, port in ports.items():
        pem = ssl.get_server_certificate(("localhost", tunnel[port]), ca_certs=deployment.ca_file)
        assert told[CERTIFICATE.format(name)] == end_of(pem)
    assert told[CERTIFICATE.format("ca")] == end_of(Path(deployment.ca_file).read_text())


def test_the_exporter_is_hardened_and_its_files_are_its_own(host: Host) -> None:
    told = host.check_output(f"systemd-analyze security --no-pager {EXPORTER}")
    level = re.search(r"exposure level for \S+: ([0-9.]+)", told)
    assert level and float(level[1]) < 2.5, told
    properties = "User,UnitFileState,ActiveState,NRestarts"
    text = host.check_output(f"systemctl show {EXPORTER} --property={properties}")
    wanted = {"User": "login-metrics", "UnitFileState": "enabled", "ActiveState": "active", "NRestarts": "0"}
    assert dict(line.split("=", 1) for line in text.splitlines()) == wanted
    for file, owner in {
        "/etc/login-metrics/web.yml": "root login-metrics 640",
        "/etc/kafka/metrics.yml": "root kafka 640",
        "/etc/kafka/metrics.p12": "root kafka 640",
    }.items():
        assert host.check_output("stat -c '%%U %%G %%a' %s", file) == owner


@dataclass(frozen=True)
class Prometheus:
    """A real one on the deployed host, with the settings of the documentation."""

    host: Host
    folder: str

    def promtool(self, *arguments: str) -> str:
        return str(self.host.check_output(f"{self.folder}/usr/bin/promtool {' '.join(arguments)}"))

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression gives now. Raises AssertionError if it is none."""
        arguments = urllib.parse.urlencode({"query": expression})
        told = json.loads(self.host.check_output("curl -sS http://127.0.0.1:19090/api/v1/query -d %s", arguments))
        assert told["status"] == "success", told
        return list(told["data"]["result"])


@pytest.fixture(scope="module")
def prometheus(host: Host, deployment: Deployment) -> Iterator[Prometheus]:
    """Unpack Debian's own, which installs nothing, and run it; all of it goes at the end."""
    folder = host.check_output("mktemp -d /var/tmp/prometheus.XXXXXX")
    settings = re.search(r"```yaml\n(scrape_configs:\n.+?)```", PAGE.read_text(), re.DOTALL)
    assert settings
    text = settings[1].replace("login-1.example.org", deployment.pipeline_address)
    for name, content in {
        "login-ca.pem": deployment.ca_dir.joinpath("ca.pem").read_text(),
        "login-password": deployment.secrets["metrics_password"],
        "login-rules.yml": RULES.read_text(),
        "prometheus.yml": f"global: {{scrape_interval: 2s, evaluation_interval: 2s}}\n{text}",
    }.items():
        here = content.replace("/etc/prometheus", folder)
        deployment.python(f"print(open({f'{folder}/{name}'!r}, 'w').write({here!r}))")
    unit = "prometheus-of-the-tests"
    try:
        host.check_output(f"sh -ec 'cd {folder}; apt-get -qq download prometheus; dpkg -x prometheus_*.deb .'")
        host.check_output(
            f"systemd-run --quiet --unit={unit} {folder}/usr/bin/prometheus --config.file={folder}/prometheus.yml "
            f"--storage.tsdb.path={folder}/data --web.listen-address=127.0.0.1:19090"
        )
        yield Prometheus(host, folder)
    finally:
        host.run(f"systemctl stop {unit}")
        host.check_output("rm -rf %s", folder)


def rules() -> dict[str, str]:
    """Return each alert's expression."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


def test_what_is_documented_works(prometheus: Prometheus) -> None:
    for check in ("config", "rules"):
        file = {"config": "prometheus.yml", "rules": "login-rules.yml"}[check]
        assert "SUCCESS" in prometheus.promtool("check", check, f"{prometheus.folder}/{file}")

    def up() -> list[str]:
        return sorted(each["metric"]["job"] for each in prometheus.query("up == 1"))

    assert wait_until(lambda: up() == ["login-kafka", "login-node"], "both jobs are up", 60)


def test_each_alert_asks_for_what_is_told(prometheus: Prometheus, deployment: Deployment, pipeline: Pipeline) -> None:
    words = {word for rule in rules().values() for word in re.findall(r"[a-z]+_[a-z_]+", re.sub(r'"[^"]*"', "", rule))}
    names = {word for word in words if word.startswith(("login_", "kafka_", "node_")) and "{" not in word}
    assert {"login_consumer_next_offset", "kafka_log_end_offset", "node_filesystem_size_bytes"} <= names
    if deployment.backup_dir:
        pipeline.host.check_output("login-consumer backup")
        pipeline.systemctl("start", "login-backup-verify")
    else:
        names -= {name for name in names if name.startswith("login_backup_")}

    def missing() -> set[str]:
        return {name for name in names if not prometheus.query(f'{{__name__="{name}"}}')}

    wait_until(lambda: not missing(), "each of them is told", 60)


def test_no_alert_is_raised_while_all_is_well_and_the_right_ones_when_it_is_not(
    prometheus: Prometheus, pipeline: Pipeline
) -> None:
    def raised() -> set[str]:
        return {alert for alert, rule in rules().items() if prometheus.query(rule)}

    pipeline.ledger.wait_for_flow()
    # The tests send refused records, and the disk of this machine is its own affair.
    calm = {"LoginDeadLetters", "LoginDiskFull"}
    wait_until(lambda: raised() <= calm, "no alert", 60)
    pipeline.systemctl("stop", "login-consumer")
    try:
        wait_until(lambda: "LoginConsumerAway" in raised(), "the consumer is missed", 60)
        wait_until(lambda: prometheus.query(WAITING), "records wait", 120)
    finally:
        pipeline.start_consumer()
    wait_until(lambda: raised() <= calm, "no alert", 60)


@pytest.fixture
def on_again(deployment: Deployment) -> Iterator[None]:
    yield
    run = deployment.deploy("--tags", "host,pki,kafka,metrics")
    assert run.returncode == 0, run.output


@pytest.mark.usefixtures("long", "on_again")
def test_switched_off_nothing_is_left_and_kafka_alone_was_restarted(deployment: Deployment, host: Host) -> None:
    def off() -> Run:
        return deployment.deploy("-e", "pipeline_metrics=false")

    before = services(starts(host))
    run = off()
    assert run.returncode == 0, run.output
    assert services(starts(host)) - before == {"kafka.service": 1}
    gone = ("/etc/login-metrics", "/etc/login-pipeline/login-metrics", "/opt/jmx-exporter", "/etc/kafka/metrics.p12")
    assert [path for path in gone if host.file(path).exists] == []
    assert host.check_output("find /etc/systemd -path '*prometheus*'") == ""
    assert host.run("id login-metrics").rc != 0
    ports = host.check_output("ss -Hltn | awk '{print $4}'").split()
    assert not {str(port) for port in deployment.metrics_ports.values()} & {port.rsplit(":", 1)[1] for port in ports}
    again = off()
    assert (again.returncode, again.changed) == (0, 0), again.output
