# SPDX-License-Identifier: Apache-2.0
"""Metric documents counted anew from the event documents."""

import logging
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from login_common.elastic import Client, Query, Unavailable

from login_consumer import checkpoint
from login_consumer.documents import EVENTS, METRICS, WindowKey, index_name, metric_id, metric_source
from login_consumer.left_out import LeftOut, as_lines
from login_consumer.plan import changes_of_shape, refuse_other_shape
from login_consumer.progress import Progress, last_progress
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.windows import Position, Span, between, counted_events, refresh, widened

log = logging.getLogger(__name__)

_LINES = 5000
_NO_TIME_OUT_S = 86_400


class Rebuilt(NamedTuple):
    """How many windows were written, how many events they count, how many stale windows were removed."""

    windows: int
    events: int
    removed: int


def rebuild(settings: Settings, span: Span | None, tell: Callable[[str], None]) -> Rebuilt:
    """Count the windows that start in `span` (None: all) anew, in place. The consumer must not run.

    Without `span` the settings' window and keys become those of the checkpoint, too.
    Until it has ended so, the consumer does not start.
    Raises CheckpointError if the consumer runs, if a part was to be rebuilt with other keys or windows than the rest,
    or if a restore, or before a part a rebuild, is not done. Raises Unavailable, also if an index cannot be read: the
    windows of its events would look stale.
    """
    with checkpoint.locked(settings.checkpoint_dir):
        # a rebuild of all that was interrupted has left windows of two lengths, and only another of all replaces them
        checkpoint.refuse_unfinished(settings.checkpoint_dir, but="" if span else "rebuild")
        sink, shape = Sink(settings.elasticsearch), checkpoint.shape_of(settings)
        if hidden := sink.ask(LeftOut.ask).unreadable:
            raise Unavailable(f"nothing was rebuilt: index {'; index '.join(as_lines(hidden))}")
        progress = sink.ask(lambda client: last_progress(client, settings.kafka.topic))
        if progress is None:
            raise checkpoint.CheckpointError(
                f"there is no progress document for topic {settings.kafka.topic}, so it is not known which events "
                "are accounted for; start the consumer instead: it reads from Kafka again, and counts right"
            )
        changed = changes_of_shape(progress.shape, shape)
        if changed and (span or "events.period" in changed):
            refuse_other_shape(progress.shape, shape)
        if span:
            return _count_all(settings, sink, progress, span, tell)
        with checkpoint.unfinished(settings.checkpoint_dir, "rebuild"):
            done = _count_all(settings, sink, progress, None, tell)
            if changed:
                fields = progress.fields | {"shape": shape}
                sink.put([_replacement(progress.index, progress.id, fields)], "a progress document")
            checkpoint.adopt(settings.checkpoint_dir, shape)
        return done


def _count_all(
    settings: Settings, sink: Sink, progress: Progress, span: Span | None, tell: Callable[[str], None]
) -> Rebuilt:
    refresh(sink, EVENTS, METRICS)
    position, stamp = Position(progress.topic_id, progress.offsets), (progress.lineage, progress.batch)
    return count_anew(sink, position, stamp, span, settings.metrics.window_seconds * 1000, tell)


def count_anew(
    sink: Sink,
    position: Position,
    stamp: tuple[str, int],
    span: Span | None,
    window_ms: int,
    tell: Callable[[str], None],
) -> Rebuilt:
    """Write the windows of all events of `position` in `span`, then remove those that no event is in any more.

    `stamp`, the lineage and batch of the last progress document, lets replays of batches up to that one pass
    by, and later ones be added. Events and windows must have been refreshed. Raises Unavailable.
    """
    span, mark = widened(span, window_ms), uuid.uuid4().hex
    windows = events = 0
    lines: list[bytes] = []
    for key, count in counted_events(sink, position, span, window_ms):
        lines.append(_window(key, count, window_ms, stamp, mark))
        windows, events = windows + 1, events + count
        if len(lines) >= _LINES:
            sink.put(lines, "a metric document")
            lines = []
            tell(f"{windows} windows, {events} events")
    sink.put(lines, "a metric document")
    refresh(sink, METRICS)
    stale: Query = {"bool": {"filter": between("window_start", span), "must_not": {"term": {"rebuild": mark}}}}
    # No time-out, which would ask for the same once more; nobody else writes windows meanwhile.
    answer = sink.ask(
        lambda client: client.options(request_timeout=_NO_TIME_OUT_S).delete_by_query(
            index=f"{METRICS}-*", query=stale, refresh=True, conflicts="proceed", allow_no_indices=True
        )
    )
    return Rebuilt(windows, events, int(answer["deleted"]))


def repair(sink: Sink, progress: Progress | None, position: Position, lost: Query, window_ms: int) -> Rebuilt | None:
    """Make the windows count exactly the events of `position`, from where a fresh checkpoint starts.

    A batch may have been merged without its progress document, or its events stored but never counted (those that
    `lost` finds). Only what may be wrong is counted anew; return None if that is nothing. Raises Unavailable.
    """
    refresh(sink, EVENTS, METRICS)
    merged: list[Query] = []
    if progress:
        merged = [{"term": {"lineage": progress.lineage}}, {"range": {"last_batch": {"gt": progress.batch}}}]
    spans = [sink.ask(lambda client: _span(client, METRICS, "window_start", {"bool": {"filter": merged}}))]
    spans.append(sink.ask(lambda client: _span(client, EVENTS, "@timestamp", lost)))
    found = [span for span in spans if span]
    if not found:
        return None
    span = Span(min(each.first for each in found), max(each.next for each in found))
    stamp = (progress.lineage, progress.batch) if progress else ("", -1)
    return count_anew(sink, position, stamp, span, window_ms, lambda told: log.info("counting windows anew: %s", told))


def _span(client: Client, family: str, field: str, query: Query) -> Span | None:
    asked = {"first": {"min": {"field": field}}, "last": {"max": {"field": field}}}
    answer = client.search(index=f"{family}-*", query=query, size=0, aggs=asked)
    told = answer.get("aggregations", {})
    if not told or told["first"]["value"] is None:
        return None
    return Span(int(told["first"]["value"]), int(told["last"]["value"]) + 1)


def _window(key: WindowKey, count: int, window_ms: int, stamp: tuple[str, int], mark: str) -> bytes:
    source = metric_source(key, count, window_ms, *stamp) | {"rebuild": mark}
    return _replacement(index_name(METRICS, key.start), metric_id(key), source)


def _replacement(index: str, document: str, source: dict[str, Any]) -> bytes:
    return orjson.dumps({"index": {"_index": index, "_id": document}}) + b"\n" + orjson.dumps(source) + b"\n"
