# SPDX-License-Identifier: Apache-2.0
"""A fresh checkpoint: the old one kept aside, the windows made right, a loss put on record."""

import logging
import time
from collections import Counter

from login_common.elastic import Client, by_index

from login_consumer import checkpoint
from login_consumer.counts import Counts, OffsetRange
from login_consumer.dead_letters import newest
from login_consumer.documents import DEAD_LETTERS, EVENTS, Topic, WindowKey
from login_consumer.periods import Index
from login_consumer.plan import Plan
from login_consumer.progress import Batch, Progress, Ranges, Times, progress_lines
from login_consumer.rebuild import repair
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.windows import EVENT_PLACE, LETTER_PLACE, Position, at_places, ends_behind, refresh

log = logging.getLogger(__name__)

# The numbers of the batch record with which a lineage begins, and of one before it, for what is left of a deleted topic
_BEFORE_THE_FIRST, _END_OF_A_TOPIC = -1, -2


def begin_afresh(
    settings: Settings, sink: Sink, plan: Plan, progress: Progress | None, topic: Topic, lineage: str, moment: int
) -> int:
    """Make all ready for batches of `lineage` that start at `plan.start`; return the sequence of the first of them.

    May be repeated: with the same lineage and `moment`, in milliseconds since 1970, or after a crash with others.
    The batch record with which the lineage begins is written before there is a checkpoint: windows are never merged
    under a lineage that the newest batch record does not name, so `repair` finds them. Raises Unavailable.
    """
    lost = {(topic.id, partition): [each] for partition, each in plan.lost.items()}
    unread = _unread(sink, plan.deleted) if plan.deleted else {}
    if plan.deleted:
        lost |= {(plan.deleted.topic_id, partition): [each] for partition, each in unread.items()}
    window_ms = settings.metrics.window_seconds * 1000
    rebuilt = repair(sink, progress, Position(topic.id, plan.start), at_places(EVENT_PLACE, lost), window_ms)
    if rebuilt:
        log.warning("counted %d windows anew, which hold %d events", rebuilt.windows, rebuilt.events)
    shape, sequence = checkpoint.shape_of(settings), plan.sequence
    if plan.loss:
        log.error("going on without lost records, as kafka.allow_data_loss permits: %s", plan.loss)
    refresh(sink, DEAD_LETTERS)
    if plan.deleted and any(each.first < each.next for each in unread.values()):
        old = Topic(topic.name, plan.deleted.topic_id)
        _record(sink, Batch(lineage, _END_OF_A_TOPIC, sequence, old, unread, shape, planned=moment))
        sequence += 1
    ranges = {p: plan.lost.get(p, OffsetRange(offset, offset)) for p, offset in plan.start.items()}
    _record(
        sink, Batch(lineage, _BEFORE_THE_FIRST, sequence, topic, ranges, shape, None, plan.loss, plan.marks, moment)
    )
    # Whatever is in it: initial offsets that Spark finds there win over those that it is given.
    aside = checkpoint.move_aside(settings.checkpoint_dir)
    if aside:
        log.warning("the checkpoint was moved to %s: %s", aside, plan.aside or "it plans no batch")
    if progress:
        log.warning("a fresh checkpoint goes on after batch %d of %s", progress.batch, progress.lineage)
    checkpoint.begin(settings.checkpoint_dir, lineage, topic, shape, f"{lineage}-{_BEFORE_THE_FIRST}")
    return sequence + 1


def _unread(sink: Sink, deleted: Position) -> Ranges:
    """Return what of a deleted topic no batch record tells of, as far as something of it is stored."""
    ends = ends_behind(sink, deleted)
    begins = {p: deleted.offsets.get(p, 0) for p in deleted.offsets.keys() | ends.keys()}
    return {p: OffsetRange(first, ends.get(p, first)) for p, first in begins.items()}


def _record(sink: Sink, batch: Batch) -> None:
    """Write the record of a batch that reads nothing: what is stored of its ranges counts, all else is lost."""
    places = {(batch.topic.id, p): [each] for p, each in batch.ranges.items() if each.first < each.next}
    counts = sink.ask(lambda client: _stored(client, places))
    sink.put([progress_lines(batch, counts, Times(0, 0, 0, round(time.time() * 1000)))], "a progress document")


def _stored(client: Client, lost: dict[tuple[str, int], list[OffsetRange]]) -> Counts:
    """Return the account of what was lost but is stored: the batch that read it was not finished."""
    found = by_index(client, f"{EVENTS}-*", at_places(EVENT_PLACE, lost))
    # no windows: only in which index they are, which an audit asks for
    windows = Counter(
        {
            WindowKey(index.span.first, None, None, ""): found[name]["doc_count"]
            for name in found
            if (index := Index.of(name))
        }
    )
    dead = Counter(newest(client, at_places(LETTER_PLACE, lost), 0).reasons)
    indexed = sum(each["doc_count"] for each in found.values())
    return Counts(read=indexed + dead.total(), indexed=indexed, dead=dead, windows=windows)
