#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: wait until a Kafka cluster is well, or well enough to do without one of its nodes. Changes nothing.

Well is a cluster whose brokers are all there, whose copies of partitions are all in sync, and whose controllers all
follow their leader. Runs on a broker's host, as kafka_resources does.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import (
    ACCESS,
    WAIT_STEP_S,
    brokers_of,
    connect,
    faults,
    need_kafka,
    partitions_of,
    quorum_of,
)

with contextlib.suppress(ImportError):  # need_kafka says so
    from kafka import errors

DOCUMENTATION = r"""
module: kafka_health
short_description: Wait until a Kafka cluster is well
options:
  bootstrap_servers:
    description: The brokers' mutual TLS listener as host:port.
    type: list
    elements: str
    required: true
  ca_file: {description: CA certificates., type: path, required: true}
  cert_file: {description: The broker's certificate., type: path, required: true}
  key_file: {description: The broker's key., type: path, required: true}
  brokers: {description: Ids of the brokers that must be there., type: list, elements: int, required: true}
  but:
    description:
      - Id of a node that is about to go away. What is not well at it alone is no hindrance.
      - A cluster in which nobody answers for a quarter of a minute has nothing that could be protected.
    type: int
  wait_seconds: {description: How long to wait., type: int, required: true}
"""

RETURN = r"""
voters:
  description: The controllers, each with id, directory and behind_ms.
  type: list
  elements: dict
  returned: when Kafka answers
leader: {description: Id of the controller that leads., type: int, returned: when Kafka answers, also on failure}
"""

SILENCE_S = 15


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ACCESS,
            "brokers": {"type": "list", "elements": "int", "required": True},
            "but": {"type": "int"},
            "wait_seconds": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    need_kafka(module)
    params = module.params
    sparing = params["but"] is not None
    end = time.monotonic() + params["wait_seconds"]
    told = ["no attempt was made"]
    quorum: dict[str, Any] = {}
    while True:
        try:
            client = connect(params, SILENCE_S if sparing else max(1.0, end - time.monotonic()))
            with contextlib.closing(client):
                quorum = quorum_of(client)
                told = faults(params["brokers"], brokers_of(client), partitions_of(client), quorum, params["but"])
            if not told:
                module.exit_json(changed=False, **quorum)
        except TimeoutError as error:
            if sparing:
                module.exit_json(changed=False, msg=f"no broker answers, so none is spared: {error}")
            told = [str(error)]
        except (errors.KafkaError, OSError) as error:
            told = [f"{type(error).__name__}: {error}"]
        if time.monotonic() >= end:
            module.fail_json(msg=f"after {params['wait_seconds']} s: {'; '.join(told)}", **quorum)
        time.sleep(WAIT_STEP_S)


if __name__ == "__main__":
    main()
