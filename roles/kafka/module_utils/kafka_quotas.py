# SPDX-License-Identifier: Apache-2.0
"""How many bytes a second each user may send to a broker, for the module kafka_resources with its parameters."""

from __future__ import annotations

from typing import Any

from kafka import errors
from kafka.protocol.admin import AlterClientQuotasRequest, DescribeClientQuotasRequest

RATE = "producer_byte_rate"
_ANY = 2  # match type: every user that has a quota

Entry = AlterClientQuotasRequest.EntryData


def quota_changes(client: Any, params: dict[str, Any], check: bool) -> list[str]:
    """Set the quotas of `producer_byte_rates`, in bytes a second, 0 for none; take all from users of a managed prefix
    that are not wanted any more. Other quotas of wanted users stay.

    Raises KafkaError, ValueError.
    """
    wanted, prefixes = params["producer_byte_rates"], tuple(params["managed_prefixes"])
    if not wanted and not prefixes:
        return []
    present = _present(client)
    changes, entries = [], []
    for user, rate in wanted.items():
        before = present.get(user, {}).get(RATE)
        if before != (rate or None):
            changes.append(f"quota {user}: {RATE} {_told(before)} -> {_told(rate)}")
            entries.append(_entry(user, {RATE: rate or None}))
    for user, quotas in present.items():
        if prefixes and user.startswith(prefixes) and user not in params["users"]:
            changes.append(f"quota {user}: deleted")
            entries.append(_entry(user, dict.fromkeys(quotas)))
    if entries and not check:
        _alter(client, entries)
    return changes


def _told(rate: float | None) -> str:
    return f"{rate:.0f}" if rate else "none"


def _entry(user: str, quotas: dict[str, float | None]) -> Any:
    """Return what sets these quotas of a user, or removes those that are None."""
    ops = [Entry.OpData(key=key, value=value or 0.0, remove=value is None) for key, value in sorted(quotas.items())]
    return Entry(entity=[Entry.EntityData(entity_type="user", entity_name=user)], ops=ops)


def _present(client: Any) -> dict[str, dict[str, float]]:
    """Return the quotas by user, without those of a user's single clients."""
    answer = _sent(client, DescribeClientQuotasRequest(components=[("user", _ANY, None)], strict=True))
    _refuse(answer.error_code, answer.error_message)
    named = ((entry.entity[0].entity_name, entry.values) for entry in answer.entries or ())
    return {user: {each.key: each.value for each in values} for user, values in named if user is not None}


def _alter(client: Any, entries: list[Any]) -> None:
    answer = _sent(client, AlterClientQuotasRequest(entries=entries, validate_only=False))
    for entry in answer.entries:
        _refuse(entry.error_code, f"quota of {entry.entity[0].entity_name}: {entry.error_message}")


def _sent(client: Any, request: Any) -> Any:
    """Return the answer to a request. kafka-python knows it, but its admin client has no method for quotas."""

    async def send() -> Any:
        return await client._manager.send(request)

    return client._manager.run(send)


def _refuse(code: int, text: str | None) -> None:
    error = errors.for_code(code)
    if error is not errors.NoError:
        raise error(text)
