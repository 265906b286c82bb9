#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: what only a Kafka cluster knows of itself. It changes nothing, and holds no secret.

Runs where kafka_resources does, and reaches the cluster in the same way.
"""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import ACCESS, connected

with contextlib.suppress(ImportError):  # need_kafka says so
    from ansible.module_utils.kafka_users import acls_of
    from kafka.admin import ConfigResource, ConfigResourceType

DOCUMENTATION = r"""
module: kafka_description
short_description: Topics, names of users and ACLs of a Kafka cluster
options:
  bootstrap_servers:
    description: The brokers' mutual TLS listener as host:port.
    type: list
    elements: str
    required: true
  ca_file: {description: CA certificates., type: path, required: true}
  cert_file: {description: The broker's certificate., type: path, required: true}
  key_file: {description: The broker's key., type: path, required: true}
"""

RETURN = r"""
described:
  description: Topics by name, with id, partitions, replication_factor and config; names of users; ACLs as text.
  type: dict
  returned: success
"""

WAIT_S = 30


def described(client: Any) -> dict[str, Any]:
    topics = {}
    for told in client.describe_topics(sorted(client.list_topics())):
        resource = ConfigResource(ConfigResourceType.TOPIC, told["name"])
        config = client.describe_configs([resource], config_filter="all")["topic"][told["name"]]
        topics[told["name"]] = {
            "id": str(told["topic_id"]),
            "partitions": len(told["partitions"]),
            "replication_factor": max(len(each["replica_nodes"]) for each in told["partitions"]),
            "config": {key: each["value"] for key, each in sorted(config.items())},
        }
    return {
        "topics": topics,
        "users": sorted(client.describe_user_scram_credentials()),
        "acls": sorted(str(acl) for acl in client.describe_acls(acls_of())[0]),
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ACCESS, supports_check_mode=True)
    with connected(module, WAIT_S) as client:
        told = described(client)
    module.exit_json(changed=False, described=told)


if __name__ == "__main__":
    main()
