# SPDX-License-Identifier: Apache-2.0
"""The document that the consumer stores of a made-up login, and the counts, as pipelines without guarantees make them.

Each value is taken as it comes: nothing is checked, so nothing can be refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from job import Job
from login_common.elastic import Client
from login_common.times import iso, rfc3339_ms

MINUTE_MS = 60_000
NEW_COUNT = "ctx._source.count += params.count"


def as_document(
    told: Mapping[str, Any], job: Job, partition: int, offset: int, ingested: str, late: bool = True
) -> dict[str, Any]:
    """Return the document of the record that holds the JSON object `told`; `late` as all records of the past are."""
    failed = {"reason": told["reason"]} if "reason" in told else {}
    place = {"topic": job.kafka.topic, "topic_id": job.topic_id, "partition": partition, "offset": offset}
    return {
        "@timestamp": told["timestamp"],
        "event": {
            "id": told["event_id"],
            "ingested": ingested,
            "kind": "event",
            "category": ["authentication"],
            "type": ["start"],
            "outcome": told["outcome"],
        }
        | failed,
        "user": {"id": told["user_id"]},
        "source": {
            "address": told["source_ip"],
            "ip": told["source_ip"],
            "geo": {"country_iso_code": told["country"]},
        },
        "user_agent": {"name": told["browser"], "original": told["user_agent"]},
        "login": ({"late": True} if late else {}) | {"kafka": place},
        "ecs": {"version": "8.17.0"},
    }


class Key(NamedTuple):
    """What logins are counted by; `start` in milliseconds since 1970."""

    start: int
    country: str
    browser: str
    outcome: str


def key_of(told: Mapping[str, Any]) -> Key:
    """Return the window and key of a record."""
    return Key(minute(told["timestamp"][:16]), told["country"], told["browser"], told["outcome"])


@lru_cache(maxsize=4096)
def minute(text: str) -> int:
    """Return the milliseconds since 1970 of a minute, written as in 2026-03-01T10:00."""
    return rfc3339_ms(f"{text}:00Z")


def window_id(key: Key) -> str:
    """Return the id of the document of a count."""
    return "|".join(map(str, key))


def window_source(key: Key, count: int) -> dict[str, Any]:
    """Return the document of a count."""
    times = {"window_start": iso(key.start), "window_end": iso(key.start + MINUTE_MS)}
    return times | {"country": key.country, "browser": key.browser, "outcome": key.outcome, "count": count}


def add_counts(client: Client, index: str, counts: Mapping[Key, int]) -> None:
    """Add new counts to those that are stored. A batch that comes twice counts twice."""
    lines: list[bytes] = []
    for key, count in counts.items():
        script = {"source": NEW_COUNT, "params": {"count": count}}
        lines.append(orjson.dumps({"update": {"_index": index, "_id": window_id(key), "retry_on_conflict": 3}}))
        lines.append(orjson.dumps({"script": script, "upsert": window_source(key, count)}))
    send(client, lines)


def put_counts(client: Client, index: str, counts: Iterable[tuple[Key, int]]) -> None:
    """Store counts in the place of those that are stored."""
    lines: list[bytes] = []
    for key, count in counts:
        lines.append(orjson.dumps({"index": {"_index": index, "_id": window_id(key)}}))
        lines.append(orjson.dumps(window_source(key, count)))
    send(client, lines)


def send(client: Client, lines: list[bytes]) -> None:
    """Send the lines of one bulk request. Raises RuntimeError if one item fails."""
    if lines:
        send_body(client, b"\n".join(lines) + b"\n")


def send_body(client: Client, body: bytes) -> None:
    """Send a whole bulk request. Raises RuntimeError if one item fails."""
    # the client passes bytes on as they are; its signature says otherwise
    answer = client.bulk(operations=body, filter_path="errors,items.*.error")  # type: ignore[arg-type]
    if answer["errors"]:
        raise RuntimeError(f"Elasticsearch did not take all: {str(answer['items'])[:500]}")
