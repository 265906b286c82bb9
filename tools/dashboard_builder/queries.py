# SPDX-License-Identifier: Apache-2.0
"""What a panel asks of Elasticsearch, without Kibana: so that its numbers can be compared with others.

The bodies need no more than Elasticsearch's core. They differ from Kibana's own in form alone: each time shift is a
query of its own, the length of bars over time is chosen by the caller, and `per_second` stays a sum.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard_builder.lens import Json
from dashboard_builder.source import MONTH, Bucket, DataView, Filter, Metric, Panel, shifted_by

MISSING = "__missing__"
"""Key of the documents without a bucket's field."""

_HITS = 100  # as many rows as a saved search is asked for


@dataclass(frozen=True)
class Query:
    """A search for one period: the one asked for, or one that is earlier by `shift`."""

    index: str
    body: Json
    start: datetime
    end: datetime
    shift: str = ""


def queries(
    panel: Panel, view: DataView, start: datetime, end: datetime, auto: timedelta = timedelta(minutes=30)
) -> list[Query]:
    """Return the searches whose answers hold all that the panel shows from `start` to `end`.

    As in Kibana, both ends belong to the range. A panel's own time range is the caller's matter. `auto` is how long
    bars are, where they are no months.
    """
    if panel.chart == "search":
        found = {"size": _HITS, "sort": [{view.time_field: "desc"}], "fields": list(panel.columns), "_source": False}
        return [Query(view.title, found | _asked(panel, view, start, end), start, end)]
    asked = []
    for shift in dict.fromkeys(metric.shift for metric in panel.metrics.values()):
        metrics = {name: metric for name, metric in panel.metrics.items() if metric.shift == shift}
        earlier = shifted_by(shift, end - start) if shift else timedelta()
        first, last = start - earlier, end - earlier
        aggs = _aggs(list(panel.buckets.items()), panel, metrics, auto)
        body: Json = {"size": 0, "aggs": aggs} | _asked(panel, view, first, last)
        asked.append(Query(view.title, body, first, last, shift))
    return asked


def rows(panel: Panel, query: Query, answer: Mapping[str, Any]) -> list[Json]:
    """Return the panel's rows in Elasticsearch's answer: keys by bucket, numbers by metric, None where there is none.

    Times are milliseconds since 1970, of the period that was asked. What Kibana shows as "Other" is not among them.
    """
    if panel.chart == "search":
        return [{name: hit["fields"].get(name) for name in panel.columns} for hit in answer["hits"]["hits"]]
    wanted = {name: metric for name, metric in panel.metrics.items() if metric.shift == query.shift}
    return list(_rows(list(panel.buckets), wanted, answer["aggregations"], {}))


def _asked(panel: Panel, view: DataView, start: datetime, end: datetime) -> Json:
    range_ = {"gte": _iso(start), "lte": _iso(end), "format": "strict_date_optional_time"}
    return {"query": {"bool": {"filter": [{"range": {view.time_field: range_}}, *_terms(panel.filter)]}}}


def _terms(wanted: Filter) -> list[Json]:
    return [{"terms": {field: list(values)}} for field, values in wanted.items()]


def _aggs(buckets: list[tuple[str, Bucket]], panel: Panel, metrics: Mapping[str, Metric], auto: timedelta) -> Json:
    """Return the aggregations of the first bucket and all below it; the last level has the metrics."""
    if not buckets:
        return {key: agg for name, metric in metrics.items() for key, agg in _metric(name, metric).items()}
    (name, bucket), *deeper = buckets
    below = _aggs(deeper, panel, metrics, auto)
    if bucket.operation == "date_histogram":
        return {name: {"date_histogram": _interval(bucket, auto), "aggs": below}}
    order = panel.order_name(bucket)
    below |= _metric(order, panel.metrics[order])
    terms: Json = {"field": bucket.field, "size": bucket.size, "order": {_path(order, panel.metrics[order]): "desc"}}
    if bucket.rest:
        terms["missing"] = MISSING
    return {name: {"terms": terms, "aggs": below}}


def _interval(bucket: Bucket, auto: timedelta) -> Json:
    length = {"calendar_interval": MONTH}
    if bucket.interval != MONTH:
        length = {"fixed_interval": f"{int(auto.total_seconds())}s"}
    return {"field": bucket.field, "min_doc_count": 0} | length


def _metric(name: str, metric: Metric) -> dict[str, Json]:
    """Return the aggregations of a metric by name; each is a filter around the number, if it has one."""
    if metric.operation == "share":
        return {
            f"{name}_part": _filtered(metric, metric.filter),
            f"{name}_whole": _filtered(metric, metric.among),
        }
    return {name: _filtered(metric, metric.filter)}


def _filtered(metric: Metric, wanted: Filter) -> Json:
    number = _number(metric)
    return {"filter": {"bool": {"filter": _terms(wanted)}}} | ({"aggs": {"value": number}} if number else {})


def _number(metric: Metric) -> Json | None:
    """Return the aggregation inside the filter, or None where its number of documents is what is wanted."""
    match metric.operation:
        case "count":
            return None
        case "share":
            return {"sum": {"field": metric.field}} if metric.field else None
        case "unique_count":
            return {"cardinality": {"field": metric.field}}
        case "average":
            return {"avg": {"field": metric.field}}
        case "median":
            return {"percentiles": {"field": metric.field, "percents": [50.0]}}
        case _:
            return {metric.operation: {"field": metric.field}}


def _path(name: str, metric: Metric) -> str:
    """Return the path by which terms are ordered by a metric."""
    return f"{name}>value" if _number(metric) else name


def _rows(
    buckets: list[str], metrics: Mapping[str, Metric], level: Mapping[str, Any], keys: Mapping[str, Any]
) -> Iterator[Json]:
    if not buckets:
        yield {**keys, **{name: _value(name, metric, level) for name, metric in metrics.items()}}
        return
    name, *deeper = buckets
    for bucket in level[name]["buckets"]:
        yield from _rows(deeper, metrics, bucket, {**keys, name: bucket["key"]})


def _value(name: str, metric: Metric, level: Mapping[str, Any]) -> float | None:
    if metric.operation == "share":
        part, whole = (_read(metric, level[f"{name}_{each}"]) for each in ("part", "whole"))
        return None if part is None or not whole else part / whole
    return _read(metric, level[name])


def _read(metric: Metric, found: Mapping[str, Any]) -> float | None:
    number = _number(metric)
    if number is None:
        count: int = found["doc_count"]
        return count
    value: float | None = found["value"]["values"]["50.0"] if "percentiles" in number else found["value"]["value"]
    return value


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
