# SPDX-License-Identifier: Apache-2.0
"""The charts: numbers to figures, as SVG to stand in a page, or as PNG. Labels come from outside: they stay text."""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from login_report.numbers import Latency, Moment, Month, Numbers, Row
from login_report.queries import Step
from login_report.svg import inlined

INK, GRID, SUCCESS, FAILURE, OTHER = "#24292f", "#d8dee4", "#0969da", "#d1570f", "#8c959f"
"""The colours on white. In a page each becomes a variable, so that the page may change it; see svg.inlined."""
COLOURS = {"ink": INK, "grid": GRID, "success": SUCCESS, "failure": FAILURE, "other": OTHER}

NAMES = (
    "over_time",
    "months",
    "countries",
    "browsers",
    "failing_users",
    "failing_addresses",
    "reasons",
    "dead_reasons",
    "latency",
)
"""Of all charts there can be."""

_WIDTH_IN = 5.0
_PNG_DPI = 160
_TITLE_PAD, _LEGEND_PAD = 8, 22  # between a title and its chart, in points
_LONGEST_LABEL = 22
_MOST_TICKS, _MOST_MONTHS = 7, 12
_STRIDES = (1, 2, 3, 4, 6, 8, 12, 24)
_DAY_MS = 86_400_000

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that it draws the same everywhere
    "font.size": 9.5,
    "text.parse_math": False,  # a label such as $x$ is no formula
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.pad": 7,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Chart:
    """A chart: `alt` tells in words what it shows."""

    name: str
    title: str
    alt: str
    height_in: float
    draw: Callable[[Axes], None]

    def svg(self) -> str:
        """Return the chart as an svg element without a title, its colours as variables of the page's style."""
        drawing = self._drawn("", format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        return inlined(drawing.decode(), self.name, self.title, self.alt, COLOURS)

    def png(self) -> bytes:
        """Return the chart as a PNG with its title, on white."""
        metadata = {"Description": self.alt}
        return self._drawn(self.title, format="png", dpi=_PNG_DPI, facecolor="white", metadata=metadata)

    def _drawn(self, title: str, **how: Any) -> bytes:
        data = io.BytesIO()
        with matplotlib.rc_context(_STYLE | {"svg.hashsalt": self.name}), warnings.catch_warnings():
            # the font knows few scripts; in a page the browser's own fonts are taken
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure = Figure(figsize=(_WIDTH_IN, self.height_in), layout="constrained")
            axes = figure.add_subplot()
            self.draw(axes)
            axes.set_title(title, pad=_LEGEND_PAD if axes.get_legend() else _TITLE_PAD)
            figure.savefig(data, **how)
        return data.getvalue()


def charts(numbers: Numbers) -> dict[str, Chart]:
    """Return the charts by name. What there are no numbers for has no chart."""
    made = [
        _over_time(numbers.over_time, numbers.step),
        _by_month(numbers.months),
        _bars("countries", "Logins by country", numbers.countries, SUCCESS),
        _bars("browsers", "Logins by browser", numbers.browsers, SUCCESS),
        _bars("failing_users", "Users with the most failures", _named(numbers.failing_users), FAILURE),
        _bars("failing_addresses", "Addresses with the most failures", _named(numbers.failing_addresses), FAILURE),
        _bars("reasons", "Failures by reason", numbers.reasons, FAILURE),
        _bars("dead_reasons", "Dead letters by reason", numbers.dead_reasons, FAILURE),
        _latency(numbers.health.over_time, numbers.step),
    ]
    return {chart.name: chart for chart in made if chart}


def _named(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of which one is to be found out; all the others together would dwarf them."""
    return [row for row in rows if row.named]


def _over_time(moments: Sequence[Moment], step: Step) -> Chart | None:
    top = max(moments, key=lambda each: each.outcomes.total, default=None)
    if top is None or not top.outcomes.total:
        return None
    kinds = [
        ("success", SUCCESS, [each.outcomes.success for each in moments]),
        ("failure", FAILURE, [each.outcomes.failure for each in moments]),
        ("unknown", OTHER, [each.outcomes.other for each in moments]),
    ]
    kinds = [kind for kind in kinds if any(kind[2])]

    def draw(axes: Axes) -> None:
        below = [0] * len(moments)
        for label, colour, values in kinds:
            axes.bar(range(len(values)), values, bottom=below, width=0.86, color=colour, label=label)
            below = [low + value for low, value in zip(below, values, strict=True)]
        _time_axis(axes, [each.start for each in moments], step)
        _count_axis(axes)
        _legend(axes, len(kinds))

    alt = (
        f"Stacked bars, one for each {step.text}, of logins by outcome ({', '.join(kind[0] for kind in kinds)}). "
        f"The highest is {top.outcomes.total:,} at {time_text(top.start, step)} UTC."
    )
    return Chart("over_time", "Logins over time by outcome", alt, 2.7, draw)


def _by_month(months: Sequence[Month]) -> Chart | None:
    top = max(months, key=lambda each: each.logins, default=None)
    if top is None or not top.logins:
        return None
    step = Step("calendar_interval", "month", 30 * _DAY_MS)

    def draw(axes: Axes) -> None:
        bars = axes.bar(range(len(months)), [each.logins for each in months], width=0.8, color=SUCCESS)
        if len(months) <= _MOST_MONTHS:
            axes.bar_label(bars, labels=[short(each.logins) for each in months], padding=2, fontsize=8)
        _time_axis(axes, [each.start for each in months], step)
        _count_axis(axes)

    alt = (
        f"Bars, one for each of {len(months)} months. The highest is {top.logins:,} logins "
        f"in {time_text(top.start, step)}."
    )
    return Chart("months", "Logins per month", alt, 2.7, draw)


def _bars(name: str, title: str, rows: Sequence[Row], colour: str) -> Chart | None:
    if not rows:
        return None

    def draw(axes: Axes) -> None:
        counts = [row.count for row in rows]
        bars = axes.barh(range(len(rows)), counts, height=0.72, color=[colour if row.named else OTHER for row in rows])
        axes.bar_label(bars, labels=[f"{count:,}" for count in counts], padding=3)
        axes.set_yticks(range(len(rows)), labels=[_cut(row.label) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1.16 * max(counts))
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)

    told = ", ".join(f"{row.label} {row.count:,}" for row in rows[:3])
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    return Chart(name, title, f"Bars: {told}{more}.", 0.5 + 0.27 * len(rows), draw)


def _latency(over_time: Sequence[Latency], step: Step) -> Chart | None:
    top = max((each for each in over_time if each.p99 is not None), key=lambda each: each.p99 or 0, default=None)
    if top is None or top.p99 is None:
        return None
    nan = float("nan")  # a gap in the line

    def draw(axes: Axes) -> None:
        places = range(len(over_time))
        for label, colour, values in (
            ("p50 of the median batch", SUCCESS, [each.p50 for each in over_time]),
            ("highest p99", FAILURE, [each.p99 for each in over_time]),
        ):
            seconds = [nan if value is None else value / 1000 for value in values]
            axes.plot(places, seconds, color=colour, label=label, linewidth=1.4, marker="o", markersize=2.5)
        _time_axis(axes, [each.start for each in over_time], step)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g} s"))
        axes.grid(axis="y")
        _legend(axes, 2)

    alt = f"Two lines, one value for each {step.text}. The highest p99 is {top.p99 / 1000:,.1f} s at " + (
        f"{time_text(top.start, step)} UTC."
    )
    return Chart("latency", "Latency from Kafka to searchable", alt, 2.5, draw)


def _time_axis(axes: Axes, starts: Sequence[int], step: Step) -> None:
    """Label some bars with their times, and below with the day or year where that changes."""
    least = len(starts) / (_MOST_MONTHS if step.name == "month" else _MOST_TICKS)
    stride = next((each for each in _STRIDES if each >= least), int(least) + 1)
    places = range(0, len(starts), stride)
    labels, last = [], ""
    for place in places:
        moment = datetime.fromtimestamp(starts[place] / 1000, UTC)
        upper, lower = (f"{moment:%H:%M}", f"{moment.day} {moment:%b}") if step.ms < _DAY_MS else ("", "")
        if step.ms >= _DAY_MS:
            upper, lower = f"{moment.day} {moment:%b}", f"{moment:%Y}"
        if step.name in ("month", "quarter"):
            upper = f"{moment:%b}"
        if step.name == "year":
            upper, lower = f"{moment:%Y}", ""
        labels.append(f"{upper}\n{lower}" if lower != last else upper)
        last = lower
    axes.set_xticks(places, labels=labels)
    axes.set_xlim(-0.6, len(starts) - 0.4)


def _count_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.grid(axis="y")


def _legend(axes: Axes, columns: int) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=columns, borderaxespad=0.2, handlelength=1, fontsize=9)


def _cut(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def short(value: float) -> str:
    """Return a count in few signs, as in 950, 12.3k, 4M."""
    for least, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= least:
            return f"{value / (1000 if unit == 'k' else least):.3g}{unit}"
    return f"{value:,.0f}"


def time_text(ms: int, step: Step) -> str:
    """Return when a bar starts, in UTC, as exact as its step."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    if step.name == "year":
        return f"{moment:%Y}"
    if step.name in ("month", "quarter"):
        return f"{moment:%Y-%m}"
    return f"{moment:%Y-%m-%d}" if step.ms >= _DAY_MS else f"{moment:%Y-%m-%d %H:%M}"
