# SPDX-License-Identifier: Apache-2.0
"""Windows as Elasticsearch can count them: from the event documents, and from the metric documents."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from login_common.elastic import Query

from login_consumer.counts import OffsetRange
from login_consumer.documents import DEAD_LETTERS, EVENTS, METRICS, WINDOW_FIELDS, WindowKey
from login_consumer.progress import Offsets
from login_consumer.sink import Sink

Span = OffsetRange
"""Times in milliseconds since 1970: the first, and the one after the last."""

EVENT_PLACE, LETTER_PLACE = "login.kafka.", ""
"""What stands before the fields topic_id, partition and offset of events and of dead letters."""

_MOST_PARTITIONS = 10_000
_PAGE = 10_000  # the most buckets that Elasticsearch gives at once


class Position(NamedTuple):
    """Which events belong in the windows: those that stand before these offsets, and all of older topics.

    What stands behind was written by a batch that is not finished, and is counted when that batch is replayed.
    """

    topic_id: str
    offsets: Offsets

    def query(self, *others: Query) -> Query:
        """Return the query for these events that also meet `others`."""
        return {"bool": {"filter": list(others), "must_not": self.behind(EVENT_PLACE)}}

    def behind(self, prefix: str) -> Query:
        """Return the query for documents of the topic that do not stand before the offsets; `prefix`: see at_places."""
        behind: list[Query] = [
            {
                "bool": {
                    "filter": [{"term": {f"{prefix}partition": p}}, {"range": {f"{prefix}offset": {"gte": n}}}],
                }
            }
            for p, n in self.offsets.items()
        ]
        behind.append({"bool": {"must_not": {"terms": {f"{prefix}partition": list(self.offsets)}}}})
        return {"bool": {"filter": [{"term": {f"{prefix}topic_id": self.topic_id}}, {"bool": {"should": behind}}]}}


def at_places(prefix: str, places: Mapping[tuple[str, int], Iterable[OffsetRange]]) -> Query:
    """Return the query for documents of records in ranges of offsets, by topic id and partition.

    `prefix` stands before the fields topic_id, partition and offset.
    """
    should = [
        {
            "bool": {
                "filter": [
                    {"term": {f"{prefix}topic_id": topic_id}},
                    {"term": {f"{prefix}partition": partition}},
                    {"range": {f"{prefix}offset": {"gte": each.first, "lt": each.next}}},
                ]
            }
        }
        for (topic_id, partition), ranges in places.items()
        for each in ranges
    ]
    return {"bool": {"should": should}} if should else {"match_none": {}}


def ends_behind(sink: Sink, position: Position) -> Offsets:
    """Return by partition the offset after the last one at or behind `position` that has an event or a dead letter.

    That is what batches without a record have written. Raises Unavailable.
    """
    refresh(sink, EVENTS, DEAD_LETTERS)
    ends: Offsets = {}
    for family, prefix in ((EVENTS, EVENT_PLACE), (DEAD_LETTERS, LETTER_PLACE)):
        partitions: Query = {
            "terms": {"field": f"{prefix}partition", "size": _MOST_PARTITIONS},
            "aggs": {"last": {"max": {"field": f"{prefix}offset"}}},
        }
        answer = sink.ask(
            lambda client, family=family, prefix=prefix, partitions=partitions: client.search(  # type: ignore[misc]
                index=f"{family}-*", query=position.behind(prefix), size=0, aggs={"partitions": partitions}
            )
        )
        for each in answer.get("aggregations", {}).get("partitions", {}).get("buckets", ()):  # none without an index
            ends[each["key"]] = max(ends.get(each["key"], 0), int(each["last"]["value"]) + 1)
    return ends


def refresh(sink: Sink, *families: str) -> None:
    """Make all documents of these families of indices searchable. Raises Unavailable."""
    indices = [f"{family}-*" for family in families]
    sink.ask(lambda client: client.refresh(indices))


def between(field: str, span: Span | None) -> list[Query]:
    """Return the query for times in `span`, none for all times."""
    if span is None:
        return []
    # as numbers: the end of time has a year of five digits, which is no date to Python
    return [{"range": {field: {"gte": span.first, "lt": span.next, "format": "epoch_millis"}}}]


def widened(span: Span | None, window_ms: int) -> Span | None:
    """Return the span of the whole windows that `span` touches."""
    return span and Span(span.first // window_ms * window_ms, -(-span.next // window_ms) * window_ms)


def counted_events(
    sink: Sink, position: Position, span: Span | None, window_ms: int
) -> Iterator[tuple[WindowKey, int]]:
    """Yield the windows of the stored events in the order of `order`, counted anew. Raises Unavailable."""
    start = {"date_histogram": {"field": "@timestamp", "fixed_interval": f"{window_ms}ms"}}
    query = position.query(*between("@timestamp", span))
    for key, bucket in _buckets(sink, EVENTS, query, start, WINDOW_FIELDS, {}):
        yield key, bucket["doc_count"]


def metrics(sink: Sink, span: Span | None) -> Iterator[tuple[WindowKey, int]]:
    """Yield the stored windows in the order of `order`. Raises Unavailable."""
    start = {"terms": {"field": "window_start"}}
    query = {"bool": {"filter": between("window_start", span)}}
    keys = {name: name for name in WINDOW_FIELDS}
    for key, bucket in _buckets(sink, METRICS, query, start, keys, {"count": {"sum": {"field": "count"}}}):
        yield key, int(bucket["count"]["value"])


def order(key: WindowKey) -> tuple[int, bytes, bytes, bytes]:
    """Return what Elasticsearch sorts windows by; absent values stand first."""
    return key.start, (key.country or "").encode(), (key.browser or "").encode(), key.outcome.encode()


def side_by_side(
    left: Iterator[tuple[WindowKey, int]], right: Iterator[tuple[WindowKey, int]]
) -> Iterator[tuple[WindowKey, int, int]]:
    """Yield each key with both counts, 0 where one side lacks it; both come in `order`."""
    one, other = next(left, None), next(right, None)
    while one or other:
        if other is None or (one and order(one[0]) < order(other[0])):
            assert one is not None  # noqa: S101  (one of the two is there)
            yield one[0], one[1], 0
            one = next(left, None)
        elif one is None or order(other[0]) < order(one[0]):
            yield other[0], 0, other[1]
            other = next(right, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(left, None), next(right, None)


def _buckets(
    sink: Sink, family: str, query: Query, start: Query, keys: dict[str, str], aggregations: Query
) -> Iterator[tuple[WindowKey, dict[str, Any]]]:
    sources: list[Query] = [{"start": start}]
    sources += [{name: {"terms": {"field": field, "missing_bucket": True}}} for name, field in keys.items()]
    after: dict[str, Any] = {}
    while True:
        composite = {"size": _PAGE, "sources": sources} | after
        asked = {"windows": {"composite": composite, "aggs": aggregations}}
        answer = sink.ask(
            lambda client, asked=asked: client.search(  # type: ignore[misc]
                index=f"{family}-*", query=query, size=0, aggs=asked
            )
        )
        page = answer.get("aggregations", {}).get("windows", {})  # none without an index
        for bucket in page.get("buckets", ()):
            yield WindowKey(**bucket["key"]), bucket
        if "after_key" not in page:
            return
        after = {"after": page["after_key"]}
