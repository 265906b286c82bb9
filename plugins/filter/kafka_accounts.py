# SPDX-License-Identifier: Apache-2.0
"""Kafka's accounts: kafka_passwords, kafka_byte_rates, kafka_writer_acls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError


def kafka_passwords(users: list[str], secrets: Mapping[str, Any], partly: bool = False) -> dict[str, Any]:
    """Return what the store of secrets has for these users, by user; with `partly` some may have nothing there.

    Raises AnsibleFilterError that names the secret which is missing.
    """
    names = {user: f"kafka_{user}_password" for user in users}
    if missing := [name for name in names.values() if name not in secrets and not partly]:
        raise AnsibleFilterError(f"the store of secrets has no {', '.join(missing)}")
    return {user: secrets[name] for user, name in names.items() if name in secrets}


def kafka_byte_rates(users: list[str], rates: Mapping[str, int]) -> dict[str, int]:
    """Return the quota of each user in bytes a second, from those by the beginning of the name, of which one fits."""
    return {user: rate for user in users for prefix, rate in rates.items() if user.startswith(prefix)}


def kafka_writer_acls(users: list[str], topic: str) -> list[dict[str, Any]]:
    """Return the rules for those who write to the topic, and do nothing else."""
    return [
        rule
        for user in users
        for rule in (
            {"user": user, "resource": "topic", "name": topic, "operations": ["write", "describe"]},
            {"user": user, "resource": "cluster", "name": "kafka-cluster", "operations": ["idempotent_write"]},
        )
    ]


class FilterModule:
    """Ansible looks for a class of this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "kafka_passwords": kafka_passwords,
            "kafka_byte_rates": kafka_byte_rates,
            "kafka_writer_acls": kafka_writer_acls,
        }
