# SPDX-License-Identifier: Apache-2.0
"""The preflight's rules of Kafka."""

# ruff: noqa: S108  (folders below /tmp are named to be refused)
from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from preflight_rules import Rules, check
from preflight_tasks import GROUPS, MISSING, NAME, Host

THERE = {"stat": {"exists": True}}
METRICS = {"pipeline_metrics": True}


def kafka_data(text: str) -> dict[str, Any]:
    return {"__kafka_meta": {"content": b64encode(text.encode()).decode()}}


def two(group: str, own: dict[str, Any], other: dict[str, Any], **more: Any) -> Host:
    """Two hosts of a group with these settings."""
    return Host(own, others={"other": Host(other, (group,))}, **more)


def alone(group: str, **found: Any) -> Host:
    """A host of a group whose other one is left out."""
    return Host(found=found, others={"other": Host(groups=(group,))}, left_out=("other",))


def way_back(*levels: str, kind: str = "back", data: str = "node.id=1\n") -> Host:
    """A Kafka whose data have a metadata.version, and one that the wanted version knows."""
    steps = {"kafka": {"kind": kind, "installed": "4.4.0", "wanted": "4.3.1"}}
    found = {"__pipeline_steps": steps, "__kafka_way_back": {"stdout_lines": list(levels)}}
    return Host(found={**found, **(kafka_data(data) if data else {})})


def mounted(*options: str) -> Host:
    return Host(found={"__pipeline_mounts": {"stdout_lines": list(options)}}, groups=(*GROUPS, "kibana"))


def listening(where: str, active: str = "", groups: tuple[str, ...] = GROUPS, **settings: Any) -> Host:
    """A host on which programs listen, and some of our own are active."""
    return Host(settings, groups, state={"listening": ["127.0.0.1:22", *where.split()], "active": active.split()})


def agent(where: str, installed: bool, active: str = "kafka ") -> Host:
    found = {"__kafka_agent_installed": THERE if installed else MISSING}
    return Host(METRICS, state={"listening": where.split(), "active": active.split()}, found=found)


UNPLAIN = "absolute path of letters, digits"
RULES: Rules = {
    "kafka: Refuse quotas that are no rates": (
        [
            (Host({"kafka_client_byte_rate": -1}), ["bytes a second: 0 for no bound", "8388608 and -1"]),
            (Host({"kafka_source_byte_rate": 65535}), ["at least 65536", "65535 and 4194304"]),
        ],
        [Host(), Host({"kafka_client_byte_rate": 0, "kafka_source_byte_rate": 65536})],
    ),
    "kafka: Refuse a changed node id": (
        [
            (
                Host(found=kafka_data("version=1\nnode.id=7\n")),
                [
                    "kafka_node_id is 1, but its data belongs to node 7",
                    "Set kafka_node_id to 7; a node keeps its id for life",
                ],
            ),
            (Host({"kafka_node_id": 1}, found=kafka_data("node.id=11")), ["belongs to node 11"]),
        ],
        [Host(), Host({"kafka_node_id": 7}, found=kafka_data("version=1\nnode.id=7\n"))],
    ),
    "kafka: Refuse ids that are given twice": (
        [
            (
                two("kafka", {}, {"kafka_node_id": 1}),
                ["Each host of the group kafka needs a kafka_node_id of its own; found 1, 1 for", NAME],
            ),
        ],
        [Host(), two("kafka", {}, {"kafka_node_id": 2})],
    ),
    "kafka: Refuse data of different clusters": (
        [
            (
                Host(
                    found=kafka_data("cluster.id=one\nnode.id=1"),
                    others={"other": Host(groups=("kafka",), found=kafka_data("cluster.id=two\n"))},
                ),
                [
                    "have data of different clusters: one, two",
                    "/var/lib/kafka/data/meta.properties",
                    "remove their data",
                ],
            )
        ],
        [
            Host(
                found=kafka_data("cluster.id=one\nnode.id=1"),
                others={
                    "other": Host(groups=("kafka",), found=kafka_data("cluster.id=one\n")),
                    "new": Host(groups=("kafka",)),
                },
            )
        ],
    ),
    "kafka: Refuse to make a node alone": (
        [(alone("kafka"), [f"{NAME} has no Kafka data yet, and the run leaves out other", "without --limit"])],
        [alone("kafka", **kafka_data("node.id=1")), two("kafka", {}, {}), alone("elasticsearch")],
    ),
    "kafka: Refuse a cluster without its parts": (
        [
            (two("kafka", {"kafka_process_roles": []}, {}), [f"{NAME}: kafka_process_roles is [];"]),
            (
                Host({"kafka_process_roles": ["controller"]}),
                [f"of the group kafka no host would be brokers, and {NAME} controllers", "one of both at least"],
            ),
            (
                two("kafka", {"kafka_process_roles": ["broker"]}, {"kafka_process_roles": ["broker"]}),
                [f"{NAME}, other would be brokers, and no host controllers"],
            ),
        ],
        [Host(), two("kafka", {"kafka_process_roles": ["broker"]}, {"kafka_process_roles": ["controller"]})],
    ),
    "kafka: Refuse senders whose names cannot be those of Kafka accounts": (
        [
            (
                Host({"pipeline_kafka_clients": ["filebeat", name]}),
                [f"pipeline_kafka_clients: {name} cannot be part of the name", "Use small letters"],
            )
            for name in ("Filebeat", "file beat", "-beat", "a" * 64, "beat=1", "CN=beat")
        ],
        [Host({"pipeline_kafka_clients": ["filebeat", "0.a_b-c", "a" * 63]})],
    ),
    "kafka: Check the way back > Refuse an older version than the finalized metadata.version": (
        [
            (
                way_back("30", "29"),
                [
                    f"kafka 4.4.0 -> 4.3.1 is refused on {NAME}: its data have metadata.version 30",
                    "and 4.3.1 knows at most 29",
                    "keep 4.4.0",
                ],
            ),
            (way_back("10", "9"), ["knows at most 9"]),
            (way_back(), ["have metadata.version unknown"]),
            (way_back("30"), ["knows at most unknown"]),
        ],
        [way_back("29", "29"), way_back("9", "10"), way_back(kind="forward"), way_back(data="")],
    ),
    "kafka: Refuse folders that do not fit > Refuse folders that services cannot use": (
        [
            (
                Host({"kafka_data_dir": "/tmp/kafka"}),
                [f"{NAME}: kafka_data_dir is /tmp/kafka. The system empties /tmp", "Choose another folder"],
            ),
            (Host({"kafka_data_dir": "/home/kafka"}), ["kafka_data_dir is /home/kafka", "keeps services out of /home"]),
            (Host({"kafka_log_dir": "/root"}), ["kafka_log_dir is /root."]),
            (Host({"kafka_log_dir": "/run/kafka"}), ["kafka_log_dir is /run/kafka."]),
            (Host({"kafka_log_dir": "kafka/logs"}), [f"kafka_log_dir is 'kafka/logs'. Choose an {UNPLAIN}"]),
            (Host({"kafka_data_dir": "/"}), [f"kafka_data_dir is '/'. Choose an {UNPLAIN}"]),
        ],
        [Host(), Host({"kafka_data_dir": "/srv/a.b_c/@-+/kafka", "kafka_log_dir": "/tmpfs"})],
    ),
    "kafka: Refuse folders that do not fit > Refuse folders that are mounted noexec": (
        [(mounted("rw,noexec"), [f"{NAME}: kafka_data_dir is /var/lib/kafka, which is mounted noexec"])],
        [mounted("rw,relatime")],
    ),
    "kafka: Refuse ports that another program holds > Refuse ports that another program holds": (
        [
            (
                listening("0.0.0.0:9092"),
                [
                    f"{NAME}: port 9092 is taken by another program ('ss -ltnp'",
                    "(pipeline_kafka_port, kafka_broker_port",
                ],
            ),
            (listening(":::9091"), ["port 9091 is taken"]),
            (listening("*:9093", active="elasticsearch "), ["port 9093 is taken"]),
            (listening("192.0.2.9:9092"), ["port 9092 is taken"]),
            (listening("192.0.2.9:9092", kafka_listen_address="login-1"), ["port 9092 is taken"]),
            (listening("192.0.2.1:9092", kafka_listen_address="192.0.2.1"), ["port 9092 is taken"]),
            (listening("0.0.0.0:9092", kafka_listen_address="192.0.2.1"), ["port 9092 is taken"]),
            (listening(":::9092", kafka_listen_address="2001:db8::1"), ["port 9092 is taken"]),
            (listening("0.0.0.0:7000", kafka_extra_listeners=[{"name": "A", "port": 7000}]), ["port 7000 is taken"]),
        ],
        [
            Host(),
            listening("0.0.0.0:19092"),
            listening("0.0.0.0:9092", active="kafka "),
            listening("192.0.2.9:9092", kafka_listen_address="192.0.2.1"),
            listening("21.2.3.4:9092", kafka_listen_address="1.2.3.4"),
            listening("0.0.0.0:9093", kafka_process_roles=["broker"]),
            listening("0.0.0.0:9092", kafka_process_roles=["controller"]),
        ],
    ),
    "kafka: Refuse a port for Prometheus that another program holds > Refuse ports that another program holds": (
        [
            (agent("0.0.0.0:9404", installed=False, active=""), ["port 9404 is taken", "port (kafka_metrics_port)"]),
            (agent("0.0.0.0:9404", installed=False), ["port 9404 is taken"]),
            (agent("0.0.0.0:9404", installed=True, active="elasticsearch "), ["port 9404 is taken"]),
        ],
        [
            agent("0.0.0.0:9405", installed=False),
            agent("0.0.0.0:9404", installed=True),
            listening("0.0.0.0:9404"),
        ],
    ),
    "kafka: Refuse a port for Prometheus that is Kafka's own": (
        [
            (
                Host({**METRICS, "kafka_metrics_port": port}),
                [f"{NAME}: kafka_metrics_port is {port}, on which Kafka serves", "another one"],
            )
            for port in (9091, 9092, 9093)
        ],
        [Host(METRICS), Host({"kafka_metrics_port": 9092})],
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule: str) -> None:
    check(RULES, rule)
