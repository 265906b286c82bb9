# SPDX-License-Identifier: Apache-2.0
"""What panels ask of Elasticsearch, and how its answers are read."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from dashboard_builder.mappings import FieldTypes
from dashboard_builder.queries import MISSING, Query, queries, rows
from dashboard_builder.source import Dashboard, Panel, Source

START = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 3, 2, tzinfo=UTC)
CORE = {"date_histogram", "terms", "filter", "sum", "avg", "min", "max", "cardinality", "percentiles"}
"""Aggregations that Elasticsearch has without any of its modules."""


def panel(source: Source, board: str, id_: str) -> Panel:
    return next(each for each in source.dashboards[board].panels if each.id == id_)


def asked(source: Source, board: str, id_: str, **more: Any) -> list[Query]:
    found = panel(source, board, id_)
    return queries(found, source.data_views[found.data_view], START, END, **more)


def aggregations(aggs: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for each in aggs.values():
        kind = next(key for key in each if key != "aggs")
        yield kind, each[kind]
        yield from aggregations(each.get("aggs", {}))


def between(field: str, start: str, end: str) -> dict[str, Any]:
    return {"range": {field: {"gte": start, "lte": end, "format": "strict_date_optional_time"}}}


def everything(inner: dict[str, Any]) -> dict[str, Any]:
    return {"filter": {"bool": {"filter": []}}, "aggs": {"value": inner}}


def test_a_number_and_the_period_before(source: Source) -> None:
    now, before = asked(source, "overview", "failures")
    failure = {"terms": {"outcome": ["failure"]}}
    assert now.index == before.index == "login-metrics-*"
    assert now.body == {
        "size": 0,
        "aggs": {"failures": everything({"sum": {"field": "count"}})},
        "query": {
            "bool": {
                "filter": [between("window_start", "2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"), failure]
            }
        },
    }
    assert before.body["aggs"] == {"before": everything({"sum": {"field": "count"}})}
    assert before.body["query"]["bool"]["filter"] == [
        between("window_start", "2026-02-28T00:00:00.000Z", "2026-03-01T00:00:00.000Z"),
        failure,
    ]
    assert (before.start, before.end, before.shift) == (datetime(2026, 2, 28, tzinfo=UTC), START, "previous")


def test_a_shift_is_a_duration(source: Source) -> None:
    found = panel(source, "overview", "against-day-before")
    now, before = queries(found, source.data_views[found.data_view], START, START + timedelta(hours=1))
    assert (now.shift, now.start) == ("", START)
    assert (before.shift, before.start, before.end) == ("1d", START - timedelta(days=1), START - timedelta(hours=23))


def test_times_are_told_in_utc(source: Source) -> None:
    found = panel(source, "overview", "unique-users")
    east = [moment.astimezone(timezone(timedelta(hours=9))) for moment in (START, END)]
    one, other = (queries(found, source.data_views[found.data_view], *times)[0] for times in ((START, END), east))
    assert one.body == other.body


def test_a_share_is_two_numbers(source: Source) -> None:
    body = asked(source, "security", "failure-rate")[0].body
    assert body["aggs"] == {
        "rate_part": {"filter": {"bool": {"filter": [{"terms": {"event.outcome": ["failure"]}}]}}},
        "rate_whole": {"filter": {"bool": {"filter": [{"terms": {"event.outcome": ["success", "failure"]}}]}}},
    }


def test_buckets_lie_within_each_other(source: Source) -> None:
    body = asked(source, "security", "by-reason", auto=timedelta(minutes=5))[0].body
    count = {"failures": {"filter": {"bool": {"filter": []}}}}
    histogram = {"field": "@timestamp", "fixed_interval": "300s", "min_doc_count": 0}
    assert body["aggs"] == {
        "reason": {
            "terms": {"field": "event.reason", "size": 8, "order": {"failures": "desc"}, "missing": MISSING},
            "aggs": {"time": {"date_histogram": histogram, "aggs": count}} | count,
        }
    }


def test_each_level_of_terms_has_what_orders_it(source: Source) -> None:
    users = asked(source, "security", "new-countries")[0].body["aggs"]["user"]
    assert users["terms"]["order"] == {"last>value": "desc"}
    assert users["aggs"]["last"] == everything({"max": {"field": "@timestamp"}})
    countries = users["aggs"]["country"]
    assert countries["terms"]["order"] == {"first>value": "desc"}
    assert list(countries["aggs"]) == ["first", "last", "logins"]


def test_all_numbers_may_be_of_the_period_before(source: Source) -> None:
    (before,) = asked(source, "overview", "by-country-before")
    assert (before.start, before.end) == (datetime(2026, 2, 28, tzinfo=UTC), START)
    assert before.body["aggs"]["country"]["terms"]["order"] == {"before>value": "desc"}
    assert list(before.body["aggs"]["country"]["aggs"]) == ["before"]


def test_months_are_those_of_the_calendar(source: Source) -> None:
    histogram = asked(source, "overview", "by-month")[0].body["aggs"]["month"]["date_histogram"]
    assert histogram == {"field": "window_start", "calendar_interval": "1M", "min_doc_count": 0}


def test_a_search_asks_for_documents(source: Source) -> None:
    (query,) = asked(source, "events", "dead-letters")
    assert query.index == "login-dead-letters-*"
    assert query.body["sort"] == [{"@timestamp": "desc"}]
    assert query.body["fields"] == ["reason", "detail", "topic", "partition", "offset", "replay.state"]


def test_all_panels_ask_the_core_for_fields_that_exist(source: Source, types: Mapping[str, FieldTypes]) -> None:
    boards: list[Dashboard] = list(source.dashboards.values())
    for each in (panel for board in boards for panel in board.panels):
        view = source.data_views[each.data_view]
        found = queries(each, view, START, END)
        assert {query.shift for query in found} == ({metric.shift for metric in each.metrics.values()} or {""})
        for kind, said in (pair for query in found for pair in aggregations(query.body.get("aggs", {}))):
            assert kind in CORE, each.id
            assert kind == "filter" or said["field"] in types[view.title], each.id


def test_numbers_are_read_from_an_answer(source: Source) -> None:
    found = panel(source, "security", "success-after-failures")
    bucket = {
        "key": "u-1",
        "doc_count": 4,
        "failures": {"doc_count": 3},
        "successes": {"doc_count": 1},
        "last_failure": {"doc_count": 3, "value": {"value": 1772323200000.0}},
        "last_success": {"doc_count": 1, "value": {"value": None}},
    }
    answer = {"aggregations": {"user": {"buckets": [bucket]}}}
    assert rows(found, asked(source, "security", found.id)[0], answer) == [
        {"user": "u-1", "failures": 3, "successes": 1, "last_failure": 1772323200000.0, "last_success": None}
    ]


@pytest.mark.parametrize(("whole", "share"), [(8.0, 0.75), (0.0, None)])
def test_a_share_is_read_as_a_quotient(source: Source, whole: float, share: float | None) -> None:
    answer = {
        "aggregations": {
            f"{name}_{part}": {"doc_count": 2, "value": {"value": value}}
            for name in ("rate", "before")
            for part, value in (("part", 6.0), ("whole", whole))
        }
    }
    now, before = asked(source, "overview", "success-rate")
    found = panel(source, "overview", "success-rate")
    assert rows(found, now, answer) == [{"rate": share}]
    assert rows(found, before, answer) == [{"before": share}]


def test_rows_of_nested_buckets_have_all_keys(source: Source) -> None:
    found = panel(source, "pipeline_health", "dead-by-reason")
    times = {"buckets": [{"key": 0, "dead": {"doc_count": 2}}, {"key": 1800000, "dead": {"doc_count": 0}}]}
    answer = {"aggregations": {"reason": {"buckets": [{"key": "not_json", "time": times}]}}}
    assert rows(found, asked(source, "pipeline_health", found.id)[0], answer) == [
        {"reason": "not_json", "time": 0, "dead": 2},
        {"reason": "not_json", "time": 1800000, "dead": 0},
    ]


def test_a_median_is_read_from_percentiles(source: Source) -> None:
    found = panel(source, "pipeline_health", "latency")
    bucket = {"key": 0, "p50": {"value": {"values": {"50.0": 240.0}}}, "p99": {"value": {"value": 900.0}}}
    answer = {"aggregations": {"time": {"buckets": [bucket]}}}
    assert rows(found, asked(source, "pipeline_health", found.id)[0], answer) == [
        {"time": 0, "p50": 240.0, "p99": 900.0}
    ]


def test_hits_are_read_by_column(source: Source) -> None:
    found = panel(source, "events", "dead-letters")
    answer = {"hits": {"hits": [{"fields": {"reason": ["binary"], "offset": [7]}}]}}
    (row,) = rows(found, asked(source, "events", found.id)[0], answer)
    assert row == {
        "reason": ["binary"],
        "detail": None,
        "topic": None,
        "partition": None,
        "offset": [7],
        "replay.state": None,
    }
