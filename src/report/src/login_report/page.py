# SPDX-License-Identifier: Apache-2.0
"""The page: numbers and charts to one HTML file that needs nothing else. Whatever is put in is escaped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from login_common.times import iso
from markupsafe import Markup

from login_report.charts import Chart, time_text
from login_report.numbers import Numbers, Outcomes, Pair, Row
from login_report.queries import EXACT_USERS, Span, Step

_MONTH = Step("calendar_interval", "month", 0)
_PERCENT = "\u00a0%"  # no line ends in between

NOTHING = "none"
"""Stands for a number that there is not, such as a rate of no logins."""


@dataclass(frozen=True)
class Table:
    """Numbers as text, for those who do not see the chart. The first column names the row."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Figure:
    """A number at the head of the page, and how it compares with the time before."""

    title: str
    value: str
    change: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page: a chart, if there is something to draw, and its numbers."""

    name: str
    title: str
    note: str
    table: Table
    svg: Markup | None


def render(numbers: Numbers, drawn: Mapping[str, Chart]) -> str:
    """Return the page. `drawn` are the charts by name."""
    environment = Environment(
        loader=PackageLoader("login_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title="Logins",
        span=span_text(numbers.span),
        before=span_text(numbers.span.before),
        made=_minute(numbers.made),
        empty=numbers.empty,
        unreadable=numbers.unreadable,
        figures=list(_figures(numbers)),
        sections=list(_sections(numbers, drawn)),
        health=_health(numbers),
        health_sections=list(_health_sections(numbers, drawn)),
    )


def span_text(span: Span) -> str:
    """Return the range in words, in UTC."""
    return f"{_minute(span.start)} to {_minute(span.end)}"


def _figures(numbers: Numbers) -> Iterator[Figure]:
    yield Figure("Logins", count(numbers.total.now), change(numbers.total, count))
    yield Figure(
        "Success rate",
        percent(numbers.rate.now),
        points(numbers.rate),
        "of the logins whose outcome is known" if numbers.logins.other else "",
    )
    about = (
        "estimated, to a few percent" if max(numbers.users.now or 0, numbers.users.before or 0) > EXACT_USERS else ""
    )
    yield Figure("Unique users", count(numbers.users.now), change(numbers.users, count), about)
    yield Figure("Failures", count(numbers.failures.now), change(numbers.failures, count))


def _sections(numbers: Numbers, drawn: Mapping[str, Chart]) -> Iterator[Section]:
    over_time = [(time_text(each.start, numbers.step), *_counts(each.outcomes)) for each in numbers.over_time]
    months = [(time_text(each.start, _MONTH), count(each.logins)) for each in numbers.months]
    tables = {
        "over_time": (
            "Logins over time by outcome",
            f"One bar: {numbers.step.text}. Times are UTC.",
            Table(("Start", "Success", "Failure", "Unknown", "All"), over_time),
        ),
        "months": (
            "Logins per month",
            f"{span_text(numbers.months_span)}, whatever the range of this page.",
            Table(("Month", "Logins"), months),
        ),
        "countries": ("Logins by country", "", _table("Country", "Logins", numbers.countries)),
        "browsers": ("Logins by browser", "", _table("Browser", "Logins", numbers.browsers)),
        "failing_users": ("Users with the most failures", "", _table("User", "Failures", numbers.failing_users)),
        "failing_addresses": (
            "Addresses with the most failures",
            "",
            _table("Address", "Failures", numbers.failing_addresses),
        ),
        "reasons": ("Failures by reason", "", _table("Reason", "Failures", numbers.reasons)),
    }
    for name, (title, note, table) in tables.items():
        yield _section(name, title, note, table, drawn)


def _health_sections(numbers: Numbers, drawn: Mapping[str, Chart]) -> Iterator[Section]:
    yield _section(
        "dead_reasons",
        "Dead letters by reason",
        "Records that were refused and kept, by the time that Kafka gave them.",
        _table("Reason", "Dead letters", numbers.dead_reasons),
        drawn,
    )
    latencies = [
        (time_text(each.start, numbers.step), seconds(each.p50), seconds(each.p99)) for each in numbers.health.over_time
    ]
    yield _section(
        "latency",
        "Latency from Kafka to searchable",
        "Half of a batch's records are quicker than its p50, 99 of 100 quicker than its p99.",
        Table(("Start", "p50 of the median batch", "Highest p99"), latencies),
        drawn,
    )


def _section(name: str, title: str, note: str, table: Table, drawn: Mapping[str, Chart]) -> Section:
    # the drawing has its text escaped by the one that wrote it, see svg.inlined
    svg = Markup(drawn[name].svg()) if name in drawn else None  # noqa: S704
    return Section(name, title, note, table, svg)


def _health(numbers: Numbers) -> Table:
    health, letters = numbers.health, numbers.dead_letters
    rows = [
        ("Dead letters", f"{count(letters.now)} ({change(letters, count)})"),
        ("Batches", count(health.batches)),
        ("Last batch", _minute(_ms(health.last_batch)) if health.last_batch else "none"),
        ("Records read", count(health.read)),
        ("Indexed", count(health.indexed)),
        ("Duplicates", count(health.duplicates)),
        ("Ignored (no logins)", count(health.ignored)),
        ("Unrecognised", count(health.unrecognised)),
        ("Refused", count(health.dead)),
        ("Gone from Kafka before they were read", count(health.skipped)),
        ("Lag of the last batch", _records(health.lag)),
        ("Highest lag", _records(health.lag_max)),
        ("Latency p50 of the median batch", seconds(health.p50)),
        ("Highest latency p99", seconds(health.p99)),
    ]
    return Table(("Measure", "Value"), rows)


def _table(what: str, counted: str, rows: Sequence[Row]) -> Table:
    total = sum(row.count for row in rows)
    return Table(
        (what, counted, "Share"), [(row.label, count(row.count), percent(100 * row.count / total)) for row in rows]
    )


def _counts(outcomes: Outcomes) -> tuple[str, ...]:
    return tuple(count(each) for each in (outcomes.success, outcomes.failure, outcomes.other, outcomes.total))


def count(value: float | None) -> str:
    """Return a count with its thousands set apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def percent(value: float | None) -> str:
    """Return a percentage; what is not quite 0 or 100 is not shown as that."""
    if value is None:
        return NOTHING
    text = "< 0.1" if 0 < value < 0.1 else "> 99.9" if 99.9 < value < 100 else f"{value:.1f}"
    return f"{text}{_PERCENT}"


def seconds(ms: float | None) -> str:
    """Return milliseconds as text in a fitting unit."""
    if ms is None:
        return NOTHING
    return f"{ms:,.0f} ms" if ms < 1000 else f"{ms / 1000:,.1f} s"


def change(pair: Pair, shown: Callable[[float | None], str]) -> str:
    """Return how a number compares with the period before, in percent of that."""
    if not pair.before or pair.percent is None:
        return "none in the period before" if pair.before == 0 else "nothing to compare with"
    if pair.now == pair.before:
        return f"as in the period before: {shown(pair.before)}"
    return f"{_signed(pair.percent)}{_PERCENT} on the period before: {shown(pair.before)}"


def points(pair: Pair) -> str:
    """Return how a percentage compares with the period before, in percentage points."""
    if pair.difference is None:
        return "nothing to compare with"
    return f"{_signed(pair.difference)} points on the period before: {percent(pair.before)}"


def _signed(value: float) -> str:
    return f"{value:+,.0f}" if abs(value) >= 100 else f"{value:+.1f}"


def _records(value: int | None) -> str:
    return "not known" if value is None else f"{value:,} records"


def _minute(ms: int) -> str:
    return f"{iso(ms)[:16].replace('T', ' ')} UTC"


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
