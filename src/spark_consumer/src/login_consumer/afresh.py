# SPDX-License-Identifier: Apache-2.0
"""A fresh checkpoint: the old one kept aside, the windows made right, a loss put on record."""

import logging
import time
import uuid
from collections import Counter

from login_common.elastic import Client

from login_consumer import checkpoint
from login_consumer.counts import Counts, OffsetRange
from login_consumer.dead_letters import newest
from login_consumer.documents import EVENTS, Topic
from login_consumer.plan import Plan
from login_consumer.progress import Batch, Progress, Times, progress_lines
from login_consumer.rebuild import repair
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.windows import Position, at_places

log = logging.getLogger(__name__)

_BEFORE_THE_FIRST = -1  # the number of the batch that only records a loss


def begin_afresh(settings: Settings, sink: Sink, plan: Plan, progress: Progress | None, topic: Topic) -> str:
    """Make all ready for batches that start at `plan.start`; return their lineage. May be repeated after a crash.

    Raises Unavailable.
    """
    lost = {(topic.id, partition): [each] for partition, each in plan.lost.items()}
    window_ms = settings.metrics.window_seconds * 1000
    rebuilt = repair(sink, progress, Position(topic.id, plan.start), at_places("login.kafka.", lost), window_ms)
    if rebuilt:
        log.warning("counted %d windows anew, which hold %d events", rebuilt.windows, rebuilt.events)
    lineage, shape = str(uuid.uuid4()), checkpoint.shape_of(settings)
    if plan.loss:
        log.error("going on without lost records, as kafka.allow_data_loss permits: %s", plan.loss)
        ranges = {p: plan.lost.get(p, OffsetRange(offset, offset)) for p, offset in plan.start.items()}
        batch = Batch(lineage, _BEFORE_THE_FIRST, plan.sequence, topic, ranges, shape, None, plan.loss)
        counts = sink.ask(lambda client: _stored(client, lost))
        now = round(time.time() * 1000)
        sink.put([progress_lines(batch, counts, Times(0, 0, 0, now))], "a progress document")
    # Whatever is in it: initial offsets that Spark finds there win over those that it is given.
    aside = checkpoint.move_aside(settings.checkpoint_dir)
    if aside:
        log.warning("the checkpoint was moved to %s: %s", aside, plan.aside or "it plans no batch")
    if progress:
        log.warning("a fresh checkpoint goes on after batch %d of %s", progress.batch, progress.lineage)
    follows = f"{lineage}-{_BEFORE_THE_FIRST}" if plan.loss else progress.id if progress else ""
    checkpoint.begin(settings.checkpoint_dir, lineage, topic, shape, follows)
    return lineage


def _stored(client: Client, lost: dict[tuple[str, int], list[OffsetRange]]) -> Counts:
    """Return the account of what was lost but is stored: the batch that read it was not finished."""
    query = at_places("login.kafka.", lost)
    indexed = client.number_of(f"{EVENTS}-*", query)
    dead = Counter(newest(client, at_places("", lost), 0).reasons)
    return Counts(read=indexed + dead.total(), indexed=indexed, dead=dead)
