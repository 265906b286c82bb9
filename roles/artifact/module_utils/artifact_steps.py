# SPDX-License-Identifier: Apache-2.0
"""Which steps from one version of a product to another its vendor allows, and what to do where it does not."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Elasticsearch: the next major version is reached from the last minor one of the major before.
LAST_MINOR = {7: 17, 8: 19}
# 9.0 came before 8.19, whose data it does not know.
FIRST_MINOR_AFTER = {8: 1}
KAFKA_MAJOR = 4
KAFKA_OLDEST = (3, 3)


@dataclass(frozen=True)
class Step:
    """`kind` is first, same, forward or back; `refusal` says why it is not allowed and what to do, or is empty.

    A step back of Kafka is not refused here: what its data have decides (role kafka, way_back.yml).
    """

    kind: str
    refusal: str = ""


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers; what follows them, as in 9.1.0-rc1, does not count."""
    found = re.match(r"\d+(\.\d+)*", version)
    if not found:
        raise ValueError(f"{version!r} is no version, such as 8.19.13")
    return tuple(int(number) for number in found[0].split("."))


def step(product: str, installed: str, wanted: str, data: str, writer: str) -> Step:
    """Return the step of a product from the installed version to the wanted one.

    `data` names what has been written and `writer` the version that did it; where it is '', every step is allowed.
    """
    kind = "first"
    if installed:
        old, new = numbers(installed), numbers(wanted)
        kind = "same" if new == old else "forward" if new > old else "back"
    refusal = _refusal(product, numbers(writer), numbers(wanted), data) if writer else ""
    return Step(kind, refusal and f"{product} {writer} -> {wanted} is refused: {refusal}")


def _refusal(product: str, old: tuple[int, ...], new: tuple[int, ...], data: str) -> str:
    if new < old:
        return _back(product, old, data)
    return _forward(product, old, new) if new > old else ""


def _back(product: str, old: tuple[int, ...], data: str) -> str:
    keep = f"Keep {_text(old)} or take a newer one (artifact_versions, or the version of this project that brings it)"
    if product == "elasticsearch":
        return (
            f"{data} was written by {_text(old)}, and no older Elasticsearch starts on it. {keep}. "
            "The only way back is a backup from before the upgrade, restored to empty hosts: docs/upgrade.md."
        )
    if product == "kibana":
        return (
            f"Kibana {_text(old)} has brought its saved objects to its own form, which no older one reads. {keep}. "
            "The only way back is a backup from before the upgrade: docs/upgrade.md."
        )
    if product == "spark":
        return (
            f"{data} was written by {_text(old)}, and only a newer Spark is sure to read it. {keep}; or stop "
            f"login-consumer and move {data} away: it then goes on after its last account, and nothing is lost."
        )
    return ""


def _forward(product: str, old: tuple[int, ...], new: tuple[int, ...]) -> str:
    if product == "kafka" and new[0] > KAFKA_MAJOR:
        return f"no rule is known here for Kafka {new[0]}. Take a version {KAFKA_MAJOR}.x."
    if product == "kafka" and old[:2] < KAFKA_OLDEST:
        return "Kafka 4 takes over data in KRaft mode of 3.3 and newer. Go to the newest 3.9 first."
    if product == "elasticsearch" and new[0] > old[0]:
        return _to_next_major(old, new)
    return ""


def _to_next_major(old: tuple[int, ...], new: tuple[int, ...]) -> str:
    before = new[0] - 1
    if old[0] not in LAST_MINOR or before not in LAST_MINOR:
        return f"no rule is known here for the step from {old[0]}.x to {new[0]}.x. Stay with {old[0]}.x."
    # From an older major version the way goes by the last minor one of each.
    stop = old[0] if old[:2] < (old[0], LAST_MINOR[old[0]]) else old[0] + 1
    if old[:2] < (before, LAST_MINOR[before]):
        alone = f"{new[0]}.x is reached from {before}.{LAST_MINOR[before]} alone"
        return f"{alone}. Go to {stop}.{LAST_MINOR[stop]} first."
    first = FIRST_MINOR_AFTER.get(before, 0)
    if new[1] < first:
        return f"{new[0]}.{new[1]} is older than {before}.{LAST_MINOR[before]}. Take {new[0]}.{first} or newer."
    return ""


def misfit(kibana: str, elasticsearch: str) -> str:
    """Return why the wanted Kibana does not work with the wanted Elasticsearch, or an empty text."""
    mine, other = numbers(kibana), numbers(elasticsearch)
    if mine[0] == other[0] and mine <= other:
        return ""
    return (
        f"Kibana {kibana} does not work with Elasticsearch {elasticsearch}: it must be of the same major version and "
        f"not newer. Set artifact_versions, as in {{kibana: {elasticsearch}}}."
    )


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
