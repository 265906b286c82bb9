# SPDX-License-Identifier: Apache-2.0
"""Prints, as one JSON object, what only Kafka knows of itself: topics with their settings, names of users, ACLs.

Run by the Python of the admin client. Arguments: bootstrap server (mutual TLS), CA, certificate, key.
"""

import contextlib
import json
import sys

from kafka import KafkaAdminClient
from kafka.admin import (
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    ResourcePatternFilter,
    ResourceType,
)

server, ca_file, cert_file, key_file = sys.argv[1:]
client = KafkaAdminClient(
    bootstrap_servers=[server],
    security_protocol="SSL",
    ssl_cafile=ca_file,
    ssl_certfile=cert_file,
    ssl_keyfile=key_file,
    bootstrap_timeout_ms=30_000,
)
with contextlib.closing(client):
    names = sorted(client.list_topics())
    topics = {}
    for told in client.describe_topics(names):
        resource = ConfigResource(ConfigResourceType.TOPIC, told["name"])
        config = client.describe_configs([resource], config_filter="all")["topic"][told["name"]]
        topics[told["name"]] = {
            "id": str(told["topic_id"]),
            "partitions": len(told["partitions"]),
            "replication_factor": max(len(each["replica_nodes"]) for each in told["partitions"]),
            "config": {key: each["value"] for key, each in sorted(config.items())},
        }
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    acls, _ = client.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, anything))
    described = {
        "topics": topics,
        "users": sorted(client.describe_user_scram_credentials()),
        "acls": sorted(str(acl) for acl in acls),
    }
print(json.dumps(described, indent=1))
