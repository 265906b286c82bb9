# SPDX-License-Identifier: Apache-2.0
"""The numbers of a report, read from Elasticsearch's answers. Text from outside is made printable here."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from login_common.text import printable

from login_report.queries import Span, Step, months_of, step_for

SUCCESS, FAILURE = "success", "failure"

_LONGEST_LABEL = 80

Answers = dict[str, Any]
"""For each name of queries.searches its answer. One about no index at all has no aggregations."""


@dataclass(frozen=True)
class Pair:
    """A number of the range, and of the time before. None: there is none, as with a rate of no logins."""

    now: float | None
    before: float | None

    @property
    def percent(self) -> float | None:
        """How much more it is than before, in percent of before; None if that cannot be told."""
        if self.now is None or not self.before:
            return None
        return 100 * (self.now - self.before) / self.before

    @property
    def difference(self) -> float | None:
        """How much more it is than before; None if one of them is not known."""
        return None if self.now is None or self.before is None else self.now - self.before


@dataclass(frozen=True)
class Outcomes:
    """Logins by outcome. The outcome of `other` is unknown."""

    success: int = 0
    failure: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All logins."""
        return self.success + self.failure + self.other

    @property
    def rate(self) -> float | None:
        """The percentage of successes among the logins of known outcome, None if there are none."""
        known = self.success + self.failure
        return 100 * self.success / known if known else None


@dataclass(frozen=True)
class Row:
    """How often a value came up. `named` is false for what has no value, and for the rest together."""

    label: str
    count: int
    named: bool = True


@dataclass(frozen=True)
class Moment:
    """The logins of the bar that starts at `start`, in milliseconds since 1970."""

    start: int
    outcomes: Outcomes


@dataclass(frozen=True)
class Month:
    """The logins of the month that starts at `start`, in milliseconds since 1970."""

    start: int
    logins: int


@dataclass(frozen=True)
class Latency:
    """From Kafka to searchable, in ms: of the median batch its p50, and the highest p99 of any. None: no batch."""

    start: int
    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class Health:
    """The accounts of the batches that were written in the range. Counts of records; latencies as in Latency."""

    batches: int
    read: int
    indexed: int
    duplicates: int
    ignored: int
    unrecognised: int
    dead: int
    skipped: int
    lag: int | None
    lag_max: int | None
    p50: float | None
    p99: float | None
    last_batch: str | None
    over_time: tuple[Latency, ...]


@dataclass(frozen=True)
class Numbers:
    """All that a report tells. `made` is when, in milliseconds since 1970."""

    span: Span
    made: int
    step: Step
    months_span: Span
    logins: Outcomes
    logins_before: Outcomes
    users: Pair
    over_time: tuple[Moment, ...]
    months: tuple[Month, ...]
    countries: tuple[Row, ...]
    browsers: tuple[Row, ...]
    failing_users: tuple[Row, ...]
    failing_addresses: tuple[Row, ...]
    reasons: tuple[Row, ...]
    dead_letters: Pair
    dead_reasons: tuple[Row, ...]
    health: Health
    unreadable: tuple[str, ...] = ()
    """What is not in the numbers, each with why and what helps."""

    @property
    def total(self) -> Pair:
        """All logins."""
        return Pair(self.logins.total, self.logins_before.total)

    @property
    def failures(self) -> Pair:
        """Failed logins."""
        return Pair(self.logins.failure, self.logins_before.failure)

    @property
    def rate(self) -> Pair:
        """The success rate in percent."""
        return Pair(self.logins.rate, self.logins_before.rate)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell about the range."""
        return not (self.logins.total or self.users.now or self.dead_letters.now or self.health.batches)


def read(span: Span, made: int, answers: Answers, unreadable: Mapping[str, str] = MappingProxyType({})) -> Numbers:
    """Return the numbers for the answers to queries.searches(span), in which the indices `unreadable` are not."""
    logins, events, letters = (_aggregations(answers[name]) for name in ("logins", "events", "dead_letters"))
    outcomes = _outcomes(logins)
    failures = events.get("failures", {})
    failed = int(failures.get("doc_count", 0))
    return Numbers(
        span=span,
        made=made,
        step=step_for(span),
        months_span=months_of(span),
        logins=outcomes,
        logins_before=_outcomes(_aggregations(answers["logins_before"])),
        users=Pair(_users(answers["events"]), _users(answers["events_before"])),
        over_time=tuple(Moment(int(each["key"]), _outcomes(each)) for each in _buckets(logins, "over_time")),
        months=tuple(
            Month(int(each["key"]), _value(each, "logins"))
            for each in _buckets(_aggregations(answers["months"]), "months")
        ),
        countries=_rows(logins, "country", outcomes.total, _value(logins.get("no_country", {}), "logins")),
        browsers=_rows(logins, "browser", outcomes.total, _value(logins.get("no_browser", {}), "logins")),
        failing_users=_rows(failures, "users", failed),
        failing_addresses=_rows(failures, "addresses", failed, failures.get("no_address", {}).get("doc_count", 0)),
        reasons=_rows(failures, "reasons", failed, failures.get("no_reason", {}).get("doc_count", 0)),
        dead_letters=Pair(_total(answers["dead_letters"]), _total(answers["dead_letters_before"])),
        dead_reasons=_rows(letters, "reasons", _total(answers["dead_letters"])),
        health=_health(answers["pipeline"]),
        unreadable=tuple(f"{printable(name)} is {printable(why)}" for name, why in unreadable.items()),
    )


def _aggregations(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer.get("aggregations", {})
    return found


def _buckets(aggregations: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aggregations.get(name, {}).get("buckets", [])
    return found


def _value(aggregations: dict[str, Any], name: str) -> int:
    # a sum is a double, exact up to 2^53
    return int(aggregations.get(name, {}).get("value") or 0)


def _total(answer: dict[str, Any]) -> int:
    return int(answer["hits"]["total"]["value"])


def _users(answer: dict[str, Any]) -> int:
    return _value(_aggregations(answer), "users")


def _outcomes(aggregations: dict[str, Any]) -> Outcomes:
    counts = {each["key"]: _value(each, "logins") for each in _buckets(aggregations, "outcomes")}
    success, failure = counts.pop(SUCCESS, 0), counts.pop(FAILURE, 0)
    return Outcomes(success, failure, sum(counts.values()))


def _rows(aggregations: dict[str, Any], name: str, total: int, missing: int = 0) -> tuple[Row, ...]:
    """Return the named values with their counts, what has no value, and the rest of `total`; nothing that is 0."""
    rows = [
        Row(_label(str(each["key"])), _value(each, "logins") if "logins" in each else int(each["doc_count"]))
        for each in _buckets(aggregations, name)
    ]
    # the windows may have grown since they were counted by outcome: never below 0
    rest = max(0, total - missing - sum(row.count for row in rows))
    rows += [Row("not given", int(missing), named=False), Row("all others", rest, named=False)]
    return tuple(row for row in rows if row.count)


def _label(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST_LABEL else shown[: _LONGEST_LABEL - 1] + "…"


def _latency(aggregations: dict[str, Any]) -> tuple[float | None, float | None]:
    medians = aggregations.get("p50", {}).get("values", [])
    return (medians[0]["value"] if medians else None), aggregations.get("p99", {}).get("value")


def _health(answer: dict[str, Any]) -> Health:
    found = _aggregations(answer)
    newest: dict[str, Any] = next((hit["_source"] for hit in answer["hits"]["hits"]), {})
    highest = found.get("lag_max", {}).get("value")
    sums = ("read", "indexed", "duplicates", "ignored", "unrecognised", "dead", "skipped")
    p50, p99 = _latency(found)
    return Health(
        batches=_total(answer),
        **{name: _value(found, name) for name in sums},
        lag=newest.get("lag"),
        lag_max=None if highest is None else int(highest),
        p50=p50,
        p99=p99,
        last_batch=newest.get("@timestamp"),
        over_time=tuple(Latency(int(each["key"]), *_latency(each)) for each in _buckets(found, "over_time")),
    )
