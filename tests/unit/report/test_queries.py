# SPDX-License-Identifier: Apache-2.0
"""What Elasticsearch is asked for a range."""

import json
from typing import Any

import pytest
from login_common.times import iso, moment
from login_report.queries import Span, lines, months_of, searches, step_for

SPAN = Span(moment("2026-11-24T18:00:00Z"), moment("2026-11-25T18:00:00Z"))
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def test_the_period_before_is_as_long_and_ends_where_the_range_begins() -> None:
    assert SPAN.before == Span(moment("2026-11-23T18:00:00Z"), SPAN.start)


@pytest.mark.parametrize(
    ("ms", "name", "text"),
    [
        (1, "1m", "minute"),
        (HOUR, "1m", "minute"),
        (HOUR + 1, "5m", "5 minutes"),
        (DAY, "30m", "30 minutes"),
        (7 * DAY, "3h", "3 hours"),
        (30 * DAY, "12h", "12 hours"),
        (60 * DAY, "1d", "day"),
        (365 * DAY, "week", "week"),
        (3 * 365 * DAY, "month", "month"),
        (10 * 365 * DAY, "quarter", "quarter"),
        (500 * 365 * DAY, "year", "year"),
    ],
)
def test_a_chart_over_time_has_at_most_60_bars(ms: int, name: str, text: str) -> None:
    step = step_for(Span(0, ms))
    assert (step.name, step.text) == (name, text)
    assert ms <= 60 * step.ms or name == "year"


@pytest.mark.parametrize(
    ("start", "end", "first"),
    [
        ("2026-11-24T18:00:00Z", "2026-11-25T18:00:00Z", "2025-12-01"),
        ("2025-11-26", "2026-11-25", "2025-11-01"),
        ("2020-02-29T23:59:59Z", "2026-01-01", "2020-02-01"),
        ("2026-11-30", "2026-12-01", "2025-12-01"),
        ("1970-01-01", "1970-01-02", "1969-02-01"),
    ],
)
def test_months_are_whole_and_at_least_twelve(start: str, end: str, first: str) -> None:
    months = months_of(Span(moment(start), moment(end)))
    assert iso(months.start)[:10] == first
    assert months.end == moment(end)


def asked_range(body: dict[str, Any]) -> tuple[str, dict[str, str]]:
    ((field, limits),) = body["query"]["range"].items()
    return field, limits


def test_each_search_asks_its_indices_for_its_time() -> None:
    now = {"gte": "2026-11-24T18:00:00.000Z", "lt": "2026-11-25T18:00:00.000Z"}
    before = {"gte": "2026-11-23T18:00:00.000Z", "lt": "2026-11-24T18:00:00.000Z"}
    asked = {name: (search.target, *asked_range(search.body)) for name, search in searches(SPAN).items()}
    assert asked == {
        "logins": ("login-metrics-*", "window_start", now),
        "logins_before": ("login-metrics-*", "window_start", before),
        "months": ("login-metrics-*", "window_start", {"gte": "2025-12-01T00:00:00.000Z", "lt": now["lt"]}),
        "events": ("login-events-*", "@timestamp", now),
        "events_before": ("login-events-*", "@timestamp", before),
        "pipeline": ("login-pipeline-*", "@timestamp", now),
        "dead_letters": ("login-dead-letters-*", "@timestamp", now),
        "dead_letters_before": ("login-dead-letters-*", "@timestamp", before),
    }


def test_no_document_but_the_last_account_is_fetched() -> None:
    sizes = {name: search.body["size"] for name, search in searches(SPAN).items()}
    assert {name for name, size in sizes.items() if size} == {"pipeline"}


def test_logins_are_the_sum_of_the_windows_counts() -> None:
    aggregations = searches(SPAN)["logins"].body["aggs"]
    for name in ("outcomes", "country", "browser", "no_country", "no_browser"):
        assert aggregations[name]["aggs"]["logins"] == {"sum": {"field": "count"}}


def test_all_go_as_one_request_that_refuses_half_an_answer() -> None:
    asked = searches(SPAN)
    told = lines(asked)
    assert told[1::2] == [search.body for search in asked.values()]
    assert told[0] == {"index": ["login-metrics-*"], "allow_partial_search_results": False}
    left = lines(asked, ["login-metrics-2026.01"])
    assert left[0]["index"] == ["login-metrics-*", "-login-metrics-2026.01"]
    assert [each["index"] for each in left[::2]].count(["login-events-*"]) == 2
    assert json.dumps(told)
