# SPDX-License-Identifier: Apache-2.0
"""A fresh checkpoint: the old one kept aside, the windows made right, a loss put on record."""

import logging
import time
import uuid
from collections import Counter
from typing import NamedTuple

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

_BEFORE_THE_FIRST = -1  # the number of the batch record with which a lineage begins


class Begun(NamedTuple):
    """A lineage, and the sequence of its next batch record."""

    lineage: str
    sequence: int


def begin_afresh(settings: Settings, sink: Sink, plan: Plan, progress: Progress | None, topic: Topic) -> Begun:
    """Make all ready for batches that start at `plan.start`. May be repeated after a crash.

    The batch record with which the lineage begins is written before there is a checkpoint: windows are never merged
    under a lineage that the newest batch record does not name, so `repair` finds them. Raises Unavailable.
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
    first = Batch(lineage, _BEFORE_THE_FIRST, plan.sequence, topic, ranges, shape, None, plan.loss)
    counts = sink.ask(lambda client: _stored(client, lost))
    now = round(time.time() * 1000)
    sink.put([progress_lines(first, counts, Times(0, 0, 0, now))], "a progress document")
    # Whatever is in it: initial offsets that Spark finds there win over those that it is given.
    aside = checkpoint.move_aside(settings.checkpoint_dir)
    if aside:
        log.warning("the checkpoint was moved to %s: %s", aside, plan.aside or "it plans no batch")
    if progress:
        log.warning("a fresh checkpoint goes on after batch %d of %s", progress.batch, progress.lineage)
    checkpoint.begin(settings.checkpoint_dir, lineage, topic, shape, f"{lineage}-{_BEFORE_THE_FIRST}")
    return Begun(lineage, plan.sequence + 1)


def _stored(client: Client, lost: dict[tuple[str, int], list[OffsetRange]]) -> Counts:
    """Return the account of what was lost but is stored: the batch that read it was not finished."""
    query = at_places("login.kafka.", lost)
    indexed = client.number_of(f"{EVENTS}-*", query)
    dead = Counter(newest(client, at_places("", lost), 0).reasons)
    return Counts(read=indexed + dead.total(), indexed=indexed, dead=dead)
