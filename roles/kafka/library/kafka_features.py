#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: raise the finalized levels of a Kafka cluster's features, such as metadata.version. Never lowers one.

Runs where kafka_resources does, and reaches the cluster in the same way.
"""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import ACCESS, connected, features_to_raise
from ansible.module_utils.service_api import outcome

DOCUMENTATION = r"""
module: kafka_features
short_description: Raise the finalized levels of a Kafka cluster's features
options:
  bootstrap_servers:
    description: The brokers' mutual TLS listener as host:port.
    type: list
    elements: str
    required: true
  ca_file: {description: CA certificates., type: path, required: true}
  cert_file: {description: The broker's certificate., type: path, required: true}
  key_file: {description: The broker's key., type: path, required: true}
  levels: {description: Mapping of feature to the level that is wanted., type: dict, required: true}
"""

RETURN = r"""
changes: {description: 'What was raised, or would be; one line each.', type: list, elements: str, returned: success}
"""

WAIT_S = 30


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ACCESS, "levels": {"type": "dict", "required": True}}, supports_check_mode=True
    )
    wanted = {name: int(level) for name, level in module.params["levels"].items()}
    with connected(module, WAIT_S) as client:
        told = {name: each.get("finalized", (0, 0))[1] for name, each in client.describe_features().items()}
        raised = features_to_raise(told, wanted)
        if raised and not module.check_mode:
            answers = client.update_features(raised)
            refused = [f"{name}: {answer}" for name, answer in answers.items() if answer != "OK"]
            if refused:
                module.fail_json(msg=f"Kafka refuses to finalize {'; '.join(refused)}")
    module.exit_json(**outcome([f"{name} {told[name]} -> {level}" for name, level in sorted(raised.items())]))


if __name__ == "__main__":
    main()
