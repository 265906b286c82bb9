#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: spread the partitions of a Kafka cluster evenly over brokers, moving no more than it takes.

A broker that is not among the given ones is emptied. Copies of a partition stand on different racks where there are
enough. Runs on a broker's host, as kafka_resources does.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kafka_admin import ACCESS, WAIT_STEP_S, brokers_of, connected, partitions_of
from ansible.module_utils.kafka_spread import spread
from ansible.module_utils.service_api import outcome

with contextlib.suppress(ImportError):  # need_kafka says so
    from kafka import TopicPartition

DOCUMENTATION = r"""
module: kafka_partitions
short_description: Spread the partitions of a Kafka cluster evenly over brokers
options:
  bootstrap_servers:
    description: The brokers' mutual TLS listener as host:port.
    type: list
    elements: str
    required: true
  ca_file: {description: CA certificates., type: path, required: true}
  cert_file: {description: The broker's certificate., type: path, required: true}
  key_file: {description: The broker's key., type: path, required: true}
  brokers: {description: Ids of the brokers that are to hold the partitions., type: list, elements: int, required: true}
  copies: {description: 'Copies that each partition has at least; 0 leaves their number.', type: int, default: 0}
  batch: {description: How many partitions are moved at once., type: int, default: 10}
  wait_seconds: {description: How long one batch may take., type: int, required: true}
"""

RETURN = r"""
changes: {description: 'One line for each partition: its brokers before and after.', type: list, returned: success}
"""

ANSWER_S = 30
PREFERRED = 0  # the kind of election: the first of its brokers is to lead a partition


def wait(seconds: float, done: Any, what: str) -> None:
    """Raise TimeoutError with `what` and what was left, if `done` does not return an empty list in time."""
    end = time.monotonic() + seconds
    while left := done():
        if time.monotonic() >= end:
            raise TimeoutError(f"{what} after {seconds} s: {', '.join(map(str, left))}")
        time.sleep(WAIT_STEP_S)


def moving(client: Any) -> list[str]:
    return sorted(f"{each.topic}-{each.partition}" for each in client.list_partition_reassignments())


def behind(client: Any, names: set[tuple[str, int]]) -> list[str]:
    return [
        f"{each['topic']}-{each['partition']}"
        for each in partitions_of(client)
        if (each["topic"], each["partition"]) in names and set(each["isr"]) != set(each["replicas"])
    ]


def move(client: Any, wanted: dict[tuple[str, int], list[int]], seconds: float) -> None:
    """Move partitions, wait until they are where they should be, and let the first of each lead.

    Raises ValueError for what Kafka refuses, TimeoutError.
    """
    places = {TopicPartition(*name): replicas for name, replicas in wanted.items()}
    answer = client.alter_partition_reassignments(places)
    refused = {str(place): str(answer.get(place)) for place in places if place not in answer or answer[place]}
    if refused:
        raise ValueError(f"Kafka does not move partitions: {refused}")
    wait(seconds, lambda: moving(client), "partitions were still on their way")
    wait(seconds, lambda: behind(client, set(wanted)), "copies were not in sync")
    # Refused for those whose first broker leads already.
    topics: dict[str, list[int]] = {}
    for topic, number in wanted:
        topics.setdefault(topic, []).append(number)
    client.elect_leaders(PREFERRED, topics, raise_errors=False)


def changes_of(before: dict[tuple[str, int], list[int]], after: dict[tuple[str, int], list[int]]) -> list[str]:
    def text(brokers: list[int]) -> str:
        return ",".join(map(str, brokers))

    return [
        f"{topic}-{number}: {text(before[topic, number])} -> {text(after[topic, number])}" for topic, number in after
    ]


def run(client: Any, params: dict[str, Any], check: bool) -> list[str]:
    """Spread the partitions; return what was changed. Raises ValueError, TimeoutError."""
    serving = brokers_of(client)
    away = sorted(set(params["brokers"]) - set(serving))
    if away:
        raise ValueError(f"brokers are away: {', '.join(map(str, away))}. Start them first")
    partitions = partitions_of(client)
    lost = [f"{each['topic']}-{each['partition']}" for each in partitions if not set(each["isr"]) & set(serving)]
    if lost:
        raise ValueError(
            f"no broker that serves has a whole copy of {', '.join(lost)}. Start the broker that has the last one first"
        )
    before = {(each["topic"], each["partition"]): each["replicas"] for each in partitions}
    racks = {broker: serving[broker] for broker in params["brokers"]}
    after = {name: to for name, to in spread(before, racks, params["copies"]).items() if to != before[name]}
    names = [] if check else list(after)
    for start in range(0, len(names), params["batch"]):
        batch = names[start : start + params["batch"]]
        move(client, {name: after[name] for name in batch}, params["wait_seconds"])
    return changes_of(before, after)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ACCESS,
            "brokers": {"type": "list", "elements": "int", "required": True},
            "copies": {"type": "int", "default": 0},
            "batch": {"type": "int", "default": 10},
            "wait_seconds": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    with connected(module, ANSWER_S) as client:
        changes = run(client, module.params, module.check_mode)
    module.exit_json(**outcome(changes))


if __name__ == "__main__":
    main()
