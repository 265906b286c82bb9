# SPDX-License-Identifier: Apache-2.0
"""Hosts know each other by names: what a host makes of them is looked at before anything is changed.

All the hosts here are this machine; what tells them apart is the address that each says it has.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from playbook import Run, run_playbook

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - set_fact: {all_ipv4_addresses: ["{{ its_address }}"], cacheable: true}
    - include_role: {name: pipeline, tasks_from: names, public: true}
    - debug: {msg: "{{ [pipeline_kafka_bootstrap_servers, pipeline_elasticsearch_hosts, pipeline_spark_master_url] }}"}
"""
UNKNOWN = "kafka-2.nowhere.invalid"


def look(folder: Path, hosts: dict[str, tuple[str, str]], groups: dict[str, list[str]]) -> Run:
    """Let each host look at the names of the others. `hosts` are pipeline_address and own address by name."""
    inventory = {
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        "hosts": {name: {"pipeline_address": told, "its_address": own} for name, (told, own) in hosts.items()},
        "children": {group: {"hosts": {name: {} for name in names}} for group, names in groups.items()},
    }
    (folder / "hosts.json").write_text(json.dumps({"all": inventory}))
    (folder / "play.yml").write_text(PLAY)
    return run_playbook(folder / "play.yml", folder / "hosts.json")


def both(group: str) -> dict[str, list[str]]:
    return {"kafka": ["a"], "elasticsearch": ["a"], "consumers": ["a"], group: ["a", "b"]}


# pipeline_address and own address of two hosts a and b, the group that both are in, and words of the message
REFUSED = {
    "a name with an underscore": (
        {"a": ("login_host", "192.0.2.1"), "b": ("192.0.2.2", "192.0.2.2")},
        "kafka",
        ["b connects to login_host, which Java takes for no host", "no underscore", "Set pipeline_address of a"],
    ),
    "an address in brackets": (
        {"a": ("[2001:db8::1]", "192.0.2.1"), "b": ("192.0.2.2", "192.0.2.2")},
        "kafka",
        ["a connects to [2001:db8::1], which", "without brackets"],
    ),
    "a name that nobody knows": (
        {"a": ("192.0.2.1", "192.0.2.1"), "b": (UNKNOWN, "192.0.2.2")},
        "kafka",
        [f"a connects to {UNKNOWN}, and knows no address", "/etc/hosts", "pipeline_address of b"],
    ),
    "another host's name is this host": (
        {"a": ("192.0.2.1", "192.0.2.1"), "b": ("localhost", "192.0.2.2")},
        "kafka",
        ["a takes localhost for", "its own loopback", "real addresses"],
    ),
    "Debian's 127.0.1.1, which Elasticsearch would tell the others": (
        {"a": ("127.0.1.1", "192.0.2.1"), "b": ("192.0.2.2", "192.0.2.2")},
        "elasticsearch",
        ["a takes 127.0.1.1 for 127.0.1.1", "could not reach this one", "Debian writes 127.0.1.1"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_names_that_lead_nowhere(case: str, tmp_path: Path) -> None:
    hosts, group, words = REFUSED[case]
    run = look(tmp_path, hosts, both(group))
    assert run.returncode != 0 and run.changed == 0, run.output
    for word in words:
        assert word in run.text, run.output


# Names that are well, and what becomes of them
ACCEPTED = {
    "each is known": (
        {"a": ("192.0.2.1", "192.0.2.1"), "b": ("192.0.2.2", "192.0.2.2")},
        both("elasticsearch"),
        ["192.0.2.1:9092", "https://192.0.2.1:9200,https://192.0.2.2:9200"],
    ),
    "addresses of IPv6": (
        {"a": ("2001:db8::1", "192.0.2.1"), "b": ("2001:db8::2", "192.0.2.2")},
        {**both("elasticsearch"), "spark_master": ["a"], "spark_workers": ["b"]},
        [
            "[2001:db8::1]:9092",
            "https://[2001:db8::1]:9200,https://[2001:db8::2]:9200",
            "spark://[2001:db8::1]:7077",
        ],
    ),
    "Debian's 127.0.1.1 of a host alone": ({"a": ("127.0.1.1", "192.0.2.1")}, {**both("x"), "x": ["a"]}, []),
    "hosts that share one network": (
        {"a": ("127.0.1.1", "192.0.2.1"), "b": ("127.0.1.2", "192.0.2.1")},
        both("elasticsearch"),
        [],
    ),
    "a name that this host does not connect to": (
        {"a": ("192.0.2.1", "192.0.2.1"), "b": ("login_host", "192.0.2.2")},
        both("producers"),
        [],
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_names_that_are_well(case: str, tmp_path: Path) -> None:
    hosts, groups, words = ACCEPTED[case]
    run = look(tmp_path, hosts, groups)
    assert run.returncode == 0, run.output
    for word in words:
        assert word in run.text, run.output
