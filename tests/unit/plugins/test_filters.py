# SPDX-License-Identifier: Apache-2.0
"""What the playbooks decide from the settings and states of several hosts."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from addresses import own_loopback
from ansible.errors import AnsibleFilterError
from certificates_of_owner import brought_certificates
from host_values import host_values
from kafka_accounts import kafka_byte_rates, kafka_passwords, kafka_writer_acls
from needed_services import not_started
from retention_change import shorter_retentions
from turns import restart_batches, restart_turns, without_vote
from versions import locked_versions, version_steps

HOSTS = ["a", "b", "c"]


def test_values_of_other_hosts() -> None:
    hostvars = {"a": {"port": 1}, "b": {}, "c": {"port": 3}}
    assert host_values(HOSTS, hostvars, "port", 9) == {"a": 1, "b": 9, "c": 3}
    assert host_values(HOSTS, hostvars, "port") == {"a": 1, "c": 3}
    assert host_values(HOSTS, hostvars, "port", None) == {"a": 1, "b": None, "c": 3}


def node(active: bool = True, due: bool = False, state: str | None = None) -> dict[str, Any]:
    known: dict[str, Any] = {
        "__pipeline_host": {"active": ["kafka", "login"] if active else ["login"]},
        "__kafka_due": {"stat": {"exists": due}},
    }
    return known if state is None else {**known, "__kafka_state": state}


@pytest.mark.parametrize(
    ("hostvars", "in_play", "last", "turns"),
    [
        pytest.param({h: node() for h in HOSTS}, HOSTS, [], [], id="nothing is due"),
        pytest.param({h: node(due=True) for h in HOSTS}, HOSTS, [], HOSTS, id="an earlier run was interrupted"),
        pytest.param({h: node(state="restarted") for h in HOSTS}, HOSTS, [], HOSTS, id="this run changes something"),
        pytest.param({h: node(due=True) for h in HOSTS}, HOSTS, ["a"], ["b", "c", "a"], id="the leader comes last"),
        pytest.param({h: node(due=True) for h in HOSTS}, HOSTS, ["b", "a"], ["c", "a", "b"], id="masters come last"),
        pytest.param({h: node(due=True) for h in HOSTS}, ["a", "c"], [], ["a", "c"], id="--limit"),
        pytest.param(
            {**{h: node(due=True) for h in HOSTS}, "b": node(False, True)}, HOSTS, [], ["a", "c"], id="one is stopped"
        ),
        pytest.param({**{h: node() for h in HOSTS}, "c": node(state="started")}, HOSTS, [], [], id="one was started"),
        pytest.param({"a": node(due=True)}, ["a"], [], [], id="a node alone"),
    ],
)
def test_turns(hostvars: dict[str, Any], in_play: list[str], last: list[str], turns: list[str]) -> None:
    assert restart_turns(list(hostvars), hostvars, "kafka", in_play, last) == turns


@pytest.mark.parametrize(
    ("busy", "batches"),
    [
        ([], [["a", "b", "c"]]),
        (["b"], [["a", "c"], ["b"]]),
        (["a", "b", "c"], [["a"], ["b"], ["c"]]),
    ],
)
def test_batches(busy: list[str], batches: list[list[str]]) -> None:
    hostvars = {host: node(state="restarted" if host in busy else None) for host in HOSTS}
    assert restart_batches(HOSTS, hostvars, "kafka") == batches
    stopped = {host: node(active=False, state="restarted") for host in HOSTS}
    assert restart_batches(HOSTS, stopped, "kafka") == [HOSTS], "who is stopped interrupts nobody"


def test_no_host_no_batch() -> None:
    assert restart_batches([], {}, "kafka") == []


def test_controllers_without_a_vote() -> None:
    def identity(directory: str) -> dict[str, Any]:
        text = f"#\nnode.id=1\n{directory}version=1\n"
        return {"__kafka_identity": {"content": base64.b64encode(text.encode()).decode()}}

    hostvars = {"a": identity("directory.id=AAA\n"), "b": identity("directory.id=BBB\n"), "c": identity("")}
    assert without_vote(HOSTS, hostvars, HOSTS, ["AAA"]) == ["b", "c"]
    assert without_vote(HOSTS, hostvars, ["a", "b"], ["AAA"]) == ["b"], "only hosts of this run"
    assert without_vote(["a"], hostvars, HOSTS, ["AAA", "BBB"]) == []


KNOWN = {"a": "127.0.1.1", "b": "192.0.2.2", "c": "192.0.2.3"}
FACTS = {host: {"all_ipv4_addresses": [f"192.0.2.{number}"]} for number, host in enumerate(HOSTS, 1)}


@pytest.mark.parametrize(
    ("known", "asking", "facts", "astray"),
    [
        pytest.param(KNOWN, ["a"], FACTS, [], id="its own name, for itself"),
        pytest.param(KNOWN, ["a", "b"], FACTS, ["a"], id="its own name, which it gives to others"),
        pytest.param({**KNOWN, "b": "127.0.0.1"}, [], FACTS, ["b"], id="another's name"),
        pytest.param({**KNOWN, "b": "::1"}, [], FACTS, ["b"], id="IPv6"),
        pytest.param({**KNOWN, "b": "::12"}, [], FACTS, [], id="an address that begins like it"),
        pytest.param({**KNOWN, "b": "127.0.0.1"}, [], {**FACTS, "b": FACTS["a"]}, [], id="one network"),
        pytest.param({**KNOWN, "b": "127.0.0.1"}, [], {**FACTS, "b": {}}, [], id="a host that is not in the run"),
    ],
)
def test_own_loopback(known: dict, asking: list[str], facts: dict, astray: list[str]) -> None:
    assert own_loopback(known, "a", asking, facts) == astray


WAITING = [{"role": "app", "groups": ["apps"], "for": ["store"], "in": ["configure", "run"]}]
SERVICES = {"store": {"group": "stores", "role": "store", "endpoints": ["b:1"]}}


@pytest.mark.parametrize(
    ("tags", "skip", "play", "groups", "needed"),
    [
        pytest.param(["all"], [], ["a", "b"], ["apps"], False, id="all: the run starts it"),
        pytest.param(["app"], [], ["a", "b"], ["apps"], True, id="the role alone"),
        pytest.param(["app", "store"], [], ["a", "b"], ["apps"], False, id="both roles"),
        pytest.param(["all"], [], ["a"], ["apps"], True, id="its host is left out"),
        pytest.param(["all"], ["store"], ["a", "b"], ["apps"], True, id="its role is left out"),
        pytest.param(
            ["all"], ["run"], ["a", "b"], ["apps"], True, id="its start is left out, and something still asks"
        ),
        pytest.param(["all"], ["run", "configure"], ["a", "b"], ["apps"], False, id="nothing asks"),
        pytest.param(["install"], [], ["a", "b"], ["apps"], False, id="a phase that does not ask"),
        pytest.param(["app"], [], ["a", "b"], ["stores"], False, id="a host that does not ask"),
        pytest.param(["tagged"], [], ["a", "b"], ["apps"], False, id="all that has a tag"),
    ],
)
def test_not_started(tags: list[str], skip: list[str], play: list[str], groups: list[str], needed: bool) -> None:
    run = {"group_names": groups, "play_hosts": play, "tags": tags, "skip_tags": skip}
    wanted = {"store": ["b:1"]} if needed else {}
    assert not_started(WAITING, SERVICES, run, {"apps": ["a"], "stores": ["b"]}, []) == wanted
    assert not_started(WAITING, SERVICES, run, {"apps": ["a"], "stores": ["b"]}, ["app"]) == {}
    assert not_started(WAITING, SERVICES, run, {"apps": ["a"]}, []) == {}, "nobody runs it"


def test_passwords_of_kafka() -> None:
    secrets = {"kafka_admin_password": "x", "kafka_client-a_password": "y", "elastic_password": "z"}
    assert kafka_passwords(["admin", "client-a"], secrets) == {"admin": "x", "client-a": "y"}
    assert kafka_passwords(["admin", "new"], secrets, partly=True) == {"admin": "x"}
    with pytest.raises(AnsibleFilterError, match=r"has no kafka_new_password$"):
        kafka_passwords(["admin", "new"], secrets)


def test_quotas_of_kafka() -> None:
    rates = {"source-": 8, "client-": 0}
    assert kafka_byte_rates(["source-a", "client-b", "source-client-"], rates) == {
        "source-a": 8,
        "client-b": 0,
        "source-client-": 8,
    }


def test_who_writes_to_kafka_does_nothing_else() -> None:
    rules = kafka_writer_acls(["p", "q"], "logins")
    assert [(rule["user"], rule["resource"], rule["name"], rule["operations"]) for rule in rules] == [
        ("p", "topic", "logins", ["write", "describe"]),
        ("p", "cluster", "kafka-cluster", ["idempotent_write"]),
        ("q", "topic", "logins", ["write", "describe"]),
        ("q", "cluster", "kafka-cluster", ["idempotent_write"]),
    ]


def test_versions_that_are_locked() -> None:
    products = {"kafka": {"registry": {}, "upstream": {}}, "kibana": {"upstream": {}}}
    chosen = {"kafka": "1", "kibana": "2", "other": "3"}
    assert locked_versions(chosen, products, {}, "registry") == ["kafka"]
    assert locked_versions(chosen, products, {"kafka": "upstream"}, "registry") == []
    assert locked_versions(chosen, products, {"kafka": "registry"}, "upstream") == ["kafka"]


def test_steps_of_versions() -> None:
    steps = {
        "a": {"kafka": {"kind": "forward", "installed": "1", "wanted": "2"}, "spark": {"kind": "same"}},
        "b": {"kafka": {"kind": "back", "installed": "3", "wanted": "2"}, "spark": {"kind": "first"}},
    }
    assert version_steps(steps) == ["a: kafka 1 -> 2", "b: kafka 3 -> 2"]


def test_shorter_retentions() -> None:
    text = 'topic = "t"\nevents_days = 400\nother_days = 9\nprogress_days = 35\n'
    assert shorter_retentions(text, {"events_days": 30, "progress_days": "36"}) == ["events_days: 30 instead of 400"]
    assert shorter_retentions("", {"events_days": 30}) == []


def test_certificates_that_a_ca_of_the_owner_brings() -> None:
    assert brought_certificates([{"name": "kafka", "subject": "/OU=kafka"}], "/pki/requests/a") == [
        {"file": "/pki/requests/a.kafka.pem", "request": "/pki/requests/a.kafka.csr", "subject": "/OU=kafka"}
    ]
