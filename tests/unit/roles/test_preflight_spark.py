# SPDX-License-Identifier: Apache-2.0
"""The preflight's rules of Spark, its cluster and the consumer."""

# ruff: noqa: S108  (folders below /tmp are named to be refused)
from __future__ import annotations

from typing import Any

import pytest
from preflight_rules import Rules, check
from preflight_tasks import GROUPS, NAME, Host, Preflight

CLUSTER = (*GROUPS, "spark_master", "spark_workers")
MASTER_URL = f"spark://{NAME}:7077"
EXECUTORS = "spark_consumer_executors"


def cluster(settings: dict[str, Any] | None = None, **more: Any) -> Host:
    return Host(settings or {}, CLUSTER, **more)


def worker(cores: int = 3, memory_mb: int = 1536, **settings: Any) -> Host:
    """A cluster whose one worker offers this, and what the consumer asks for."""
    own = {f"spark_consumer_{name}": value for name, value in settings.items()}
    return cluster(own, found={"__pipeline_spark_offer": {"cores": cores, "memory_mb": memory_mb}})


def mixed(left_out: tuple[str, ...] = (), group: str = "spark_workers", **facts: Any) -> Host:
    """A cluster with another host, which may differ."""
    return cluster(others={"other": Host(groups=(group,), facts=facts)}, left_out=left_out)


def looked_for(name: str, *found: tuple[Any, bool]) -> Host:
    return Host(found={name: {"results": [{"item": item, "stat": {"exists": there}} for item, there in found]}})


def kept(pipeline: int = 400, progress: int = 35, letters: int = 90, hours: int = 168) -> Host:
    """A host on which events, accounts and dead letters are kept for so many days, records in Kafka for hours."""
    return Host(
        {
            "pipeline_retention_days": pipeline,
            "spark_consumer_progress_days": progress,
            "spark_consumer_dead_letter_days": letters,
            "kafka_topic_retention_hours": hours,
        }
    )


RULES: Rules = {
    "spark: Refuse half a cluster": (
        [
            (Host(groups=(*GROUPS, group)), ["both spark_master and spark_workers", "leave both empty"])
            for group in ("spark_master", "spark_workers")
        ],
        [Host(), cluster()],
    ),
    "spark: Refuse a second master": (
        [(mixed(group="spark_master"), [f"spark_master has 2 hosts ({NAME}, other)", "Leave one"])],
        [Host(), cluster(), mixed(group="spark_workers")],
    ),
    "spark: Refuse hosts whose Java and Python differ": (
        [
            (
                mixed(distribution_major_version="13"),
                [f"found Debian {NAME}: 12 x86_64, other: 13 x86_64", "Reinstall"],
            ),
            (mixed(architecture="aarch64"), ["other: 12 aarch64"]),
        ],
        [
            Host(),
            cluster(),
            mixed(),
            mixed(distribution_major_version="13", group="kafka"),
            mixed(distribution_major_version="13", left_out=("other",)),
        ],
    ),
    "spark: Refuse an address that Spark was never tried with": (
        [
            (
                cluster({"pipeline_address": "::1"}),
                [f"{NAME}: pipeline_address is ::1", "never tried: set pipeline_address to a name"],
            )
        ],
        [cluster(), Host({"pipeline_address": "::1"})],
    ),
    "spark: Refuse folders that do not fit > Refuse folders that services cannot use": (
        [
            (cluster({"spark_data_dir": "/var/tmp"}), ["spark_data_dir is /var/tmp."]),
            (cluster({"spark_data_dir": "spark"}), ["spark_data_dir is 'spark'."]),
        ],
        [Host({"spark_data_dir": "/tmp"}), cluster()],
    ),
    "spark: Refuse folders that do not fit > Refuse folders that are mounted noexec": (
        [
            (
                cluster(found={"__pipeline_mounts": {"stdout_lines": ["noexec"]}}),
                ["spark_data_dir is /var/lib/spark, which is mounted noexec"],
            )
        ],
        [cluster(found={"__pipeline_mounts": {"stdout_lines": ["rw"]}})],
    ),
    "spark: Refuse ports that another program holds > Refuse ports that another program holds": (
        [
            (
                cluster(state={"listening": [f"0.0.0.0:{port}"], "active": active.split()}),
                [f"port {port} is taken", "('ss -ltnp' shows which)", f"another port ({settings})"],
            )
            for port, active, settings in (
                (7077, "spark-worker ", "pipeline_spark_master_port, spark_master_ui_port"),
                (8080, "", "pipeline_spark_master_port, spark_master_ui_port"),
                (7078, "spark-master ", "spark_worker_port, spark_worker_ui_port"),
                (8081, "", "spark_worker_port, spark_worker_ui_port"),
            )
        ],
        [
            cluster(),
            cluster(state={"listening": ["0.0.0.0:7077", "0.0.0.0:8081"], "active": ["spark-master", "spark-worker"]}),
            Host(state={"listening": ["0.0.0.0:7077"]}),
        ],
    ),
    "spark_consumer: Refuse a second consumer": (
        [
            (
                Host(others={"other": Host(groups=("consumers",))}),
                [f"consumers has 2 hosts ({NAME}, other)", "leave one host in the group"],
            )
        ],
        [Host(), Host(others={"other": Host(groups=("kafka",))})],
    ),
    "spark_consumer: Refuse a Spark master that the consumer cannot use": (
        [
            (
                Host({"spark_consumer_master": "spark://elsewhere:7077"}),
                ["spark_consumer_master is spark://elsewhere:7077", "groups spark_master and spark_workers"],
            ),
            (cluster({"spark_consumer_master": "spark://elsewhere:7077"}), ["is spark://elsewhere:7077"]),
            (Host({"spark_consumer_master": "local[2]"}), ["Use local[tasks,tries], as in local[2,4]"]),
            (Host({"spark_consumer_master": "local[*,4]"}), ["spark_consumer_master is local[*,4]"]),
            (Host({"spark_consumer_master": "yarn"}), ["spark_consumer_master is yarn"]),
        ],
        [
            Host(),
            cluster(),
            Host({"spark_consumer_master": "local[1,1]"}),
            cluster({"spark_consumer_master": MASTER_URL}),
        ],
    ),
    "spark_consumer: Refuse executors that do not fit on the workers": (
        [
            (
                worker(executor_cores=4),
                [
                    f"{EXECUTORS} is 1, each with 4 cores and 768 MB, but the workers have room for 0 ({NAME}: 0)",
                    "raise spark_worker_cores",
                ],
            ),
            (worker(executor_memory_mb=1537), ["have room for 0"]),
            (worker(executors=2), [f"{EXECUTORS} is 2", "have room for 1"]),
            (worker(executors=0), [f"{EXECUTORS} is 0"]),
        ],
        [
            Host(),
            worker(),
            worker(executor_cores=3, executor_memory_mb=1536),
            worker(cores=4, executors=2),
            # A worker that the run leaves out has not told what it offers.
            cluster({"spark_consumer_executors": 9}),
        ],
    ),
    "spark_consumer: Refuse pseudonyms beside what they hide": (
        [
            (
                Host({"spark_consumer_pseudonyms": ["user", "source_ip"], "spark_consumer_keep_original": True}),
                [f"{NAME}: spark_consumer_pseudonyms is user, source_ip", "or set it to false"],
            )
        ],
        [
            Host(),
            Host({"spark_consumer_pseudonyms": ["user"]}),
            Host({"spark_consumer_pseudonyms": ["user"], "spark_consumer_keep_original": False}),
            Host({"spark_consumer_keep_original": False}),
        ],
    ),
    "spark_consumer: Refuse a pseudonym that is named twice": (
        [(Host({"spark_consumer_pseudonyms": ["user", "user"]}), [f"{NAME}: ", "something twice: user, user"])],
        [Host(), Host({"spark_consumer_pseudonyms": ["user", "source_ip"]})],
    ),
    "spark_consumer: Refuse GeoIP databases that are not there": (
        [
            (
                looked_for("__spark_consumer_geoip", ("/srv/city.mmdb", True), ("/srv/asn.mmdb", False)),
                [f"{NAME}: there is no GeoIP database /srv/asn.mmdb", "login-consumer must be able to read it"],
            )
        ],
        [Host(), looked_for("__spark_consumer_geoip", ("/srv/city.mmdb", True))],
    ),
    "spark_consumer: Refuse GeoIP databases that workers do not have": (
        [
            (
                looked_for("__spark_consumer_worker_geoip", (["w-1", "/srv/asn.mmdb"], False)),
                ["w-1: there is no GeoIP database /srv/asn.mmdb", "each host of spark_workers"],
            )
        ],
        [Host(), looked_for("__spark_consumer_worker_geoip", (["w-1", "/srv/asn.mmdb"], True))],
    ),
    "spark_consumer: Refuse retentions that cannot work": (
        [
            (
                kept(letters=72),
                ["spark_consumer_dead_letter_days 72", "at least 73 here", "lower spark_consumer_progress_days"],
            ),
            (kept(letters=73, hours=169), ["at least 74 here"]),
            (kept(pipeline=0), [f"{NAME}: pipeline_retention_days is 0", "None may be 0"]),
            (kept(progress=0), ["spark_consumer_progress_days 0"]),
            (Host({"pipeline_witness_days": 0}), ["pipeline_witness_days 0"]),
        ],
        [Host(), kept(letters=73), kept(pipeline=1, progress=1, letters=33, hours=1)],
    ),
    "spark_consumer: Refuse folders that do not fit > Refuse folders that are mounted noexec": (
        [
            (
                Host(found={"__pipeline_mounts": {"stdout_lines": ["noexec"]}}),
                ["the consumer's folder is /var/lib/login-consumer, which is mounted noexec"],
            )
        ],
        [Host(found={"__pipeline_mounts": {"stdout_lines": ["rw"]}})],
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule: str) -> None:
    check(RULES, rule)


def test_a_worker_tells_what_it_offers() -> None:
    """As the role gives it, not as the table above writes it."""
    for cores, told in ((3, []), (1, ["have room for 0"])):
        preflight = Preflight(cluster({"spark_worker_cores": cores}))
        preflight.do("spark: Tell the consumer's preflight what this worker offers")
        refusals = preflight.do("spark_consumer: Refuse executors that do not fit on the workers").refusals
        assert len(refusals) == len(told) and all(words in refusals[0] for words in told), refusals
