# SPDX-License-Identifier: Apache-2.0
"""Bad input stops a deployment before anything is changed, and says what is wrong where and what to do."""

# ruff: noqa: S108  (folders below /tmp are named to be refused)
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bare_host import GROUPS, NAME, BareHost
from certificates import put, root
from playbook import Run

TOO_MUCH_MB = 100_000_000
ENCRYPTED = root()


def check_refused(bare: BareHost, run: Run, *words: str) -> None:
    """The run has failed with these words, and changed neither the host nor the controller."""
    assert run.returncode != 0, run.output
    for word in words:
        assert word in run.text, run.output
    assert run.changed == 0, run.output
    assert "failed=1" in run.output, run.output  # refused, and not because of an error in a template
    assert sorted(path.name for path in bare.folder.iterdir() if path.name != "hosts.json") == []


@pytest.fixture(autouse=True)
def host_is_left_as_it_was(bare: BareHost) -> Iterator[None]:
    before = bare.traces()
    yield
    assert bare.traces() == before


# Variables that are wrong, and words of the message
VARIABLES = {
    "settings, all at once": (
        {"kafka_heap_md": 512, "producer_zzzzzz": 1, "kafka_heap_mb": "plenty", "spark_consumer_period": "week"},
        [
            f"{NAME}: settings are wrong, nothing was changed",
            "kafka_heap_md is not a setting of role kafka: did you mean kafka_heap_mb?",
            "producer_zzzzzz is not a setting of role producer",
            "kafka_heap_mb: argument 'kafka_heap_mb' is of type",
            "value of spark_consumer_period must be one of: month, day, got: week",
        ],
    ),
    "heap": ({"elasticsearch_heap_mb": TOO_MUCH_MB}, [NAME, f"elasticsearch_heap_mb is {TOO_MUCH_MB}", "at most half"]),
    "a version that the registry does not give": (
        {"artifact_source": "registry", "artifact_versions": {"kafka": "4.3.1"}},
        [NAME, "artifact_versions names kafka", "artifact_sources, as in {'kafka': upstream}"],
    ),
    "memory": ({"kafka_heap_mb": TOO_MUCH_MB}, [NAME, "MB of memory", "kafka_heap_mb", "Add memory"]),
    "disk": ({"host_disk_free_mb": {"/var/lib": TOO_MUCH_MB}}, [NAME, "/var/lib has", f"{TOO_MUCH_MB} MB are needed"]),
    "clock": ({"host_clock_skew_max_seconds": 0}, [NAME, "its clock is", "time synchronisation"]),
    "Kafka's data below /tmp": ({"kafka_data_dir": "/tmp/kafka"}, [NAME, "kafka_data_dir", "/tmp/kafka"]),
    "Kafka's data where services cannot see them": (
        {"kafka_data_dir": "/home/kafka"},
        [NAME, "kafka_data_dir is /home/kafka", "keeps services out of /home"],
    ),
    "a folder with a blank": (
        {"elasticsearch_data_dir": "/srv/my data"},
        [NAME, "elasticsearch_data_dir is '/srv/my data'", "absolute path"],
    ),
    "a name that the host does not know": (
        {"pipeline_address": "login.nowhere.invalid"},
        [f"{NAME} connects to login.nowhere.invalid, and knows no address", "/etc/hosts", "pipeline_address"],
    ),
    "a name that Java takes for none": (
        {"pipeline_address": "login_host"},
        [f"{NAME} connects to login_host, which Java takes for no host", "no underscore"],
    ),
    "Elasticsearch's FIPS mode": (
        {"elasticsearch_extra_config": {"xpack.security.fips_mode.enabled": True}},
        [NAME, "elasticsearch_extra_config has xpack.security.fips_mode.enabled", "Remove it"],
    ),
    "Elasticsearch's data below /tmp": (
        {"elasticsearch_data_dir": "/var/tmp/data"},
        [NAME, "elasticsearch_data_dir", "/var/tmp/data"],
    ),
    "retention": (
        {"spark_consumer_dead_letter_days": 60},
        [NAME, "spark_consumer_dead_letter_days 60", "at least 73 here", "lower spark_consumer_progress_days"],
    ),
    "backups below /tmp": (
        {"pipeline_backup_dir": "/tmp/backup"},
        ["pipeline_backup_dir is /tmp/backup", "on another disk"],
    ),
    "backups beside the data": (
        {"pipeline_backup_dir": "/data/es/backup", "elasticsearch_data_dir": "/data/es"},
        ["pipeline_backup_dir is /data/es/backup", "not below /data/es"],
    ),
    "backups in a folder that is not theirs": ({"pipeline_backup_dir": "/srv"}, ["a folder of its own"]),
    "backups in two places": (
        {"pipeline_backup_dir": "/srv/backup", "backup_repository": "s3"},
        ["Backups go to one place", "leave one of them empty"],
    ),
    "no backup is kept": ({"backup_keep_least": 0}, ["backup_keep_least 0", "at least 1"]),
    "a cluster that is not ours": (
        {"spark_consumer_master": "spark://elsewhere:7077"},
        ["spark_consumer_master is spark://elsewhere:7077", "spark_master and spark_workers"],
    ),
    "one port for two metrics": (
        {"pipeline_metrics": True, "metrics_node_port": 9404},
        [f"{NAME}: the ports for Prometheus are 9404, 9404", "kafka_metrics_port"],
    ),
    "a port of Kafka's for its metrics": (
        {"pipeline_metrics": True, "kafka_metrics_port": 9092},
        [f"{NAME}: kafka_metrics_port is 9092, on which Kafka serves", "another one"],
    ),
    "metrics for everybody": (
        {"pipeline_metrics": True, "metrics_elasticsearch_exporter": True},
        ["exporter of Debian 12 knows neither TLS nor passwords", "Leave metrics_elasticsearch_exporter out"],
    ),
    "a password that an exporter cannot take": (
        {"pipeline_metrics": True, "pipeline_given_secrets": {"metrics_password": "ü" * 37}},
        ["metrics_password is longer than 72 bytes"],
    ),
    "certificate lifetimes": ({"pki_days": 10}, ["pki_days (10)", "pki_renew_before_days (30)"]),
    "certificate lifetimes that are no numbers": (
        {"pki_renew_before_days": "+30d"},
        ["pki_renew_before_days: argument 'pki_renew_before_days' is of type", "unable to convert to int"],
    ),
    "rule for brokers": (
        {"pipeline_kafka_broker_subject": "CN=kafka-[0-9]+,O=Example"},
        [f"{NAME} gets CN={NAME},OU=kafka-broker", "Leave it at its default"],
    ),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_wrong_variables(case: str, bare: BareHost) -> None:
    variables, words = VARIABLES[case]
    check_refused(bare, bare.deploy(variables), *words)


# What lies in the CA's folder, and words of the message
AUTHORITIES: dict[str, tuple[dict[str, str], list[str]]] = {
    "one CA's certificate and another's key, an ended CA that is to take over": (
        {"ca.pem": root().pem, "ca.key": root().key_pem(), "new.pem": root(days=-1).pem},
        ["ca.key belongs to no certificate of", "move ca.key away", "new.pem: the CA 'CN=Root' ended on"],
    ),
    "a certificate that is no CA's": (
        {"ca.pem": root().child("login", is_ca=False).pem},
        ["ca.pem: 'CN=login' is no CA", "bring the CA's certificate"],
    ),
    "an encrypted key": (
        {"ca.pem": ENCRYPTED.pem, "ca.key": ENCRYPTED.key_pem("a passphrase")},
        ["ca.key is encrypted: give its passphrase as pki_ca_passphrase"],
    ),
}


@pytest.mark.parametrize("case", AUTHORITIES)
def test_wrong_authorities(case: str, bare: BareHost) -> None:
    files, words = AUTHORITIES[case]
    put(bare.folder / "state/ca", files)
    run = bare.deploy({})
    assert run.returncode != 0 and run.changed == 0, run.output
    for word in words:
        assert word in run.text, run.output
    assert {file.name: file.read_text() for file in (bare.folder / "state/ca").iterdir()} == files


def test_missing_groups(bare: BareHost) -> None:
    run = bare.deploy({}, groups=("kafka", "producers"))
    check_refused(bare, run, "hosts.json has no host in group elasticsearch, consumers.", "Add at least one")


def test_kibana_that_would_not_listen_on_its_address(bare: BareHost) -> None:
    run = bare.deploy({"pipeline_address": "::1"}, groups=(*GROUPS, "kibana"))
    check_refused(bare, run, f"{NAME}: pipeline_address is ::1, but kibana_server_host is 0.0.0.0", "Set it to '::'")


def test_a_spark_cluster_by_addresses_of_ipv6(bare: BareHost) -> None:
    run = bare.deploy({"pipeline_address": "::1"}, groups=(*GROUPS, "spark_master", "spark_workers"))
    check_refused(bare, run, f"{NAME}: pipeline_address is ::1", "never tried: set pipeline_address to a name")


def test_half_a_spark_cluster(bare: BareHost) -> None:
    run = bare.deploy({}, groups=(*GROUPS, "spark_master"))
    check_refused(bare, run, "both spark_master and spark_workers", "leave both empty")


def test_executors_that_do_not_fit(bare: BareHost) -> None:
    groups = (*GROUPS, "spark_master", "spark_workers")
    run = bare.deploy({"spark_consumer_executor_cores": 4}, groups=groups)
    check_refused(bare, run, "each with 4 cores", f"have room for 0 ({NAME}: 0)", "raise spark_worker_cores")


def test_a_node_id_given_twice(bare: BareHost) -> None:
    run = bare.deploy({}, second={"kafka_node_id": 1})
    assert run.returncode != 0 and run.changed == 0, run.output
    assert "Each host of the group kafka needs a kafka_node_id of its own" in run.text, run.output


@contextmanager
def prepared(bare: BareHost, command: str, undo: str) -> Iterator[None]:
    """A host on which a shell command has been run, and is undone afterwards."""
    bare.host.check_output(command)
    try:
        yield
    finally:
        bare.host.check_output(undo)


# What the kernel tells below /proc/sys cannot be changed, so another folder takes its place.
OWN_SYS = (
    "mkdir -p /run/sys/vm && cat /proc/sys/vm/max_map_count > /run/sys/vm/max_map_count"
    " && mount --bind /run/sys /proc/sys"
)
OWN_SYS_GONE = "umount /proc/sys && rm -r /run/sys"

# What a host has, how it is undone, and words of the message
HOSTS: dict[str, tuple[str, str, list[Any]]] = {
    "unsupported system": (
        "rm /etc/os-release && printf 'NAME=Ubuntu\\nID=ubuntu\\nVERSION_ID=\"22.04\"\\n' > /etc/os-release",
        "ln -sf ../usr/lib/os-release /etc/os-release",
        [f"{NAME} runs Ubuntu 22.04", "Supported are Debian 12 and 13", "take it out of the inventory"],
    ),
    "system of another family": (
        "rm /etc/os-release && echo 'Rocky Linux release 9.4 (Blue Onyx)' > /etc/redhat-release"
        ' && printf \'NAME="Rocky Linux"\\nID=rocky\\nVERSION_ID="9.4"\\n\' > /etc/os-release',
        "rm /etc/redhat-release && ln -sf ../usr/lib/os-release /etc/os-release",
        [f"{NAME} runs Rocky 9.4", "Supported are Debian 12 and 13"],
    ),
    "FIPS mode": (
        f"{OWN_SYS} && mkdir /run/sys/crypto && echo 1 > /run/sys/crypto/fips_enabled",
        OWN_SYS_GONE,
        [f"{NAME} runs in FIPS mode", "without fips=1"],
    ),
    "vm.max_map_count of a container": (
        f"{OWN_SYS} && echo 65530 > /run/sys/vm/max_map_count && mount -o remount,bind,ro /proc/sys",
        OWN_SYS_GONE,
        [NAME, "vm.max_map_count is 65530, Elasticsearch needs 262144", "cannot be set from inside", "/etc/sysctl.d/"],
    ),
    "programs on a file system that runs none": (
        "mount -t tmpfs -o noexec,size=3g programs /opt",
        "umount /opt",
        [NAME, "the folder of all programs is /opt, which is mounted noexec", "/etc/fstab", "mount it anew"],
    ),
    "data on a file system that runs no code": (
        "mkdir /var/lib/elasticsearch && mount -t tmpfs -o noexec,size=5g data /var/lib/elasticsearch",
        "umount /var/lib/elasticsearch && rmdir /var/lib/elasticsearch",
        [NAME, "elasticsearch_data_dir is /var/lib/elasticsearch, which is mounted noexec", "choose another folder"],
    ),
    "taken port of Kafka": (
        "systemd-run --quiet --unit=holder --socket-property=ListenStream=9092 true",
        "systemctl stop holder.socket",
        [NAME, "port 9092 is taken by another program", "pipeline_kafka_port"],
    ),
    "taken port of Elasticsearch": (
        "systemd-run --quiet --unit=holder --socket-property=ListenStream=127.0.0.1:9300 true",
        "systemctl stop holder.socket",
        [NAME, "port 9300 is taken by another program", "elasticsearch_transport_port"],
    ),
    "data of another node": (
        "mkdir -p /var/lib/kafka/data && echo node.id=7 > /var/lib/kafka/data/meta.properties"
        " && touch /etc/systemd/system/kafka.service",
        "rm -r /var/lib/kafka /etc/systemd/system/kafka.service",
        [NAME, "kafka_node_id is 1, but its data belongs to node 7", "Set kafka_node_id to 7"],
    ),
    "data of a newer Elasticsearch": (
        "mkdir -p /opt/elasticsearch/8.99.0-0123abcd /var/lib/elasticsearch/data/_state"
        " && ln -s 8.99.0-0123abcd /opt/elasticsearch/current",
        "rm -r /opt/elasticsearch /var/lib/elasticsearch",
        ["elasticsearch 8.99.0 -> 8.19.13 is refused", "/var/lib/elasticsearch/data/_state was written by 8.99.0"],
    ),
    "a checkpoint of a newer Spark": (
        "mkdir -p /opt/spark/4.99.0-0123abcd /var/lib/login-consumer/checkpoint"
        " && ln -s 4.99.0-0123abcd /opt/spark/current",
        "rm -r /opt/spark /var/lib/login-consumer",
        ["spark 4.99.0 -> 4.2.0 is refused", "move /var/lib/login-consumer/checkpoint away", "nothing is lost"],
    ),
}


@pytest.mark.parametrize("case", HOSTS)
def test_unfit_hosts(case: str, bare: BareHost) -> None:
    command, undo, words = HOSTS[case]
    with prepared(bare, command, undo):
        check_refused(bare, bare.deploy({}), *words)


def test_a_node_exporter_that_is_there_already(bare: BareHost) -> None:
    held = "systemd-run --quiet --unit=holder --socket-property=ListenStream=9100 true"
    with prepared(bare, held, "systemctl stop holder.socket"):
        run = bare.deploy({"pipeline_metrics": True})
        check_refused(bare, run, NAME, "port 9100 is taken by another program", "set metrics_node_exporter to false")


def test_secrets_that_others_can_read(bare: BareHost) -> None:
    secrets = bare.folder / "state" / "secrets.yml"
    secrets.parent.mkdir()
    secrets.write_text("elastic_password: not to be shown\n")
    secrets.chmod(0o644)
    run = bare.deploy({})
    assert run.returncode != 0 and run.changed == 0, run.output
    assert f"others can read it: run chmod 600 {secrets}" in run.text, run.output
    assert "not to be shown" not in run.text
    assert secrets.read_text() == "elastic_password: not to be shown\n"
