# SPDX-License-Identifier: Apache-2.0
"""What Elasticsearch is asked: one search for each kind of number, all in one request. Nothing is sent here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from login_common.times import iso

EVENTS, METRICS, DEAD_LETTERS, PIPELINE = (
    "login-events-*",
    "login-metrics-*",
    "login-dead-letters-*",
    "login-pipeline-*",
)

ROWS = 10
"""How many users, browsers and so on are named; the rest is counted together."""

EXACT_USERS = 40_000
"""Up to about so many unique users are counted nearly exactly, more are estimated. Elasticsearch allows no more."""

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
_MOST_STEPS = 60
_MONTHS = 12
# Each shard tells its best so many, so that the best of all are right unless the shards differ a lot.
_SHARD_SIZE = 1000


@dataclass(frozen=True)
class Span:
    """A time from `start` to `end`, itself excluded, in milliseconds since 1970."""

    start: int
    end: int

    @property
    def before(self) -> "Span":
        """The time just before, as long as this one."""
        return Span(2 * self.start - self.end, self.start)

    def filter(self, field: str) -> dict[str, Any]:
        """Return the query for documents whose `field` is a time in here."""
        return {"range": {field: {"gte": iso(self.start), "lt": iso(self.end)}}}


class Step(NamedTuple):
    """How long a bar of a chart over time lasts: Elasticsearch's own name for it, and about how many ms."""

    kind: str
    name: str
    ms: int

    @property
    def text(self) -> str:
        """The step in words, as in `30 minutes`."""
        units = {"m": "minute", "h": "hour", "d": "day"}
        if self.kind == "calendar_interval":
            return self.name
        number, unit = int(self.name[:-1]), units[self.name[-1]]
        return unit if number == 1 else f"{number} {unit}s"


_STEPS = (
    *(Step("fixed_interval", f"{n}m", n * _MINUTE_MS) for n in (1, 5, 10, 30)),
    *(Step("fixed_interval", f"{n}h", n * _HOUR_MS) for n in (1, 3, 6, 12)),
    Step("fixed_interval", "1d", _DAY_MS),
    Step("calendar_interval", "week", 7 * _DAY_MS),
    Step("calendar_interval", "month", 30 * _DAY_MS),
    Step("calendar_interval", "quarter", 91 * _DAY_MS),
    Step("calendar_interval", "year", 365 * _DAY_MS),
)


class Search(NamedTuple):
    """A search: in which indices, and its body."""

    target: str
    body: dict[str, Any]


def step_for(span: Span) -> Step:
    """Return the shortest step that cuts `span` into at most 60 bars, or into years."""
    return next((step for step in _STEPS if span.end - span.start <= _MOST_STEPS * step.ms), _STEPS[-1])


def months_of(span: Span) -> Span:
    """Return the time whose logins are told by month: all months of `span`, or the 12 up to its end if that is more."""
    first = min(_month(span.start), _month(span.end - 1) - (_MONTHS - 1))
    start = datetime(first // 12, first % 12 + 1, 1, tzinfo=UTC)
    return Span(int(start.timestamp()) * 1000, span.end)


def _month(ms: int) -> int:
    """Return the months from the year 0 to `ms`."""
    day = datetime.fromtimestamp(ms / 1000, UTC)
    return 12 * day.year + day.month - 1


def searches(span: Span) -> dict[str, Search]:
    """Return all searches for a report about `span`, by name."""
    before, months, step = span.before, months_of(span), step_for(span)
    return {
        "logins": _search(
            METRICS,
            span.filter("window_start"),
            outcomes=_outcomes(),
            over_time=_histogram("window_start", step, span, outcomes=_outcomes()),
            **_counted("country"),
            **_counted("browser"),
        ),
        "logins_before": _search(METRICS, before.filter("window_start"), outcomes=_outcomes()),
        "months": _search(
            METRICS,
            months.filter("window_start"),
            months=_histogram("window_start", Step("calendar_interval", "month", 0), months, logins=_sum("count")),
        ),
        "events": _search(
            EVENTS,
            span.filter("@timestamp"),
            users=_users(),
            failures={
                "filter": {"term": {"event.outcome": "failure"}},
                "aggs": {
                    "users": _terms("user.id"),
                    "addresses": _terms("source.address"),
                    "no_address": {"missing": {"field": "source.address"}},
                    "reasons": _terms("event.reason"),
                    "no_reason": {"missing": {"field": "event.reason"}},
                },
            },
        ),
        "events_before": _search(EVENTS, before.filter("@timestamp"), users=_users()),
        "pipeline": _pipeline(span, step),
        "dead_letters": _letters(span, reasons={"terms": {"field": "reason", "size": 100}}),
        "dead_letters_before": _letters(before),
    }


PATTERNS = (EVENTS, METRICS, PIPELINE, DEAD_LETTERS)


def privileges() -> list[dict[str, Any]]:
    """Return the index privileges that the searches need, and the question which indices there are.

    Elasticsearch answers a search for indices that the key may not read as if there were none, so that is asked for.
    """
    return [{"names": list(PATTERNS), "privileges": ["read", "view_index_metadata"]}]


def lines(asked: dict[str, Search], without: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the body of one msearch: for each search a header and its body. Half an answer is refused.

    Indices `without` are left out.
    """
    out = {pattern: [f"-{name}" for name in without if name.startswith(pattern[:-1])] for pattern in PATTERNS}
    return [
        line
        for search in asked.values()
        for line in (
            {"index": [search.target, *out[search.target]], "allow_partial_search_results": False},
            search.body,
        )
    ]


def _search(index: str, query: dict[str, Any], **aggregations: Any) -> Search:
    body: dict[str, Any] = {"size": 0, "track_total_hits": False, "query": query}
    return Search(index, body | {"aggs": aggregations} if aggregations else body)


def _sum(field: str) -> dict[str, Any]:
    return {"sum": {"field": field}}


def _users() -> dict[str, Any]:
    return {"cardinality": {"field": "user.id", "precision_threshold": EXACT_USERS}}


def _outcomes() -> dict[str, Any]:
    return {"terms": {"field": "outcome", "size": 10}, "aggs": {"logins": _sum("count")}}


def _terms(field: str) -> dict[str, Any]:
    return {"terms": {"field": field, "size": ROWS, "shard_size": _SHARD_SIZE}}


def _counted(field: str) -> dict[str, Any]:
    """Return the aggregations for the logins by `field` of the windows, and for those without one."""
    terms = {"field": field, "size": ROWS, "shard_size": _SHARD_SIZE, "order": {"logins": "desc"}}
    return {
        field: {"terms": terms, "aggs": {"logins": _sum("count")}},
        f"no_{field}": {"missing": {"field": field}, "aggs": {"logins": _sum("count")}},
    }


def _histogram(field: str, step: Step, span: Span, **aggregations: Any) -> dict[str, Any]:
    bounds = {"min": iso(span.start), "max": iso(span.end - 1)}
    return {
        "date_histogram": {"field": field, step.kind: step.name, "min_doc_count": 0, "extended_bounds": bounds},
        "aggs": aggregations,
    }


def _pipeline(span: Span, step: Step) -> Search:
    highest = {"max": {"field": "latency_ms.p99"}}
    median = {"percentiles": {"field": "latency_ms.p50", "percents": [50], "keyed": False}}
    sums = ("read", "indexed", "duplicates", "ignored", "unrecognised", "dead", "skipped")
    search = _search(
        PIPELINE,
        span.filter("@timestamp"),
        **{name: _sum(name) for name in sums},
        lag_max={"max": {"field": "lag"}},
        p50=median,
        p99=highest,
        over_time=_histogram("@timestamp", step, span, p50=median, p99=highest),
    )
    newest = [{"@timestamp": {"order": "desc", "unmapped_type": "date"}}]
    search.body.update(size=1, track_total_hits=True, sort=newest, _source=["@timestamp", "lag", "lag_seconds"])
    return search


def _letters(span: Span, **aggregations: Any) -> Search:
    search = _search(DEAD_LETTERS, span.filter("@timestamp"), **aggregations)
    search.body["track_total_hits"] = True
    return search
