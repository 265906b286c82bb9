# SPDX-License-Identifier: Apache-2.0
"""The preflight's rules on names, of hosts and in certificates: what others make of them."""

from __future__ import annotations

from typing import Any

import pytest
from preflight_rules import Rules, check
from preflight_tasks import GROUPS, NAME, Host, Preflight

CLUSTER = (*GROUPS, "spark_master", "spark_workers")


def named(address: str, other: str = "192.0.2.2", group: str = "kafka", **found: Any) -> Host:
    """A host of some address, and another of the same group, on another network."""
    its = Host({"pipeline_address": other}, (group,), {"all_ipv4_addresses": ["192.0.2.2"]})
    return Host({"pipeline_address": address}, (*GROUPS, group), found=found, others={"other": its})


def known(own: str, other: str, group: str = "kafka") -> Host:
    """The same by names, which this host takes for these addresses."""
    return named("own", "its", group, __pipeline_known={NAME: own, "other": other})


RULES: Rules = {
    "pipeline: Refuse names that cannot be a host's": (
        [
            (
                named("192.0.2.1", "login_host"),
                [f"{NAME} connects to login_host, which Java takes", "no underscore", "Set pipeline_address of other"],
            ),
            (named("[2001:db8::1]"), [f"{NAME} connects to [2001:db8::1], which", "without brackets"]),
            (named("login_host"), [f"Set pipeline_address of {NAME}"]),
            (named("fe80::1%eth0"), ["and zone"]),
            (named("login."), ["connects to login., which"]),
            (named("-login"), ["letters, digits and dashes between dots"]),
            (named("a" * 64), ["connects to aaaa"]),
        ],
        [
            named("192.0.2.1", "Login-2.example.org"),
            named("2001:db8::1", "a" * 63),
            # Nothing connects to a producer.
            named("192.0.2.1", "login_host", "producers"),
        ],
    ),
    "pipeline: Refuse names that a host does not know": (
        [
            (
                known("192.0.2.1", "unknown"),
                [
                    f"{NAME} connects to its, and knows no address for it (",
                    "/etc/hosts",
                    "set pipeline_address of other to",
                ],
            ),
            (known("unknown", "unknown"), ["connects to own, its, and knows no address for them ("]),
        ],
        [known("192.0.2.1", "192.0.2.2")],
    ),
    "pipeline: Refuse names that lead elsewhere": (
        [
            (known("192.0.2.1", "127.0.0.1"), [f"{NAME} takes its for 127.0.0.1, its own loopback", "real addresses"]),
            (known("192.0.2.1", "::1"), [f"{NAME} takes its for ::1"]),
            # Elasticsearch and Spark tell others what their own name is here.
            (known("127.0.1.1", "192.0.2.2", "elasticsearch"), ["takes own for 127.0.1.1", "could not reach this one"]),
            (
                Host(
                    {"pipeline_address": "own"},
                    CLUSTER,
                    found={"__pipeline_known": {NAME: "127.0.1.1", "other": "192.0.2.2"}},
                    others={"other": Host(groups=("spark_workers",), facts={"all_ipv4_addresses": ["192.0.2.2"]})},
                ),
                ["Debian writes 127.0.1.1"],
            ),
        ],
        [
            known("192.0.2.1", "192.0.2.2"),
            known("127.0.1.1", "192.0.2.2", "kafka"),
            # A host alone, and hosts that share one network
            Host(found={"__pipeline_known": {NAME: "127.0.1.1"}}),
            Host(
                found={"__pipeline_known": {NAME: "127.0.1.1", "other": "127.0.1.2"}},
                others={"other": Host(groups=("kafka", "elasticsearch"))},
            ),
        ],
    ),
    "pki: Refuse lifetimes that cannot work": (
        [
            (Host({"pki_days": 10}), ["pki_renew_before_days (30) < pki_days (10)"]),
            (Host({"pki_renew_before_days": 397}), ["pki_renew_before_days (397) < pki_days (397)"]),
            (Host({"pki_renew_before_days": 0}), ["must satisfy 0 < pki_renew_before_days (0)"]),
            (Host({"pki_ca_days": 397}), ["< pki_ca_days (397)"]),
        ],
        [Host(), Host({"pki_renew_before_days": 1, "pki_days": 2, "pki_ca_days": 3})],
    ),
    "pki: Refuse a rule for brokers that their certificates do not fulfil": (
        [
            (
                Host(
                    {"pipeline_kafka_broker_subject": "CN=kafka-[0-9]+,O=Example"},
                    found={"__pki_read": {"authority": {"trusted": [], "signer": ""}}},
                ),
                [
                    "is CN=kafka-[0-9]+,O=Example",
                    f"{NAME} gets CN={NAME},OU=kafka-broker",
                    "Leave it at its default",
                ],
            ),
            (
                # The whole subject, not the beginning of it
                Host(
                    {"pipeline_kafka_broker_subject": "CN=[^,=]+"},
                    found={"__pki_read": {"authority": {"trusted": ["one"], "signer": "one"}}},
                ),
                [f"gets CN={NAME},OU=kafka-broker"],
            ),
            (
                Host(
                    {"pipeline_kafka_broker_subject": "CN=[^,=]+,OU=kafka-broker(/.*)?"},
                    found={"__pki_read": {"authority": {"trusted": [], "signer": ""}}},
                ),
                ["It must hold no slash"],
            ),
        ],
        [
            Host(found={"__pki_read": {"authority": {"trusted": [], "signer": ""}}}),
            Host(
                {"pipeline_kafka_broker_subject": f"CN={NAME},OU=kafka-.*"},
                found={"__pki_read": {"authority": {"trusted": ["one"], "signer": "one"}}},
            ),
            # Certificates of a CA whose key is elsewhere
            Host(
                {"pipeline_kafka_broker_subject": "CN=kafka-[0-9]+,O=Example"},
                found={"__pki_read": {"authority": {"trusted": ["one"], "signer": ""}}},
            ),
        ],
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule: str) -> None:
    check(RULES, rule)


def test_who_connects_to_whom_is_looked_up_on_the_host() -> None:
    """The one task of these that runs a program: what the system makes of names is its own matter."""
    preflight = Preflight(named("localhost", "kafka-2.nowhere.invalid"))
    preflight.do("pipeline: Look the names up")
    preflight.do("pipeline: Keep what they are here")
    (told,) = preflight.do("pipeline: Refuse names that a host does not know").refusals
    assert f"{NAME} connects to kafka-2.nowhere.invalid, and knows no address for it" in told
    (found,) = {preflight.read("pipeline: Keep what they are here", f"__pipeline_known['{NAME}']")}
    assert found in ("127.0.0.1", "::1")


@pytest.mark.parametrize(
    ("own", "other", "told"),
    [
        (
            "192.0.2.1",
            "192.0.2.2",
            ("192.0.2.1:9092,192.0.2.2:9092", "https://192.0.2.1:9200", "spark://192.0.2.1:7077"),
        ),
        (
            "2001:db8::1",
            "2001:db8::2",
            ("[2001:db8::1]:9092,[2001:db8::2]:9092", "https://[2001:db8::1]:9200", "spark://[2001:db8::1]:7077"),
        ),
    ],
)
def test_addresses_stand_before_ports(own: str, other: str, told: tuple[str, ...]) -> None:
    its = Host({"pipeline_address": other}, ("kafka",))
    preflight = Preflight(Host({"pipeline_address": own}, CLUSTER, others={"other": its}))
    names = ("pipeline_kafka_bootstrap_servers", "pipeline_elasticsearch_hosts", "pipeline_spark_master_url")
    assert tuple(preflight.read("pipeline: Look the names up", name) for name in names) == told
