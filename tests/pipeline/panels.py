# SPDX-License-Identifier: Apache-2.0
"""The numbers of a dashboard's panel, counted in Python from the stored documents, without an aggregation."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard_builder.queries import MISSING
from dashboard_builder.source import MONTH, Bucket, Filter, Metric, Panel

Document = Mapping[str, Any]
"""Values by dotted path; times in milliseconds since 1970."""
Rows = dict[tuple[Any, ...], dict[str, Any]]
"""Metrics by name, by the keys of the buckets; only where there are documents."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def flat(source: Mapping[str, Any], times: Sequence[str], prefix: str = "") -> Document:
    """Return a document's source by dotted paths; `times` are the paths of dates."""
    found: dict[str, Any] = {}
    for name, value in source.items():
        path = prefix + name
        if isinstance(value, Mapping):
            found |= flat(value, times, f"{path}.")
        else:
            found[path] = milliseconds(datetime.fromisoformat(value)) if path in times else value
    return found


def milliseconds(moment: datetime) -> int:
    return round((moment - EPOCH) / timedelta(milliseconds=1))


def rows(panel: Panel, shift: str, documents: Iterable[Document], auto: timedelta) -> Rows:
    """Return the rows of a panel for the metrics of one time shift; bars over time are `auto` long, or by months."""
    metrics = {name: metric for name, metric in panel.metrics.items() if metric.shift == shift}
    wanted = [each for each in documents if matches(each, panel.filter)]
    found: Rows = {}
    _divide(panel, list(panel.buckets.values()), metrics, wanted, auto, (), found)
    return found


def matches(document: Document, wanted: Filter) -> bool:
    return all(document.get(field) in values for field, values in wanted.items())


def _divide(
    panel: Panel,
    buckets: Sequence[Bucket],
    metrics: Mapping[str, Metric],
    documents: Sequence[Document],
    auto: timedelta,
    keys: tuple[Any, ...],
    found: Rows,
) -> None:
    if not buckets:
        found[keys] = {name: number(metric, documents) for name, metric in metrics.items()}
        return
    bucket, *deeper = buckets
    groups: defaultdict[Any, list[Document]] = defaultdict(list)
    for each in documents:
        value = each.get(bucket.field, MISSING if bucket.rest else None)
        if value is not None:
            groups[_start(bucket, value, auto) if bucket.operation == "date_histogram" else value].append(each)
    chosen = list(groups)
    if bucket.operation == "terms":
        order = panel.ordering(bucket)
        chosen = sorted(groups, key=lambda key: (-(number(order, groups[key]) or 0), key))[: bucket.size]
    for key in chosen:
        _divide(panel, deeper, metrics, groups[key], auto, (*keys, key), found)


def _start(bucket: Bucket, time: int, auto: timedelta) -> int:
    if bucket.interval == MONTH:
        moment = EPOCH + timedelta(milliseconds=time)
        return milliseconds(moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    length = round(auto / timedelta(milliseconds=1))
    return time // length * length


def number(metric: Metric, documents: Sequence[Document]) -> Any:
    """Return a metric of these documents; None where there is nothing to count."""
    if metric.operation == "share":
        whole = _amount(metric, metric.among, documents)
        return _amount(metric, metric.filter, documents) / whole if whole else None
    inside = [each for each in documents if matches(each, metric.filter)]
    if metric.operation == "count":
        return len(inside)
    values = [each[metric.field] for each in inside if each.get(metric.field or "") is not None]
    if metric.operation in ("sum", "unique_count"):
        return sum(values) if metric.operation == "sum" else len(set(values))
    functions: dict[str, Callable[[list[Any]], Any]] = {
        "average": statistics.fmean,
        "median": statistics.median,
        "min": min,
        "max": max,
    }
    return functions[metric.operation](values) if values else None


def _amount(metric: Metric, wanted: Filter, documents: Sequence[Document]) -> float:
    inside = [each for each in documents if matches(each, wanted)]
    return sum(each.get(metric.field, 0) for each in inside) if metric.field else len(inside)
