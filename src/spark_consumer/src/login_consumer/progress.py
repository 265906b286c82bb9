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
class Progress:
    """What the last progress document says."""

    lineage: str
    batch: int
    offsets: Offsets
    fields: dict[str, Any]


def progress_lines(
    lineage: str, batch: int, topic: str, counts: Counts, offsets: Offsets, lag: int | None, times: Times
) -> bytes:
    """Return the two bulk lines of a batch's progress document; `offsets` are all partitions' so far."""
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
        "windows": len(counts.windows),
        "ranges": [
            {"partition": partition, "first": read.first, "next": read.next}
            for (_, partition), read in sorted(counts.offsets.items())
        ],
        "offsets": [{"partition": partition, "next": after} for partition, after in sorted(offsets.items())],
        "records_per_second": round(1000 * counts.read / max(total_ms, 1), 1),
        "duration_ms": {
            "write": times.write,
            "merge": times.merge,
            "refresh": times.refresh,
            "total": total_ms,
        },
    }
    if lag is not None:
        fields["lag"] = lag
    if counts.read and counts.arrival_first is not None:
        fields["latency_ms"] = {
            "mean": times.done - counts.arrival_sum // counts.read,
            "max": times.done - counts.arrival_first,
        }
    # by the records' time, not the clock: a replay in the next month must meet its own document
    action = {"_index": index_name(PIPELINE, counts.arrival_last or 0), "_id": f"{lineage}-{batch}"}
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
