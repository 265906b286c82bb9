# SPDX-License-Identifier: Apache-2.0
"""A fresh checkpoint: the old one kept aside, the windows made right, a loss put on record."""

import logging
import time
import uuid
from collections import Counter
from typing import Any

from login_consumer import checkpoint
from login_consumer.counts import Counts, OffsetRange
from login_consumer.documents import DEAD_LETTERS, EVENTS, Topic
from login_consumer.elastic import Unavailable
from login_consumer.plan import Plan
from login_consumer.progress import Batch, Progress, Ranges, Times, progress_lines
from login_consumer.reasons import Reason
from login_consumer.rebuild import in_ranges, repair
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.windows import Position

log = logging.getLogger(__name__)

_BEFORE_THE_FIRST = -1  # the number of the batch that only records a loss


def begin_afresh(settings: Settings, sink: Sink, plan: Plan, progress: Progress | None, topic: Topic) -> str:
    """Make all ready for batches that start at `plan.start`; return their lineage. May be repeated after a crash.

    Raises Unavailable.
    """
    position = Position(topic.id, plan.start)
    rebuilt = repair(sink, progress, position, plan.lost, settings.metrics.window_seconds * 1000)
    if rebuilt:
        log.warning("counted %d windows anew, which hold %d events", rebuilt.windows, rebuilt.events)
    lineage, shape = str(uuid.uuid4()), checkpoint.shape_of(settings)
    if plan.loss:
        log.error("going on without lost records, as kafka.allow_data_loss permits: %s", plan.loss)
        _record_loss(
            sink, plan, Batch(lineage, _BEFORE_THE_FIRST, plan.sequence, topic, _ranges(plan), shape, None, plan.loss)
        )
    aside = checkpoint.move_aside(settings.checkpoint_dir) if plan.aside else None
    if aside:
        log.warning("the checkpoint was moved to %s: %s", aside, plan.aside)
    if progress:
        log.warning("a fresh checkpoint goes on after batch %d of %s", progress.batch, progress.lineage)
    follows = f"{lineage}-{_BEFORE_THE_FIRST}" if plan.loss else progress.id if progress else ""
    checkpoint.begin(settings.checkpoint_dir, lineage, topic.id, shape, follows)
    return lineage


def _ranges(plan: Plan) -> Ranges:
    """Return the part of the topic that the record of a loss covers: what was lost, in the chain of batches."""
    return {p: (plan.lost or {}).get(p, OffsetRange(offset, offset)) for p, offset in plan.start.items()}


def _record_loss(sink: Sink, plan: Plan, batch: Batch) -> None:
    counts = Counts()
    if plan.lost:
        # The batch that read some of them was not finished: what it has stored is not lost.
        position = Position(batch.topic.id, plan.start)
        counts.indexed = _count(sink, EVENTS, in_ranges("login.kafka.", position, plan.lost))
        counts.dead = _by_reason(sink, in_ranges("", position, plan.lost))
        counts.read = counts.indexed + counts.dead.total()
    line = progress_lines(batch, counts, Times(0, 0, 0, round(time.time() * 1000)))
    for item in sink.bulk([line]):
        if item.refused:
            raise Unavailable(f"a progress document was refused ({item.kind}: {item.reason}); see its template")


def _count(sink: Sink, family: str, query: dict[str, Any]) -> int:
    return int(sink.ask(lambda client: client.count(index=f"{family}-*", query=query, allow_no_indices=True))["count"])


def _by_reason(sink: Sink, query: dict[str, Any]) -> Counter[str]:
    asked = {"reasons": {"terms": {"field": "reason", "size": len(Reason)}}}
    answer = sink.ask(
        lambda client: client.search(index=f"{DEAD_LETTERS}-*", query=query, size=0, aggs=asked, allow_no_indices=True)
    )
    buckets = answer.get("aggregations", {}).get("reasons", {}).get("buckets", ())
    return Counter({bucket["key"]: bucket["doc_count"] for bucket in buckets})
