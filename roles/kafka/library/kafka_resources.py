#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: the topics, SCRAM users, quotas and ACLs of a Kafka cluster, in one call over one connection.

Waits until the cluster answers an authenticated request, so it is the readiness check as well. Topics, users and ACLs
that are not named stay as they are, but for users whose names begin with a managed prefix: they go with
their quotas and ACLs.
Runs on a broker's host with kafka-python installed and authenticates by the broker's own certificate (mutual TLS), so
no administrator password is needed.
"""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import ACCESS, quorum_of, when_settled
from ansible.module_utils.service_api import outcome

with contextlib.suppress(ImportError):  # need_kafka says so
    from ansible.module_utils.kafka_quotas import quota_changes
    from ansible.module_utils.kafka_users import Rejected, acls_of, unwanted_changes, user_changes
    from kafka.admin import (
        ACL,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ConfigResource,
        ConfigResourceType,
        ResourcePattern,
        ResourceType,
    )

DOCUMENTATION = r"""
module: kafka_resources
short_description: Topics, SCRAM users, quotas and ACLs of a Kafka cluster
options:
  bootstrap_servers:
    description: The brokers' mutual TLS listener as host:port.
    type: list
    elements: str
    required: true
  sasl_bootstrap_servers:
    description: The SASL_SSL listener, where passwords are tried.
    type: list
    elements: str
    required: true
  ca_file: {description: CA certificates., type: path, required: true}
  cert_file: {description: The broker's certificate., type: path, required: true}
  key_file: {description: The broker's key., type: path, required: true}
  wait_seconds: {description: How long to wait for the cluster., type: int, default: 120}
  brokers: {description: How many brokers must have joined., type: int, default: 1}
  topics: {description: "Each {name, partitions, replication_factor, config}.", type: list, elements: dict, default: []}
  users: {description: Mapping of user name to password (SCRAM-SHA-512)., type: dict, default: {}}
  replaced_passwords:
    description: Mapping of user name to the passwords that Kafka may still have instead, which are changed.
    type: dict
    default: {}
  producer_byte_rates:
    description: Mapping of user name to the bytes a second that it may send to each broker; 0 for no bound.
    type: dict
    default: {}
  managed_prefixes:
    description: Users whose names begin so, and are not in users, are deleted with all their quotas and ACLs.
    type: list
    elements: str
    default: []
  acls:
    description: Allowed operations, each for one principal on one resource.
    type: list
    elements: dict
    default: []
"""

RETURN = r"""
changes: {description: 'What was changed, or would be; one line each.', type: list, elements: str, returned: success}
voters: {description: 'The controllers, each with id, directory and behind_ms.', type: list, returned: success}
rejected: {description: 'Whether it failed because a password was changed elsewhere.', type: bool, returned: failure}
"""


IN_SYNC = "min.insync.replicas"


def topic_changes(client: Any, wanted: list[dict], check: bool) -> list[str]:
    """Create missing topics, add partitions, set configs; returns one line for each change."""
    changes = []
    names = set(client.list_topics())
    for topic in wanted:
        name = topic["name"]
        config = {k: str(v) for k, v in (topic.get("config") or {}).items()}
        if name not in names:
            changes.append(f"topic {name}: created with {topic['partitions']} partitions")
            if not check:
                client.create_topics(
                    {
                        name: {
                            "num_partitions": topic["partitions"],
                            "replication_factor": topic["replication_factor"],
                            "configs": config,
                        }
                    },
                    wait_for_metadata=True,
                )
            continue
        partitions = client.describe_topics([name])[0]["partitions"]
        present = len(partitions)
        if present > topic["partitions"]:
            raise ValueError(f"topic {name} has {present} partitions; Kafka cannot lower that to {topic['partitions']}")
        if present < topic["partitions"]:
            changes.append(f"topic {name}: partitions {present} -> {topic['partitions']}")
            if not check:
                client.create_partitions({name: topic["partitions"]})
        # A topic that has not got its copies yet would take nothing: rebalance_kafka.yml brings them.
        copies = min(len(each["replica_nodes"]) for each in partitions)
        if IN_SYNC in config:
            config[IN_SYNC] = str(min(int(config[IN_SYNC]), max(copies - 1, 1)))
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        stored = client.describe_configs([resource], config_filter="all")["topic"][name]
        differing = {k: v for k, v in config.items() if stored.get(k, {}).get("value") != v}
        for key, value in differing.items():
            changes.append(f"topic {name}: {key} {stored.get(key, {}).get('value')} -> {value}")
        if differing and not check:
            client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=differing)])
    return changes


def acl_of(entry: dict[str, str], operation: str) -> Any:
    return ACL(
        principal=f"User:{entry['user']}",
        host="*",
        operation=ACLOperation[operation.upper()],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(
            ResourceType[entry["resource"].upper()],
            entry["name"],
            ACLResourcePatternType[entry.get("pattern", "literal").upper()],
        ),
    )


def acl_changes(client: Any, wanted: list[dict], check: bool) -> list[str]:
    """Create the missing ACLs."""
    present = set(client.describe_acls(acls_of())[0])
    missing = [acl for entry in wanted for op in entry["operations"] if (acl := acl_of(entry, op)) not in present]
    if missing and not check:
        failed = client.create_acls(missing)["failed"]
        if failed:
            raise ValueError(f"ACLs were not created: {failed}")
    return [
        f"ACL {acl.principal}: {acl.operation.name} on {resource.resource_type.name} {resource.resource_name}"
        for acl in missing
        if (resource := acl.resource_pattern)
    ]


def all_changes(client: Any, params: dict[str, Any], check: bool) -> list[str]:
    return (
        topic_changes(client, params["topics"], check)
        + user_changes(client, params, check)
        + quota_changes(client, params, check)
        + acl_changes(client, params["acls"], check)
        + unwanted_changes(client, params, check)
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ACCESS,
            "sasl_bootstrap_servers": {"type": "list", "elements": "str", "required": True},
            "wait_seconds": {"type": "int", "default": 120},
            "brokers": {"type": "int", "default": 1},
            "topics": {"type": "list", "elements": "dict", "default": []},
            "users": {"type": "dict", "default": {}, "no_log": True},
            "replaced_passwords": {"type": "dict", "default": {}, "no_log": True},
            "producer_byte_rates": {"type": "dict", "default": {}},
            "managed_prefixes": {"type": "list", "elements": "str", "default": []},
            "acls": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    params = module.params

    def make(client: Any) -> tuple[list[str], list[dict[str, Any]]]:
        try:
            return all_changes(client, params, module.check_mode), quorum_of(client)["voters"]
        except Rejected as error:
            module.fail_json(msg=str(error), rejected=True)

    (changes, voters), again = when_settled(module, params["wait_seconds"], params["brokers"], make)
    module.exit_json(**outcome(again + changes), voters=voters)


if __name__ == "__main__":
    main()
