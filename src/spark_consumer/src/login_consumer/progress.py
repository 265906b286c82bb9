# SPDX-License-Identifier: Apache-2.0
"""Progress documents: the account of each batch, and from where to go on if the checkpoint is lost."""

from dataclasses import dataclass, field
from typing import Any, Self

import orjson
from login_common.elastic import Client
from login_common.times import iso

from login_consumer.counts import Counts, Mark, OffsetRange, missing, percentile
from login_consumer.documents import PIPELINE, Topic, index_name

Offsets = dict[int, int]
"""An offset for each partition, mostly the one after the last that was read."""
Ranges = dict[int, OffsetRange]
Marks = dict[int, Mark]
Shape = dict[str, Any]
"""What decides how events are counted and where they are stored; see checkpoint.shape_of."""


@dataclass(frozen=True)
class Times:
    """How long the stages of a batch took, in milliseconds, and when it was done, since 1970."""

    write: int
    merge: int
    refresh: int
    done: int


@dataclass(frozen=True)
class Batch:
    """One batch: its number in its lineage, its part of the topic, and the shape of its documents.

    The range of a batch begins where that of the batch before it ends. `lag` counts the records that Spark
    knew of and has not read, None if it told nothing yet. `loss` says what was given up before this batch.
    """

    lineage: str
    number: int
    sequence: int
    """Counts all batches of a topic, over all lineages: the newest has the highest, whatever the clock does."""
    topic: Topic
    ranges: Ranges
    shape: Shape
    lag: int | None = None
    loss: str = ""
    marks: Marks = field(default_factory=dict)
    """The last record before the batch, by partition."""
    planned: int | None = None
    """When it was planned, in milliseconds since 1970."""

    @property
    def size(self) -> int:
        """How many offsets its ranges hold; not each needs to have a record."""
        return sum(each.next - each.first for each in self.ranges.values())

    def skipped(self, counts: Counts) -> dict[int, list[OffsetRange]]:
        """Return what of its ranges was not there to be read: deleted by retention, or marks of transactions."""
        gaps = {partition: missing(each, counts.offsets.get(partition, ())) for partition, each in self.ranges.items()}
        return {partition: ranges for partition, ranges in gaps.items() if ranges}


@dataclass(frozen=True)
class Progress:
    """What a progress document says."""

    lineage: str
    batch: int
    sequence: int
    topic_id: str
    ranges: Ranges
    shape: Shape
    fields: dict[str, Any]
    index: str = ""
    marks: Marks = field(default_factory=dict)
    """The last record before `offsets` of each partition; none where it is not known, as in older documents."""

    @property
    def id(self) -> str:
        """The document's id."""
        return f"{self.lineage}-{self.batch}"

    @property
    def offsets(self) -> Offsets:
        """Where the next batch begins."""
        return {partition: each.next for partition, each in self.ranges.items()}

    @classmethod
    def of(cls, fields: dict[str, Any], index: str = "") -> Self:
        """Return the progress in a document's source."""
        ranges = {each["partition"]: OffsetRange(each["first"], each["next"]) for each in fields["ranges"]}
        marks = {each["partition"]: Mark(*each["last"]) for each in fields["ranges"] if "last" in each}
        lineage, batch, sequence = fields["lineage"], fields["batch"], fields["sequence"]
        return cls(lineage, batch, sequence, fields["topic_id"], ranges, fields["shape"], fields, index, marks)


def progress_lines(batch: Batch, counts: Counts, times: Times) -> bytes:
    """Return the two bulk lines of a batch's progress document."""
    total_ms = times.write + times.merge + times.refresh
    skipped = [(partition, gap) for partition, gaps in sorted(batch.skipped(counts).items()) for gap in gaps]
    marks = batch.marks | counts.marks
    fields: dict[str, Any] = {
        "@timestamp": iso(times.done),
        "lineage": batch.lineage,
        "batch": batch.number,
        "sequence": batch.sequence,
        "topic": batch.topic.name,
        "topic_id": batch.topic.id,
        "read": counts.read,
        "indexed": counts.indexed,
        # an audit compares each index by itself, as retention may have deleted one
        "indexed_by_index": counts.by_index(batch.shape["events.period"]),
        "duplicates": counts.duplicates,
        "ignored": counts.ignored,
        "unrecognised": counts.unrecognised,
        "unrecognised_kept": counts.unrecognised_kept,
        "dead": counts.dead.total(),
        "dead_by_reason": dict(counts.dead),
        "skipped": batch.size - counts.read,
        "windows": len(counts.windows),
        "ranges": [_range(p, each) | _last(marks.get(p)) for p, each in sorted(batch.ranges.items())],
        "shape": batch.shape,
        "records_per_second": round(1000 * counts.read / max(total_ms, 1), 1),
        "duration_ms": {
            "write": times.write,
            "merge": times.merge,
            "refresh": times.refresh,
            "total": total_ms,
        },
    }
    if skipped:
        fields["skipped_ranges"] = [_range(*each) for each in skipped]
    if batch.loss:
        fields["loss"] = batch.loss
    if batch.lag is not None:
        fields["lag"] = batch.lag
    if counts.arrivals and counts.arrival_last is not None:
        fields["lag_seconds"] = round((times.done - counts.arrival_last) / 1000, 3)
        # the older an arrival, the longer its record took
        fields["latency_ms"] = {
            "p50": times.done - percentile(counts.arrivals, 0.5),
            "p95": times.done - percentile(counts.arrivals, 0.05),
            "p99": times.done - percentile(counts.arrivals, 0.01),
            "max": times.done - min(counts.arrivals),
        }
    # not by the clock: a replay in the next month must meet its own document
    known = (moment for moment in (counts.arrival_last, batch.planned) if moment is not None)
    moment = next(known, times.done)
    action = {"_index": index_name(PIPELINE, moment), "_id": f"{batch.lineage}-{batch.number}"}
    return orjson.dumps({"index": action}) + b"\n" + orjson.dumps(fields) + b"\n"


def _range(partition: int, each: OffsetRange) -> dict[str, int]:
    return {"partition": partition, "first": each.first, "next": each.next}


def _last(mark: Mark | None) -> dict[str, Any]:
    return {} if mark is None else {"last": list(mark)}


def last_progress(client: Client, topic: str) -> Progress | None:
    """Return the newest progress of the topic of this name, or None if there is none."""
    client.refresh(f"{PIPELINE}-*")
    found = client.search(
        index=f"{PIPELINE}-*",
        query={"term": {"topic": topic}},
        sort=[{"sequence": {"order": "desc", "unmapped_type": "long"}}],
        size=1,
    )
    for hit in found["hits"]["hits"]:
        return Progress.of(hit["_source"], hit["_index"])
    return None
