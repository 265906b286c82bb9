# SPDX-License-Identifier: Apache-2.0
"""Runs of some hosts or parts: what they need of others and do not start themselves is looked for, once."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from preflight_rules import Rules, check
from preflight_tasks import NAME, Host, Preflight

KAFKA, ELASTICSEARCH, MASTER = "kafka-1:9092", "es-1:9200", "spark-1:7077"
OTHERS = {"kafka-1": Host(groups=("kafka",)), "es-1": Host(groups=("elasticsearch",))}
ALL = {**OTHERS, "spark-1": Host(groups=("spark_master",))}


def part(
    *groups: str,
    tags: str = "all",
    skip: str = "",
    left_out: tuple[str, ...] = (),
    answering: tuple[str, ...] = (),
    others: dict[str, Host] = OTHERS,
    **settings: Any,
) -> Host:
    """A host of these groups in a run with these --tags and --skip-tags, without these hosts."""
    found = {
        "__pipeline_run_tags": tags.split(","),
        "__pipeline_skip_tags": skip.split(",") if skip else [],
        "__pipeline_answering": {"stdout_lines": list(answering)},
    }
    return Host(settings, groups, found=found, others=others, left_out=left_out)


RULES: Rules = {
    "pipeline: Refuse to wait for services that are not there": (
        [
            (
                part("producers", left_out=("kafka-1", "es-1")),
                [
                    f"{NAME} needs kafka, and cannot connect to {KAFKA}. This run does not start it",
                    "ansible-playbook -i ",
                    " site.yml. Otherwise 'systemctl status kafka' on its hosts, kafka-1,",
                ],
            ),
            (part("login_sources", tags="producer"), ["needs kafka"]),
            (part("reports", tags="report", answering=(KAFKA,)), ["needs elasticsearch", ELASTICSEARCH]),
        ],
        [
            part("producers", tags="producer", answering=(KAFKA,)),
            # One of several is enough, as it is for clients.
            part(
                "producers",
                tags="producer",
                answering=("kafka-2:9092",),
                others={**OTHERS, "kafka-2": Host(groups=("kafka",))},
            ),
            part("producers"),
        ],
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule: str) -> None:
    check(RULES, rule)


BOTH, THREE = {"kafka", "elasticsearch"}, {"kafka", "elasticsearch", "spark-master"}


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        pytest.param(part("producers", "consumers", "reports", "kibana"), set(), id="a whole run"),
        pytest.param(part("producers", tags="producer"), {"kafka"}, id="a producer"),
        pytest.param(part("producers", tags="run"), set(), id="the phase that starts all"),
        pytest.param(part("producers", tags="kafka,producer"), set(), id="with Kafka's own tag"),
        pytest.param(part("producers", skip="kafka"), {"kafka"}, id="without Kafka"),
        pytest.param(part("producers", skip="kafka,producer"), set(), id="without Kafka and the producer"),
        pytest.param(part("producers", skip="run"), set(), id="without the phase that waits"),
        *[
            pytest.param(part("producers", "consumers", tags=tag), set(), id=f"only {tag}")
            for tag in ("preflight", "install", "host", "pki")
        ],
        pytest.param(
            part("producers", "consumers", tags="configure"), {"elasticsearch"}, id="the phase that configures"
        ),
        pytest.param(part("consumers", tags="spark_consumer"), BOTH, id="the consumer"),
        pytest.param(part("consumers", tags="spark_consumer", others=ALL), THREE, id="the consumer of a cluster"),
        pytest.param(part("consumers", left_out=("kafka-1",)), {"kafka"}, id="the consumer without Kafka's host"),
        pytest.param(part("consumers", tags="backup"), set(), id="no backups"),
        pytest.param(part("consumers", tags="backup", pipeline_backup_dir="/srv/b"), {"elasticsearch"}, id="backups"),
        pytest.param(part("reports", left_out=("es-1",)), {"elasticsearch"}, id="a report"),
        pytest.param(part("kibana", left_out=("es-1",)), {"elasticsearch"}, id="Kibana"),
        pytest.param(part("elasticsearch", tags="metrics", pipeline_metrics=True), {"elasticsearch"}, id="metrics"),
        pytest.param(part("elasticsearch", tags="metrics"), set(), id="no metrics"),
        pytest.param(part("spark_workers", left_out=("kafka-1", "es-1")), set(), id="a worker"),
        pytest.param(part("kafka", left_out=("kafka-1",)), set(), id="a broker"),
    ],
)
def test_what_a_run_needs_and_does_not_start(host: Host, wanted: set[str]) -> None:
    look = "pipeline: Look for the services that this run needs and does not start"
    assert set(Preflight(host).read(look, "__pipeline_not_started")) == wanted


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_one_look_takes_seconds(address: str) -> None:
    """An address that answers, one that refuses, and one that nothing comes from."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refused = closed.getsockname()[1]
    with socket.create_server((address, 0), family=family) as listening:
        port = listening.getsockname()[1]
        there = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        brokers = f"{there},127.0.0.1:{refused},192.0.2.77:9092,broker.nowhere.invalid:9092"
        preflight = Preflight(part("producers", tags="producer", pipeline_kafka_bootstrap_servers=brokers))
        began = time.monotonic()
        preflight.do("pipeline: Look for the services that this run needs and does not start")
        assert time.monotonic() - began < 30
        assert preflight.do("pipeline: Refuse to wait for services that are not there").refusals == []
    assert preflight.read(
        "pipeline: Look for the services that this run needs and does not start", "__pipeline_answering.stdout_lines"
    ) == [there]
