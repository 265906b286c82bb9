"""The part of the table of conformance.py that searches: queries, orders, aggregations."""

from collections.abc import Sequence
from typing import Any

from login_common.elastic import by_index
from login_common.times import iso

from exactness.calls import ALL, Calls, Row, bare
from exactness.queries import Json

_MINUTE = 60_000
_MOMENT = 1_772_359_200_000  # 2026-03-01T10:00:00Z
_HOUR, _NEXT_HOUR = _MOMENT, _MOMENT + 60 * _MINUTE
_SENT = {"state": "sent", "at": "2026-03-01T10:00:00.000Z"}


def _fields(on: Calls) -> Any:
    on.create("a", count=1, country="DE", replay={"state": "sent", "at": "2026-03-01T10:00:00.000Z"})
    on.refresh()

    def searched(**options: Any) -> Any:
        (hit,) = on.client.search(index=on.name("a-*"), query=ALL, **options)["hits"]["hits"]
        return hit["_source"]

    return (
        on.get("a", source_includes=["count", "replay.state", "lineage"]),
        searched(source_includes=["replay"]),
        searched(source_excludes=["replay", "count"]),
    )


def _several(on: Calls) -> None:
    """Store five documents in two indices."""
    rows: Sequence[tuple[str, int, Json]] = (
        ("a-1", 0, {"count": 3, "country": "DE"}),
        ("a-1", 1, {"count": 1, "country": "KR"}),
        ("a-1", 1, {"count": 20}),
        ("a-2", 2, {"country": "DE", "lineage": "x"}),
        ("a-2", 70, {"count": 2, "country": "é", "lineage": "y"}),
    )
    for number, (index, minute, fields) in enumerate(rows):
        on.create(str(number), index=index, window_start=iso(_MOMENT + minute * _MINUTE), **fields)
    on.refresh()


def _queries(on: Calls) -> Any:
    _several(on)
    later = {"gte": _MOMENT + _MINUTE, "lt": _MOMENT + 2 * _MINUTE, "format": "epoch_millis"}
    either = [{"term": {"country": "KR"}}, {"term": {"lineage": "x"}}]
    return [
        on.found({"term": {"country": "DE"}}),
        on.found({"terms": {"country": ["KR", "é"]}}),
        on.found({"range": {"window_start": later}}),
        on.found({"range": {"count": {"gt": 1, "lte": 3}}}),
        on.found({"exists": {"field": "lineage"}}),
        on.found({"ids": {"values": ["1", "4", "9"]}}),
        on.found({"bool": {"should": either}}),
        on.found({"bool": {"filter": [{"exists": {"field": "count"}}], "must_not": {"term": {"country": "DE"}}}}),
        on.found({"bool": {"filter": [], "must_not": []}}),
        on.found({"match_none": {}}),
        on.found({"term": {"country": "DE"}}, index="a-2"),
        on.client.number_of(on.name("a-*"), {"exists": {"field": "count"}}),
    ]


def _lists(on: Calls) -> Any:
    on.create("a", country=["DE", "É"])
    on.create("b", country="de")
    on.create("c", country=["KR"])
    on.refresh()
    return [
        on.found({"term": {"country": "DE"}}),
        on.found({"terms": {"country": ["É", "KR"]}}),
        on.found({"term": {"country": {"value": "De", "case_insensitive": True}}}),
        on.found({"term": {"country": {"value": "kr", "case_insensitive": True}}}),
    ]


def _sorted(on: Calls) -> Any:
    _several(on)
    down = [{"count": {"order": "desc"}}]
    two = [{"window_start": {"order": "desc"}}, "count"]
    hits = on.client.search(index=on.name("a-*"), query=ALL, sort=two, size=1)["hits"]
    after = hits["hits"][-1]["sort"]
    return (
        on.found(ALL, sort=["count"]),
        on.found(ALL, sort=down),
        (hits["total"]["value"], [hit["sort"] for hit in hits["hits"]]),
        on.found(ALL, sort=two, size=2, search_after=after, track_total_hits=False),
    )


def _aggregations(on: Calls) -> Any:
    _several(on)
    nothing = {name: {name: {"field": "last_batch"}} for name in ("min", "max", "sum")}
    inner = {"DE": {"filter": {"term": {"country": "DE"}}, "aggs": {"sum": {"sum": {"field": "count"}}}}}
    families = by_index(
        on.client, on.name("a-*"), {"exists": {"field": "count"}}, {"most": {"max": {"field": "count"}}}
    )
    return (
        on.aggregate(nothing),
        on.aggregate({"first": {"min": {"field": "window_start"}}, "most": {"max": {"field": "count"}}}),
        on.aggregate({"countries": {"terms": {"field": "country", "size": 2}}}),
        on.aggregate(inner),
        [(name[-3:], bare(each)["doc_count"], each["most"]["value"]) for name, each in sorted(families.items())],
    )


def _pages(on: Calls) -> Any:
    _several(on)
    hour = {"date_histogram": {"field": "window_start", "fixed_interval": f"{60 * _MINUTE}ms"}}
    country = {"terms": {"field": "country", "missing_bucket": True}}
    asked: Json = {"size": 2, "sources": [{"start": hour}, {"country": country}]}
    pages = []
    while not pages or "after_key" in pages[-1]:
        more = {"after": pages[-1]["after_key"]} if pages else {}
        aggs = {"counted": {"sum": {"field": "count"}}}
        pages.append(on.aggregate({"page": {"composite": asked | more, "aggs": aggs}})["page"])
    return [
        [(*each["key"].values(), each["doc_count"], each["counted"]["value"]) for each in page["buckets"]]
        for page in pages
    ]


SEARCHES = (
    Row(
        "of a source what is asked for",
        _fields,
        ([{"count": 1, "replay": {"state": "sent"}}], {"replay": _SENT}, {"country": "DE"}),
    ),
    Row(
        "queries",
        _queries,
        [
            *(["0", "3"], ["1", "4"], ["1", "2"], ["0", "4"], ["3", "4"], ["1", "4"], ["1", "3"], ["1", "2", "4"]),
            *(["0", "1", "2", "3", "4"], [], ["3"], 4),
        ],
    ),
    Row(
        "a term meets one of several values, and may leave the case of letters out",
        _lists,
        [["a"], ["a", "c"], ["a", "b"], ["c"]],
    ),
    Row(
        "documents without a value come last, whatever the order",
        _sorted,
        (
            ["1", "4", "0", "2", "3"],
            ["2", "0", "4", "1", "3"],
            (5, [[_MOMENT + 70 * _MINUTE, 2]]),
            ["3", "1"],
        ),
    ),
    Row(
        "measures and groups",
        _aggregations,
        (
            {"min": {"value": None}, "max": {"value": None}, "sum": {"value": 0.0}},
            {"first": {"value": float(_MOMENT)}, "most": {"value": 20.0}},
            {"countries": {"buckets": [{"key": "DE", "doc_count": 2}, {"key": "KR", "doc_count": 1}]}},
            {"DE": {"doc_count": 2, "sum": {"value": 3.0}}},
            [("a-1", 3, 20.0), ("a-2", 1, 2.0)],
        ),
    ),
    Row(
        "pages of buckets, those without a value first",
        _pages,
        [
            [(_HOUR, None, 1, 20.0), (_HOUR, "DE", 2, 3.0)],
            [(_HOUR, "KR", 1, 1.0), (_NEXT_HOUR, "é", 1, 2.0)],
            [],
        ],
    ),
)
