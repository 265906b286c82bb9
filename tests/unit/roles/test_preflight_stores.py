# SPDX-License-Identifier: Apache-2.0
"""The preflight's rules of Elasticsearch, Kibana and the backups."""

# ruff: noqa: S108  (folders below /tmp are named to be refused)
from __future__ import annotations

from typing import Any

import pytest
from preflight_rules import Rules, check
from preflight_tasks import GROUPS, NAME, Host

THERE = {"stat": {"exists": True}}


def two(group: str, own: dict[str, Any], other: dict[str, Any], **more: Any) -> Host:
    """Two hosts of a group with these settings."""
    return Host(own, others={"other": Host(other, (group,))}, **more)


def alone(group: str, **found: Any) -> Host:
    """A host of a group whose other one is left out."""
    return Host(found=found, others={"other": Host(groups=(group,))}, left_out=("other",))


def mounted(*options: str) -> Host:
    return Host(found={"__pipeline_mounts": {"stdout_lines": list(options)}}, groups=(*GROUPS, "kibana"))


def listening(where: str, active: str = "", groups: tuple[str, ...] = GROUPS, **settings: Any) -> Host:
    """A host on which programs listen, and some of our own are active."""
    return Host(settings, groups, state={"listening": ["127.0.0.1:22", *where.split()], "active": active.split()})


def kibana(**settings: Any) -> Host:
    return Host(settings, (*GROUPS, "kibana"))


UNPLAIN = "absolute path of letters, digits"
RULES: Rules = {
    "elasticsearch: Refuse to set what the role sets": (
        [
            (
                Host({"elasticsearch_extra_config": {"cluster.initial_master_nodes": ["a"]}}),
                ["elasticsearch_extra_config has cluster.initial_master_nodes", "Remove it"],
            ),
        ],
        [Host(), Host({"elasticsearch_extra_config": {"node.attr.rack": "a"}})],
    ),
    "elasticsearch: Refuse lifetimes of API keys that cannot work": (
        [
            (
                Host({"pipeline_api_key_days": 30}),
                ["pipeline_api_key_renew_before_days (30) < pipeline_api_key_days (30)"],
            ),
            (Host({"pipeline_api_key_renew_before_days": 0}), ["0 < pipeline_api_key_renew_before_days (0)"]),
        ],
        [Host(), Host({"pipeline_api_key_days": 2, "pipeline_api_key_renew_before_days": 1})],
    ),
    "elasticsearch: Refuse Elasticsearch's FIPS mode": (
        [
            (
                Host({"elasticsearch_extra_config": {"xpack.security.fips_mode.enabled": value}}),
                [NAME, "elasticsearch_extra_config has xpack.security.fips_mode.enabled", "Remove it"],
            )
            for value in (True, "true")
        ],
        [Host(), Host({"elasticsearch_extra_config": {"xpack.security.fips_mode.enabled": False}})],
    ),
    "elasticsearch: Refuse to make a node alone": (
        [(alone("elasticsearch"), ["has no Elasticsearch data yet, and the run leaves out other", "without --limit"])],
        [alone("elasticsearch", __elasticsearch_state_dir=THERE), two("elasticsearch", {}, {}), alone("kafka")],
    ),
    "elasticsearch: Refuse node roles that make no cluster": (
        [
            (
                two("elasticsearch", {"elasticsearch_node_roles": ["data"]}, {"elasticsearch_node_roles": []}),
                [f"{NAME}: elasticsearch_node_roles is [data]", "better three, is master-eligible"],
            ),
            (Host({"elasticsearch_node_roles": ["master"]}), ["a node alone needs master and data"]),
        ],
        [
            Host({"elasticsearch_node_roles": ["master", "data"]}),
            two("elasticsearch", {"elasticsearch_node_roles": ["master"]}, {"elasticsearch_node_roles": ["data"]}),
            two("elasticsearch", {"elasticsearch_node_roles": []}, {}),
        ],
    ),
    "elasticsearch: Refuse folders that do not fit > Refuse folders that services cannot use": (
        [
            (Host({"elasticsearch_data_dir": "/var/tmp/data"}), ["elasticsearch_data_dir is /var/tmp/data."]),
            (
                Host({"elasticsearch_data_dir": "/srv/my data"}),
                [f"elasticsearch_data_dir is '/srv/my data'. Choose an {UNPLAIN}", "where blanks and other signs"],
            ),
            (Host({"elasticsearch_log_dir": "/home"}), ["elasticsearch_log_dir is /home."]),
        ],
        [Host(), Host({"elasticsearch_data_dir": "/homes/data", "elasticsearch_log_dir": "/var/log/x/tmp/"})],
    ),
    "elasticsearch: Refuse folders that do not fit > Refuse folders that are mounted noexec": (
        [
            (
                mounted("noexec,rw"),
                [
                    "elasticsearch_data_dir is /var/lib/elasticsearch, which is mounted noexec",
                    "choose another folder",
                ],
            )
        ],
        [mounted("rw")],
    ),
    "elasticsearch: Refuse a heap that leaves no memory for the file cache": (
        [
            (
                Host({"elasticsearch_heap_mb": 4001}, facts={"memtotal_mb": 8001}),
                ["elasticsearch_heap_mb is 4001 and the host has 8001 MB", "at most half of it"],
            )
        ],
        [Host({"elasticsearch_heap_mb": 4000}, facts={"memtotal_mb": 8001})],
    ),
    "elasticsearch: Refuse ports that another program holds > Refuse ports that another program holds": (
        [
            (listening("127.0.0.1:9300"), ["port 9300 is taken", "(pipeline_elasticsearch_port, elasticsearch_tran"]),
            (listening("0.0.0.0:9200", active="kafka "), ["port 9200 is taken"]),
        ],
        [
            listening("0.0.0.0:9201"),
            listening("0.0.0.0:9200", active="kafka elasticsearch "),
            listening("127.0.0.1:9300", elasticsearch_network_host="192.0.2.1"),
        ],
    ),
    "kibana: Refuse a base path that Kibana would refuse": (
        [
            (kibana(kibana_base_path=path), [f"{NAME}: kibana_base_path is '{path}'", "leading slash and none at its"])
            for path in ("kibana", "/kibana/", "/", "//kibana", "/my kibana")
        ],
        [kibana(), kibana(kibana_base_path="/kibana"), kibana(kibana_base_path="/a/b")],
    ),
    "kibana: Refuse a public URL that does not end with the base path": (
        [
            (
                kibana(kibana_public_base_url=url, kibana_base_path=path),
                [f"kibana_public_base_url is {url}. It has to be http(s)", f"('{path}') and no slash at its end"],
            )
            for url, path in (
                ("https://logins.example.org", "/kibana"),
                ("https://logins.example.org/", ""),
                ("https://logins.example.org/aXb", "/a.b"),
                ("logins.example.org", ""),
            )
        ],
        [
            kibana(),
            kibana(kibana_base_path="/kibana"),
            kibana(kibana_public_base_url="http://logins.example.org:8080/a.b", kibana_base_path="/a.b"),
        ],
    ),
    "kibana: Refuse to listen on IPv4 alone for an address of IPv6": (
        [
            (
                kibana(pipeline_address="::1"),
                [f"{NAME}: pipeline_address is ::1, but kibana_server_host is 0.0.0.0", "Set it to '::'"],
            )
        ],
        [kibana(), kibana(pipeline_address="::1", kibana_server_host="::")],
    ),
    "kibana: Refuse folders that do not fit > Refuse folders that services cannot use": (
        [
            (kibana(kibana_data_dir="/home/kibana"), ["kibana_data_dir is /home/kibana."]),
            (kibana(kibana_data_dir="/srv/$data"), ["kibana_data_dir is '/srv/$data'"]),
        ],
        [kibana(), kibana(kibana_data_dir="/srv/kibana")],
    ),
    "kibana: Refuse ports that another program holds > Refuse ports that another program holds": (
        [(listening("0.0.0.0:5601", groups=(*GROUPS, "kibana")), ["port 5601 is taken", "another port (kibana_port)"])],
        [
            listening("0.0.0.0:5601", groups=(*GROUPS, "kibana"), active="kibana "),
            listening("0.0.0.0:5601", groups=(*GROUPS, "kibana"), kibana_port=5602),
            listening("0.0.0.0:56010 0.0.0.0:15601", groups=(*GROUPS, "kibana")),
        ],
    ),
    "backup: Refuse a folder and a repository at once": (
        [
            (
                Host({"pipeline_backup_dir": "/srv/backup", "backup_repository": "s3"}),
                ["pipeline_backup_dir is /srv/backup and backup_repository s3", "leave one of them empty"],
            )
        ],
        [Host(), Host({"pipeline_backup_dir": "/srv/backup"}), Host({"backup_repository": "s3"})],
    ),
    "backup: Refuse a folder that does not stay, or is lost with the data": (
        [
            (Host({"pipeline_backup_dir": "/srv"}), ["pipeline_backup_dir is /srv. Choose", "a folder of its own"]),
            (Host({"pipeline_backup_dir": "srv/the/backup"}), ["Choose an absolute path"]),
            (Host({"pipeline_backup_dir": "/tmp/backup"}), ["pipeline_backup_dir is /tmp/backup", "on another disk"]),
            (Host({"pipeline_backup_dir": "/home/op/backup"}), ["which Elasticsearch cannot see"]),
            (
                Host({"pipeline_backup_dir": "/data/es/backup", "elasticsearch_data_dir": "/data/es"}),
                ["pipeline_backup_dir is /data/es/backup", "not below /data/es,"],
            ),
            (Host({"pipeline_backup_dir": "/var/lib/elasticsearch"}), ["not below /var/lib/elasticsearch,"]),
        ],
        [
            Host(),
            Host({"pipeline_backup_dir": "/srv/backup"}),
            Host({"pipeline_backup_dir": "/data/es-backup", "elasticsearch_data_dir": "/data/es"}),
            Host({"pipeline_backup_dir": "/tmpfs/backup"}),
        ],
    ),
    "backup: Refuse to fill a disk, or to never have the room to read a backup": (
        [
            (Host({"backup_verify_free_percent": 0}), ["backup_verify_free_percent is 0", "from 1 to 99"]),
            (Host({"backup_verify_free_percent": 100}), ["backup_verify_free_percent is 100"]),
        ],
        [Host(), Host({"backup_verify_free_percent": 99})],
    ),
    "backup: Refuse to keep nothing": (
        [
            (Host({"backup_keep_least": 0}), ["backup_keep_days is 30 and backup_keep_least 0", "at least 1"]),
            (Host({"backup_keep_days": 0}), ["backup_keep_days is 0"]),
        ],
        [Host({"backup_keep_days": 1, "backup_keep_least": 1})],
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules(rule: str) -> None:
    check(RULES, rule)
