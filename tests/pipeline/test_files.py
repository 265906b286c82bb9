# SPDX-License-Identifier: Apache-2.0
"""Owners and modes of what is on the host, and that no secret can be read where it should not be."""

# ruff: noqa: S108  (what lies below /tmp is looked at, nothing is put there)
from __future__ import annotations

import pytest
from deployment import Deployment
from hunt import hunt
from testinfra.host import Host

SERVICE_USERS = ("kafka", "elasticsearch", "login-producer", "login-consumer", "login-report")

# Path, in which the deployment stands for 0; owner, group, mode
PATHS = """
/etc/login-pipeline                                 root            root            755
/etc/login-pipeline/ca.pem                          root            root            644
/etc/login-pipeline/kafka                           root            kafka           750
/etc/login-pipeline/kafka/key.pem                   root            kafka           640
/etc/login-pipeline/elasticsearch                   root            elasticsearch   750
/etc/login-pipeline/elasticsearch/key.pem           root            elasticsearch   640
/etc/login-pipeline/kibana                          root            kibana          750
/etc/login-pipeline/kibana/key.pem                  root            kibana          640
/etc/kafka                                          root            kafka           750
/etc/kafka/server.properties                        root            kafka           640
/etc/kafka/keystore.pem                             root            kafka           640
{0.kafka_data_dir}                                  kafka           kafka           750
{0.kafka_data_dir}/data                             kafka           kafka           750
/var/log/kafka                                      kafka           kafka           750
/etc/elasticsearch                                  root            elasticsearch   2750
/etc/elasticsearch/elasticsearch.yml                root            elasticsearch   640
/etc/elasticsearch/elasticsearch.keystore           root            elasticsearch   660
/etc/elasticsearch/key.pem                          root            elasticsearch   640
{0.elasticsearch_data_dir}                          elasticsearch   elasticsearch   750
{0.elasticsearch_data_dir}/data                     elasticsearch   elasticsearch   750
/var/log/elasticsearch                              elasticsearch   elasticsearch   750
/etc/login-producer                                 root            login-producer  750
/etc/login-producer/producer.toml                   root            login-producer  640
/etc/login-producer/kafka_password                  root            login-producer  640
/var/lib/login-producer                             login-producer  login-producer  750
/etc/login-producer/sources                         root            login-producer  750
/etc/login-producer/sources/kafka_password          root            login-producer  640
/etc/login-producer/sources/journal.toml            root            login-producer  640
/var/lib/login-producer-journal                     login-producer  login-producer  750
/etc/login-consumer                                 root            login-consumer  750
/etc/login-consumer/consumer.toml                   root            login-consumer  640
/etc/login-consumer/promise.json                    root            login-consumer  640
/etc/login-consumer/kafka_password                  root            login-consumer  640
/etc/login-consumer/erase                           root            login-consumer  750
/etc/login-consumer/replay                          root            login-consumer  750
/etc/login-consumer/replay/kafka_password           root            login-consumer  640
/etc/login-consumer/replay/elasticsearch_api_key    root            login-consumer  640
/etc/login-consumer/retention                       root            login-consumer  750
/etc/login-consumer/retention/retention.toml        root            login-consumer  640
/etc/login-consumer/retention/elasticsearch_api_key root            login-consumer  640
/etc/login-consumer/elasticsearch_api_key           root            login-consumer  640
/etc/login-consumer/backup                          root            login-consumer  750
/var/lib/login-consumer                             login-consumer  login-consumer  750
/etc/login-report                                   root            login-report    750
/etc/login-report/report.toml                       root            login-report    640
/etc/login-report/elasticsearch_api_key             root            login-report    640
/var/lib/login-report                               login-report    login-report    750
/opt/kafka                                          root            root            755
/opt/elasticsearch                                  root            root            755
/opt/spark                                          root            root            755
/opt/login-producer                                 root            root            755
/opt/login-consumer                                 root            root            755
/opt/login-report                                   root            root            755
"""


@pytest.mark.parametrize("line", PATHS.strip().splitlines(), ids=lambda line: line.split()[0])
def test_owner_and_mode(line: str, host: Host, deployment: Deployment) -> None:
    path, *wanted = line.format(deployment).split()
    assert host.check_output("stat -c '%%U %%G %%a' %s", path).split() == wanted


def test_the_hunt_finds_what_is_there(deployment: Deployment) -> None:
    there = {
        "backup_api_key": "login-consumer/backup/elasticsearch_api_key",
        "backup_verify_api_key": "login-consumer/backup/verify/elasticsearch_api_key",
        "consumer_api_key": "login-consumer/elasticsearch_api_key",
        "kafka_consumer_password": "login-consumer/kafka_password",
        "kafka_producer_password": "login-producer/kafka_password",
        "kafka_replay_password": "login-consumer/replay/kafka_password",
        f"kafka_source-{deployment.name}_password": "login-producer/sources/kafka_password",
        "metrics_api_key": "login-metrics/elasticsearch.env",
        "replay_api_key": "login-consumer/replay/elasticsearch_api_key",
        "report_api_key": "login-report/elasticsearch_api_key",
        "retention_api_key": "login-consumer/retention/elasticsearch_api_key",
    }
    # backups are off on the demo host, and Elasticsearch's exporter runs on Debian 13 only
    wanted = [f"{name} in /etc/{path}" for name, path in there.items() if name in deployment.secrets]
    assert hunt(deployment, ["/etc/login-*"]) == wanted


def test_nobody_reads_a_secret(deployment: Deployment) -> None:
    places = ["/etc", "/opt", "/var", "/run", "/tmp", "/home", "/root", "/usr/local"]
    processes = ["/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"]
    assert hunt(deployment, [*places, *processes], user="nobody") == []


def test_no_secret_in_logs_and_processes(deployment: Deployment, host: Host) -> None:
    places = ["journal", "/var/log", "/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ", "/tmp", "/var/tmp", "/root"]
    # Elasticsearch's exporter takes its key in no other way; its user and root alone can read it there.
    exporter = host.check_output("systemctl show prometheus-elasticsearch-exporter --property=MainPID --value")
    known = [f"metrics_api_key in /proc/{exporter}/environ"] if "metrics_api_key" in deployment.secrets else []
    assert hunt(deployment, places) == known


def test_the_cas_key_is_not_on_the_host(deployment: Deployment) -> None:
    data = [deployment.kafka_data_dir, deployment.elasticsearch_data_dir, "/var/lib/login-*"]
    places = ["/etc", "/opt", "/usr/local", *data, "/run"]
    assert [found for found in hunt(deployment, places) if found.startswith("CA key")] == []


@pytest.mark.parametrize("user", SERVICE_USERS)
def test_a_service_keeps_nothing_below_tmp(user: str, host: Host) -> None:
    # systemd-private-... is what PrivateTmp gives a unit and takes away with it; hsperfdata_... are the counters that
    # a JVM keeps while it runs, here of tools that are run outside of a unit.
    command = "find /tmp /var/tmp '(' -name 'systemd-private-*' -o -name 'hsperfdata_*' ')' -prune -o -user %s -print"
    assert host.check_output(command, user) == ""


@pytest.mark.parametrize("user", SERVICE_USERS)
def test_a_service_cannot_write_its_program_or_settings(user: str, host: Host) -> None:
    command = "runuser -u %s -- find /opt /etc -writable ! -type l ! -path /etc/elasticsearch/elasticsearch.keystore"
    assert host.check_output(f"{command} 2>/dev/null || true", user) == ""


@pytest.mark.parametrize(
    "path", ["replay/kafka_password", "replay/elasticsearch_api_key", "retention/elasticsearch_api_key"]
)
def test_the_consumer_cannot_read_the_secrets_of_an_operator(path: str, host: Host) -> None:
    file = f"/etc/login-consumer/{path}"
    # replaced, as by a run with another secret, while the service goes on
    host.check_output(f"cp -p {file} {file}.new && mv {file}.new {file}")
    process = host.check_output("systemctl show login-consumer --property=MainPID --value")
    seen = host.run(
        f"nsenter --mount --target {process} setpriv --reuid login-consumer --regid login-consumer \
        --clear-groups ls {file}"
    )
    assert seen.rc != 0 and "Permission denied" in seen.stderr, seen
    assert host.check_output("runuser -u login-consumer -- cat %s", file)
