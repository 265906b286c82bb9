# SPDX-License-Identifier: Apache-2.0
"""Dashboards and report ask of users and addresses only what pseudonyms answer alike: which are equal, how many."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from dashboard_builder.queries import queries
from dashboard_builder.source import Source
from login_formats.fields import ADDRESSES, USERS
from login_report.queries import Span, searches

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
HIDDEN = {*USERS, *ADDRESSES}
BY_EQUALITY = {"terms", "cardinality", "missing"}
"""Aggregations that give the same number for each value's pseudonym. A field that is shown is no matter either."""


def uses(body: Any, inside: str = "") -> Iterator[tuple[str, str]]:
    """Yield each field that a search names, with what is asked of it."""
    if isinstance(body, dict):
        for name, value in body.items():
            if name == "field":
                yield inside, value
            elif isinstance(value, dict | list) and name != "fields":
                yield from uses(value, name)
            # {"terms": {"user.id": ["root"]}} and all other queries
            if name in HIDDEN or name == "event.original":
                yield f"query {inside}", name
    elif isinstance(body, list):
        for each in body:
            yield from uses(each, inside)


def all_uses(source: Source) -> list[tuple[str, str, str]]:
    span = Span(*(round(each.timestamp() * 1000) for each in (START, END)))
    found = [("report", *use) for search in searches(span).values() for use in uses(search.body)]
    for board in source.dashboards.values():
        for panel in board.panels:
            for query in queries(panel, source.data_views[panel.data_view], START, END):
                found += [(panel.id, *use) for use in uses(query.body)]
    return found


def test_nothing_but_equality_is_asked(source: Source) -> None:
    found = [use for use in all_uses(source) if use[2] in HIDDEN]
    assert len(found) > 5
    assert [use for use in found if use[1] not in BY_EQUALITY] == []


def test_nothing_needs_the_record_itself(source: Source) -> None:
    columns = {name for board in source.dashboards.values() for panel in board.panels for name in panel.columns}
    assert columns & HIDDEN, "a search shows some"
    assert "event.original" not in columns | {use[2] for use in all_uses(source)}


@pytest.mark.parametrize(
    "body",
    [
        {"query": {"term": {"user.id": "root"}}},
        {"query": {"bool": {"filter": [{"prefix": {"source.address": "192.0.2."}}]}}},
        {"aggs": {"networks": {"ip_prefix": {"field": "source.ip", "prefix_length": 24}}}},
        {"aggs": {"networks": {"ip_range": {"field": "source.ip", "ranges": []}}}},
    ],
)
def test_other_questions_would_be_noticed(body: dict[str, Any]) -> None:
    assert [use for use in uses(body) if use[1] in HIDDEN and use[0] not in BY_EQUALITY]
