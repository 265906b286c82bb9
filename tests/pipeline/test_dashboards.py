# SPDX-License-Identifier: Apache-2.0
"""Each panel of each dashboard: what Elasticsearch answers to its query is what the stored documents say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import panels
import pytest
from dashboard_builder.queries import Query, queries, rows
from dashboard_builder.source import Metric, Panel, Source
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from kafka import KafkaProducer
from pipeline import Pipeline
from playbook import ROOT

SOURCE = Source.read(ROOT / "kibana_exports")
PANELS = {f"{file}/{panel.id}": panel for file, dashboard in SOURCE.dashboards.items() for panel in dashboard.panels}
AUTO = timedelta(minutes=30)
TIMES = ("@timestamp", "window_start", "window_end", "ingested", "event.ingested", "replay.time")


@pytest.fixture(scope="module")
def now(pipeline: Pipeline, kafka: Callable[[str], dict[str, Any]]) -> Iterator[datetime]:
    """Have a dead letter at least, then let nothing be written; the ranges end now."""
    with closing(KafkaProducer(**kafka("producer"), acks="all")) as producer:
        producer.send(pipeline.deployment.topic, b"no event").get(timeout=60)
    with pipeline.still():
        yield datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def documents(elastic: Elasticsearch) -> Callable[[str, str, datetime, datetime], list[panels.Document]]:
    """Return a function that gives all documents of an index pattern from a time to a time, both included."""

    @cache
    def read(index: str, field: str, start: datetime, end: datetime) -> list[panels.Document]:
        query = {"range": {field: {"gte": start.isoformat(), "lte": end.isoformat()}}}
        return [
            panels.flat(hit["_source"], TIMES) for hit in scan(elastic, index=index, query={"query": query}, size=5000)
        ]

    return read


def agree(metric: Metric, told: Any, counted: Any) -> bool:
    """Whether two numbers are the same; Elasticsearch estimates medians, and many different values."""
    if told is None or counted is None:
        return not told and not counted  # the sum of nothing is 0
    exact = {"median": 0.1, "unique_count": 0.02}.get(metric.operation, 1e-9)
    return bool(told == pytest.approx(counted, rel=exact))


def check_chart(panel: Panel, query: Query, answer: Any, counted: panels.Rows) -> None:
    told: panels.Rows = {}
    for row in rows(panel, query, answer):
        told[tuple(row[name] for name in panel.buckets)] = {
            name: row[name] for name in row if name not in panel.buckets
        }
    assert counted.keys() <= told.keys()
    for keys, numbers in told.items():
        if keys in counted:
            wrong = {
                n: (v, counted[keys][n]) for n, v in numbers.items() if not agree(panel.metrics[n], v, counted[keys][n])
            }
            assert not wrong, (keys, wrong)
        else:  # a bar without documents
            assert not any(numbers.values()), (keys, numbers)


@pytest.mark.parametrize("name", PANELS)
def test_a_panels_numbers(
    name: str, now: datetime, elastic: Elasticsearch, documents: Callable[..., list[panels.Document]]
) -> None:
    panel = PANELS[name]
    view = SOURCE.data_views[panel.data_view]
    start = now - timedelta(days=400 if panel.time and "M" in panel.time.start else 1)
    for query in queries(panel, view, start, now, AUTO):
        answer = elastic.search(index=query.index, **query.body)
        stored = documents(query.index, view.time_field, query.start, query.end)
        if panel.chart == "search":
            wanted = [each for each in stored if panels.matches(each, panel.filter)]
            assert len(rows(panel, query, answer)) == min(len(wanted), 100)
        else:
            check_chart(panel, query, answer, panels.rows(panel, query.shift, stored, AUTO))


def test_there_was_something_to_count(now: datetime, documents: Callable[..., list[panels.Document]]) -> None:
    for view in SOURCE.data_views.values():
        assert documents(view.title, view.time_field, now - timedelta(days=1), now), view.title
