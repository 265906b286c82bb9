# SPDX-License-Identifier: Apache-2.0
"""What the modules of this role have in common: a connection by the broker's own certificate, and what Kafka tells."""

from __future__ import annotations

import base64
import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from kafka import KafkaAdminClient, errors

    HAVE_KAFKA = True
except ImportError:
    HAVE_KAFKA = False

ACCESS: dict[str, Any] = {
    "bootstrap_servers": {"type": "list", "elements": "str", "required": True},
    "ca_file": {"type": "path", "required": True},
    "cert_file": {"type": "path", "required": True},
    "key_file": {"type": "path", "required": True},
}
"""The options that say how to reach the brokers' mutual TLS listener."""

Result = TypeVar("Result")
WAIT_STEP_S = 1.0  # between two looks
FOLLOWS_WITHIN_MS = 10_000  # a controller that was not up to date for so long does not follow


def need_kafka(module: AnsibleModule) -> None:
    """End the module if the Python that runs it has no Kafka client."""
    if not HAVE_KAFKA:
        module.fail_json(msg=missing_required_lib("kafka-python"))


@contextlib.contextmanager
def connected(module: AnsibleModule, seconds: float, brokers: int = 1) -> Iterator[Any]:
    """Give an admin client once so many brokers have joined. What then goes wrong ends the module with its cause."""
    need_kafka(module)
    try:
        with contextlib.closing(connect(module.params, seconds, brokers)) as client:
            yield client
    except errors.KafkaError as error:
        module.fail_json(msg=f"{type(error).__name__}: {error}")
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        module.fail_json(msg=str(error))


def when_settled(
    module: AnsibleModule, seconds: float, brokers: int, work: Callable[[Any], Result]
) -> tuple[Result, list[str]]:
    """Return what `work` makes of an admin client, and for each time that it was begun again why.

    In a cluster that has just started not every broker knows all the others yet. `work` finds again what it has made.
    """
    again: list[str] = []
    end = time.monotonic() + seconds
    while True:
        with connected(module, seconds, brokers) as client:
            try:
                return work(client), again
            except (errors.UnknownBrokerIdError, errors.RetriableError) as error:
                if time.monotonic() > end:
                    raise
                again.append(f"begun again after {type(error).__name__}: {error}")
        time.sleep(WAIT_STEP_S)


def connect(params: dict[str, Any], seconds: float, brokers: int = 1) -> Any:
    """Return an admin client once so many brokers have joined. Raises TimeoutError, whose text ends with the cause."""
    end = time.monotonic() + seconds
    cause = "no attempt was made"
    while True:
        try:
            client = KafkaAdminClient(
                bootstrap_servers=params["bootstrap_servers"],
                security_protocol="SSL",
                ssl_cafile=params["ca_file"],
                ssl_certfile=params["cert_file"],
                ssl_keyfile=params["key_file"],
                bootstrap_timeout_ms=5000,
            )
            joined = len(brokers_of(client))
            if joined >= brokers:
                return client
            client.close()
            cause = f"{joined} of {brokers} brokers have joined"
        except (errors.KafkaError, OSError) as error:
            cause = f"{type(error).__name__}: {error}"
        if time.monotonic() >= end:
            servers = ", ".join(params["bootstrap_servers"])
            raise TimeoutError(f"Kafka did not answer at {servers} within {seconds} s: {cause}")
        time.sleep(WAIT_STEP_S)


def brokers_of(client: Any) -> dict[int, str]:
    """Return the brokers that serve, with their racks; those that the cluster only remembers are left out."""
    told = client.describe_cluster()["brokers"]
    return {each["broker_id"]: each.get("rack") or "" for each in told if not each.get("is_fenced")}


def partitions_of(client: Any) -> list[dict[str, Any]]:
    """Return all partitions: topic, partition, replicas and isr, which are lists of broker ids."""
    return [
        {
            "topic": topic["name"],
            "partition": each["partition_index"],
            "replicas": list(each["replica_nodes"]),
            "isr": list(each["isr_nodes"]),
        }
        for topic in client.describe_topics()
        for each in topic["partitions"]
    ]


def quorum_of(client: Any) -> dict[str, Any]:
    """Return the leader's id and the voters: id, directory as Kafka's tools write it, and milliseconds behind."""
    (told,) = client.describe_metadata_quorum()["topics"][0]["partitions"]
    voters = told["current_voters"]
    newest = max(each["last_caught_up_timestamp"] for each in voters)
    return {
        "leader": told["leader_id"],
        "voters": [
            {
                "id": each["replica_id"],
                "directory": base64.urlsafe_b64encode(uuid.UUID(str(each["replica_directory_id"])).bytes)
                .decode()
                .rstrip("="),
                "behind_ms": newest - each["last_caught_up_timestamp"],
            }
            for each in voters
        ],
    }


def faults(
    wanted: list[int],
    brokers: dict[int, str],
    partitions: list[dict[str, Any]],
    quorum: dict[str, Any],
    but: int | None = None,
) -> list[str]:
    """Return what is not well in the cluster, in sentences, leaving out what lies at the node `but` alone."""
    found = [f"broker {broker} is away" for broker in wanted if broker not in brokers and broker != but]
    lacking: dict[int, list[str]] = {}
    for each in partitions:
        for broker in set(each["replicas"]) - set(each["isr"]) - {but}:
            lacking.setdefault(broker, []).append(f"{each['topic']}-{each['partition']}")
    found += [
        f"broker {broker} is behind in {len(names)} partitions, such as {names[0]}"
        for broker, names in sorted(lacking.items())
    ]
    if quorum["leader"] < 0:
        found.append("no controller leads")
    found += [
        f"controller {each['id']} does not follow"
        for each in quorum["voters"]
        if each["id"] != but and each["behind_ms"] > FOLLOWS_WITHIN_MS
    ]
    return found


def features_to_raise(finalized: dict[str, int], wanted: dict[str, int]) -> dict[str, int]:
    """Return the features whose level is lower than wanted; those that the brokers do not know are left out."""
    return {name: level for name, level in wanted.items() if finalized.get(name, level) < level}
