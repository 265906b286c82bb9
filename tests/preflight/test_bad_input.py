# SPDX-License-Identifier: Apache-2.0
"""Bad input stops a deployment before anything is changed, and says what is wrong where and what to do.

Each way by which the preflight finds something is gone once, by a whole run; the other hosts wait for --long. What is
refused with which words is tested rule by rule, without hosts: tests/unit/roles/test_preflight_*.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bare_host import NAME, BareHost
from certificates import put, root
from playbook import Run

TOO_MUCH_MB = 100_000_000


def check_refused(bare: BareHost, run: Run, *words: str) -> None:
    """The run has failed with these words, and changed neither the host nor the controller."""
    assert run.returncode != 0, run.output
    for word in words:
        assert word in run.text, run.output
    assert run.changed == 0, run.output
    assert "failed=1" in run.output, run.output  # refused, and not because of an error in a template
    made = {str(path.relative_to(bare.folder)) for path in bare.folder.rglob("*")}
    assert made <= {"hosts.json", "state", "state/run.lock"}, "but for the lock, nothing was made here either"


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
    # The last of the rules: those of all roles come before it.
    "memory": ({"kafka_heap_mb": TOO_MUCH_MB}, [NAME, "MB of memory", "kafka_heap_mb", "Add memory"]),
    "a name that the host does not know": (
        {"pipeline_address": "login.nowhere.invalid"},
        [f"{NAME} connects to login.nowhere.invalid, and knows no address", "/etc/hosts", "pipeline_address"],
    ),
}
# What the host is asked for: what follows from the answer is in tests/unit/roles/test_preflight_hosts.py.
MEASURES = {
    "disk": ({"host_disk_free_mb": {"/var/lib": TOO_MUCH_MB}}, [NAME, "/var/lib has", f"{TOO_MUCH_MB} MB are needed"]),
    "clock": ({"host_clock_skew_max_seconds": 0}, [NAME, "its clock is", "time synchronisation"]),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_wrong_variables(case: str, bare: BareHost) -> None:
    variables, words = VARIABLES[case]
    check_refused(bare, bare.deploy(variables), *words)


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("case", MEASURES)
def test_too_much_is_asked_of_the_host(case: str, bare: BareHost) -> None:
    variables, words = MEASURES[case]
    check_refused(bare, bare.deploy(variables), *words)


def test_a_wrong_authority(bare: BareHost) -> None:
    files = {"ca.pem": root().pem, "ca.key": root().key_pem(), "new.pem": root(days=-1).pem}
    put(bare.folder / "state/ca", files)
    run = bare.deploy({})
    assert run.returncode != 0 and run.changed == 0, run.output
    for word in ("ca.key belongs to no certificate of", "move ca.key away", "new.pem: the CA 'CN=Root' ended on"):
        assert word in run.text, run.output
    assert {file.name: file.read_text() for file in (bare.folder / "state/ca").iterdir()} == files


def test_missing_groups(bare: BareHost) -> None:
    run = bare.deploy({}, groups=("kafka", "producers"))
    check_refused(bare, run, "hosts.json has no host in group elasticsearch, consumers.", "Add at least one")


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
Hosts = dict[str, tuple[str, str, list[Any]]]
HOSTS: Hosts = {
    "programs on a file system that runs none": (
        "mount -t tmpfs -o noexec,size=3g programs /opt",
        "umount /opt",
        [NAME, "the folder of all programs is /opt, which is mounted noexec", "/etc/fstab", "mount it anew"],
    ),
    "taken port of Kafka": (
        "systemd-run --quiet --unit=holder --socket-property=ListenStream=9092 true",
        "systemctl stop holder.socket",
        [NAME, "port 9092 is taken by another program", "pipeline_kafka_port"],
    ),
    "data of a newer Elasticsearch": (
        "mkdir -p /opt/elasticsearch/8.99.0-0123abcd /var/lib/elasticsearch/data/_state"
        " && ln -s 8.99.0-0123abcd /opt/elasticsearch/current",
        "rm -r /opt/elasticsearch /var/lib/elasticsearch",
        ["elasticsearch 8.99.0 -> 8.19.13 is refused", "/var/lib/elasticsearch/data/_state was written by 8.99.0"],
    ),
}
# The same of what is found in the same ways
MORE_HOSTS: Hosts = {
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
    "data on a file system that runs no code": (
        "mkdir /var/lib/elasticsearch && mount -t tmpfs -o noexec,size=5g data /var/lib/elasticsearch",
        "umount /var/lib/elasticsearch && rmdir /var/lib/elasticsearch",
        [NAME, "elasticsearch_data_dir is /var/lib/elasticsearch, which is mounted noexec", "choose another folder"],
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


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("case", MORE_HOSTS)
def test_more_unfit_hosts(case: str, bare: BareHost) -> None:
    command, undo, words = MORE_HOSTS[case]
    with prepared(bare, command, undo):
        check_refused(bare, bare.deploy({}), *words)


@pytest.mark.usefixtures("long")
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
