# SPDX-License-Identifier: Apache-2.0
"""The preflight's rules on what each host is and has."""

from __future__ import annotations

import pytest
from preflight_rules import Rules, check
from preflight_tasks import GROUPS, NAME, Host, Preflight

CLUSTER = (*GROUPS, "spark_master", "spark_workers")
NO_CODE = {"__pipeline_mounts": {"stdout_lines": ["rw,nosuid,noexec,relatime"]}}
CODE = {"__pipeline_mounts": {"stdout_lines": ["rw,nosuid,relatime"]}}


def disk(opt: int, active: str = "") -> Host:
    return Host(state={"free": {"/opt": opt, "/var/lib": 4000}, "active": active.split()})


def clock(seconds: int, most: int = 300) -> Host:
    return Host({"host_clock_skew_max_seconds": most}, state={"now": seconds})


def map_count(count: int, writable: bool = False, groups: tuple[str, ...] = GROUPS) -> Host:
    state = {"map_count": count, "map_count_writable": writable}
    return Host(groups=groups, state=state, others={"es": Host(groups=("elasticsearch",))})


RULES: Rules = {
    "Refuse an inventory without the groups that are needed": (
        [
            (
                Host(groups=("kafka", "producers")),
                ["made-up/hosts.yml has no host in group elasticsearch, consumers.", "Add at least one"],
            ),
            (Host(groups=("elasticsearch", "consumers")), ["no host in group kafka."]),
        ],
        [
            Host(groups=("kafka", "elasticsearch", "consumers")),
            Host(groups=("kafka",), others={"other": Host(groups=("elasticsearch", "consumers"))}),
        ],
    ),
    "Refuse a host with too little memory": (
        [
            (
                Host(facts={"memtotal_mb": 2999}, found={"__pipeline_memory": {"kafka": 1000, "report": 2000}}),
                [f"{NAME} has 2999 MB of memory", "need 3000 MB (kafka, report)", "Add memory", "kafka_heap_mb"],
            ),
        ],
        [
            Host(facts={"memtotal_mb": 3000}, found={"__pipeline_memory": {"kafka": 1000, "report": 2000}}),
            Host(facts={"memtotal_mb": 100}),  # without any service
        ],
    ),
    "host: Refuse systems that were never tried": (
        [
            (
                Host(facts={"distribution": "Ubuntu", "distribution_version": "12.04"}),
                [f"{NAME} runs Ubuntu 12.04", "Supported are Debian 12 and 13", "take it out of the inventory"],
            ),
            (
                Host(facts={"distribution_version": "11.11", "distribution_major_version": "11"}),
                ["Debian 11.11", "reinstall the host"],
            ),
            (Host(facts={"distribution_major_version": "14"}), ["Supported are Debian 12 and 13"]),
            (Host(facts={"architecture": "i686"}), ["Debian 12.8 (i686)", "arm64 (aarch64)"]),
        ],
        [Host(), Host(facts={"distribution_major_version": "13", "architecture": "aarch64"})],
    ),
    "host: Refuse hosts without systemd": (
        [(Host(facts={"service_mgr": "sysvinit"}), [f"{NAME}: process 1 is sysvinit", "a systemd container"])],
        [Host()],
    ),
    "host: Refuse hosts in FIPS mode": (
        [(Host(facts={"fips": True}), [f"{NAME} runs in FIPS mode", "without fips=1"])],
        [Host()],
    ),
    "host: Refuse a connection without root's rights": (
        [(Host(state={"uid": 1000}), [f"{NAME}: tasks run as uid 1000", "ansible_become=true"])],
        [Host()],
    ),
    "host: Refuse folders that do not fit > Refuse folders that are mounted noexec": (
        [
            (
                Host(found=NO_CODE),
                ["the folder of all programs is /opt, which is mounted noexec", "/etc/fstab", "findmnt -T /opt"],
            )
        ],
        [Host(found=CODE), Host(found={"__pipeline_mounts": {"stdout_lines": ["rw,x-noexec"]}})],
    ),
    "host: Refuse a host with too little disk": (
        [
            (disk(opt=2499), [f"{NAME}: /opt has 2499 MB free, 2500 MB are needed", "lower host_disk_free_mb"]),
            (Host({"host_disk_free_mb": {"/opt": 200_000}}), ["200000 MB are needed"]),
        ],
        [disk(opt=2500), disk(opt=0, active="kafka "), Host({"host_disk_free_mb": {}})],
    ),
    "host: Refuse a clock that is far off": (
        [
            (clock(310), [f"{NAME}: its clock is 3", "at most 300 s are accepted", "time synchronisation"]),
            (clock(-310), ["s away from the controller's"]),
            (clock(0, most=0), ["at most 0 s"]),
        ],
        [clock(290), clock(-290), clock(310, most=400)],
    ),
    "host: Refuse a host without user namespaces": (
        [
            (
                Host(state={"user_namespaces": False}),
                [f"{NAME}: root can make no user namespace", "sysctl -w user.max_user_namespaces=1000", "LXC"],
            )
        ],
        [Host()],
    ),
    "host: Refuse a low vm.max_map_count that cannot be raised": (
        [
            (
                map_count(262143),
                [
                    "vm.max_map_count is 262143, Elasticsearch needs 262144",
                    "cannot be set from inside",
                    "/etc/sysctl.d/",
                ],
            )
        ],
        [map_count(262144), map_count(65530, writable=True), map_count(65530, groups=("kafka",))],
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule: str) -> None:
    check(RULES, rule)


COUNTED = [
    "kafka: Count the memory that Kafka needs",
    "elasticsearch: Count the memory that Elasticsearch needs",
    "kibana: Count the memory that Kibana needs",
    "spark: Count the memory that the cluster's services need",
    "spark_consumer: Count the memory that the consumer needs",
    "producer: Count the memory that the producers need",
    "report: Count the memory that the report needs",
]


def test_the_memory_of_all_services_is_summed_up() -> None:
    settings = {
        "kafka_heap_mb": 1001,
        "elasticsearch_heap_mb": 1002,
        "kibana_heap_mb": 1003,
        "spark_worker_memory_mb": 1004,
        "spark_worker_cores": 5,
        "spark_consumer_driver_memory_mb": 1006,
        "producer_sources": [{"name": "a", "type": "journal"}, {"name": "b", "type": "journal"}],
    }
    groups = (*CLUSTER, "kibana", "login_sources", "reports")
    needed = 1251 + 1502 + 1403 + 450 + (450 + 1004 + 5 * 250) + 1706 + 300 + 200
    for memory, words in ((needed, []), (needed - 1, [f"its services need {needed} MB"])):
        preflight = Preflight(Host(settings, groups, {"memtotal_mb": memory}))
        for path in COUNTED:
            preflight.do(path)
        refusals = preflight.do("Refuse a host with too little memory").refusals
        assert len(refusals) == len(words) and all(word in refusals[0] for word in words), refusals
