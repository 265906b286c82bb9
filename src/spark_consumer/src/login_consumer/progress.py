# SPDX-License-Identifier: Apache-2.0
"""Progress documents: the account of each batch, and from where to go on if the checkpoint is lost."""

from dataclasses import dataclass
from typing import Any

import orjson
from elasticsearch import Elasticsearch

from login_consumer.counts import Counts
from login_consumer.documents import PIPELINE, index_name, iso

Offsets = dict[int, int]
"""The offset after the last one that was read, by partition."""


@dataclass(frozen=True)
class Times:
    """How long the stages of a batch took, in milliseconds, and when it was done, since 1970."""

    write: int
    merge: int
    refresh: int
    done: int


@dataclass(frozen=True)
class Place:
    """Where the consumer stands in the topic after a batch.

    `skipped` counts offsets that were passed over because Kafka held no record there: deleted by retention
    before they were read (or the marks of transactions, which login-producer does not use). `lag` counts the
    records that Spark knew of and has not read, None if it told nothing yet.
    """

    offsets: Offsets
    skipped: int
    lag: int | None


def place_after(before: Offsets, counts: Counts, ends: Offsets) -> Place:
    """Return the place after a batch of `counts`; `ends` are those of the partitions, as far as known."""
    read = {partition: offsets for (_, partition), offsets in counts.offsets.items()}
    inside = sum(offsets.next - offsets.first for offsets in read.values()) - counts.read
    between = sum(max(0, offsets.first - before.get(partition, offsets.first)) for partition, offsets in read.items())
    after = before | {partition: offsets.next for partition, offsets in read.items()}
    lag = sum(max(0, end - after.get(partition, 0)) for partition, end in ends.items()) if ends else None
    return Place(after, inside + between, lag)


@dataclass(frozen=True)
class Progress:
    """What the last progress document says."""

    lineage: str
    batch: int
    offsets: Offsets
    fields: dict[str, Any]


def progress_lines(lineage: str, batch: int, topic: str, counts: Counts, place: Place, times: Times) -> bytes:
    """Return the two bulk lines of a batch's progress document."""
    total_ms = times.write + times.merge + times.refresh
    fields: dict[str, Any] = {
        "@timestamp": iso(times.done),
        "lineage": lineage,
        "batch": batch,
        "topic": topic,
        "read": counts.read,
        "indexed": counts.indexed,
        "duplicates": counts.duplicates,
        "ignored": counts.ignored,
        "dead": counts.dead.total(),
        "dead_by_reason": dict(counts.dead),
        "skipped": place.skipped,
        "windows": len(counts.windows),
        "ranges": [
            {"partition": partition, "first": read.first, "next": read.next}
            for (_, partition), read in sorted(counts.offsets.items())
        ],
        "offsets": [{"partition": partition, "next": after} for partition, after in sorted(place.offsets.items())],
        "records_per_second": round(1000 * counts.read / max(total_ms, 1), 1),
        "duration_ms": {
            "write": times.write,
            "merge": times.merge,
            "refresh": times.refresh,
            "total": total_ms,
        },
    }
    if place.lag is not None:
        fields["lag"] = place.lag
    if counts.read and counts.arrival_first is not None:
        fields["latency_ms"] = {
            "mean": times.done - counts.arrival_sum // counts.read,
            "max": times.done - counts.arrival_first,
        }
    # by the records' time, not the clock: a replay in the next month must meet its own document
    moment = times.done if counts.arrival_last is None else counts.arrival_last
    action = {"_index": index_name(PIPELINE, moment), "_id": f"{lineage}-{batch}"}
    return orjson.dumps({"index": action}) + b"\n" + orjson.dumps(fields) + b"\n"


def last_progress(client: Elasticsearch, topic: str) -> Progress | None:
    """Return the newest progress of `topic`, or None if there is none."""
    client.indices.refresh(index=f"{PIPELINE}-*", allow_no_indices=True)
    found = client.search(
        index=f"{PIPELINE}-*",
        query={"term": {"topic": topic}},
        sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date"}}, {"batch": {"order": "desc"}}],
        size=1,
        allow_no_indices=True,
    )
    for hit in found["hits"]["hits"]:
        fields = hit["_source"]
        offsets = {each["partition"]: each["next"] for each in fields["offsets"]}
        return Progress(fields["lineage"], fields["batch"], offsets, fields)
    return None
