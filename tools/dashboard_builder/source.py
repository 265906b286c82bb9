# SPDX-License-Identifier: Apache-2.0
"""The readable source of the dashboards: what a YAML file in kibana_exports may say."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import yaml

DATA_VIEWS_FILE = "data_views.yml"
AGGREGATIONS = ("count", "sum", "average", "min", "max", "median", "unique_count", "share")
BUCKETS = ("date_histogram", "terms")
CHARTS = ("metric", "bar_stacked", "bar_horizontal", "line", "donut", "table", "search")

PREVIOUS = "previous"  # a time shift by what is shown
AUTO, MONTH = "auto", "1M"  # intervals of bars over time: as Kibana chooses, or months of the calendar
_UNORDERED = ("share", "median")  # terms may be ordered by any other metric
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}

Filter = Mapping[str, Sequence[str]]
"""Values that a document's field must have one of, by field; all fields must match."""


class SourceError(ValueError):
    """A file says something that the builder does not understand."""


@dataclass(frozen=True)
class TimeRange:
    """A range of time in Kibana's own words, relative to now."""

    start: str
    end: str = "now"


@dataclass(frozen=True)
class DataView:
    """A family of indices as Kibana sees it; `title` is its index pattern."""

    id: str
    title: str
    name: str
    time_field: str


@dataclass(frozen=True)
class Grid:
    """Where a panel stands on a dashboard of 48 columns."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Metric:
    """A number. A `share` is what meets `filter` among what meets `among`: of records, or of the sum of `field`."""

    label: str
    operation: str
    field: str | None = None
    filter: Filter = dataclasses.field(default_factory=dict)
    among: Filter = dataclasses.field(default_factory=dict)
    shift: str = ""  # how much earlier than what is shown: "previous" is the period before, as long; or such as 1d
    per_second: bool = False
    decimals: int = 0
    unit: str = ""


@dataclass(frozen=True)
class Bucket:
    """What the documents are divided by.

    `interval` is how long bars over time are. `rest` adds the documents without the field, and those beyond `size`.
    """

    label: str
    operation: str
    field: str
    interval: str = AUTO
    size: int = 10
    order_by: str = ""  # the name of a metric; default: the first one
    rest: bool = False


@dataclass(frozen=True)
class Panel:
    """One panel: a Lens chart of `metrics` by `buckets` (the first divides first), or a saved search of `columns`."""

    id: str
    title: str
    chart: str
    data_view: str
    grid: Grid
    description: str = ""
    metrics: Mapping[str, Metric] = dataclasses.field(default_factory=dict)
    buckets: Mapping[str, Bucket] = dataclasses.field(default_factory=dict)
    columns: Sequence[str] = ()
    widths: Mapping[str, int] = dataclasses.field(default_factory=dict)  # of columns, in pixels
    filter: Filter = dataclasses.field(default_factory=dict)
    time: TimeRange | None = None  # default: the dashboard's
    sort_by: str = ""  # of a table, the highest value on top; default: the order of the buckets

    @classmethod
    def of(cls, said: dict[str, Any]) -> Self:
        """Return the panel that a file describes."""
        parts = dict(said)
        parts["grid"] = Grid(*parts["grid"])
        parts["metrics"] = {name: Metric(**_with_filters(each)) for name, each in parts.get("metrics", {}).items()}
        parts["buckets"] = {name: Bucket(**each) for name, each in parts.get("buckets", {}).items()}
        if "time" in parts:
            parts["time"] = TimeRange(**parts["time"])
        panel = cls(**_with_filters(parts))
        panel._check()
        return panel

    def _check(self) -> None:
        _one_of(CHARTS, self.chart)
        if (bool(self.columns), bool(self.metrics)) != (self.chart == "search", self.chart != "search"):
            raise SourceError("a search has columns, a chart has metrics")
        if unknown := set(self.widths) - set(self.columns):
            raise SourceError(f"there is no column {', '.join(unknown)} to be as wide")
        if unknown := {self.sort_by, *(each.order_by for each in self.buckets.values())} - {"", *self.metrics}:
            raise SourceError(f"there is no metric {', '.join(unknown)} to order by")
        for metric in self.metrics.values():
            _one_of(AGGREGATIONS, metric.operation)
            if (metric.field is None) != (metric.operation == "count") and metric.operation != "share":
                raise SourceError(f"{metric.operation} and its field do not go together")
            if metric.shift:
                shifted_by(metric.shift, timedelta())
            if metric.operation == "share" and not metric.filter:
                raise SourceError("share needs a filter")
        for bucket in self.buckets.values():
            _one_of(BUCKETS, bucket.operation)
            _one_of((AUTO, MONTH), bucket.interval)
            if bucket.operation == "terms" and self.ordering(bucket).operation in _UNORDERED:
                raise SourceError(f"{bucket.label} cannot be ordered by {self.ordering(bucket).label}")

    def ordering(self, bucket: Bucket) -> Metric:
        """Return the metric that the terms of `bucket` are ordered by."""
        return self.metrics[self.order_name(bucket)]

    def order_name(self, bucket: Bucket) -> str:
        """Return the name of the metric that the terms of `bucket` are ordered by."""
        return bucket.order_by or next(iter(self.metrics))


@dataclass(frozen=True)
class Control:
    """An options list above the dashboard that filters all its panels by a field."""

    label: str
    field: str
    data_view: str


@dataclass(frozen=True)
class Dashboard:
    """One file."""

    id: str
    title: str
    description: str
    time: TimeRange
    panels: Sequence[Panel]
    controls: Sequence[Control] = ()

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return the dashboard that `file` describes. Raises SourceError with the place."""
        said = yaml.safe_load(file.read_text())
        place = file.name
        try:
            panels = []
            for each in said.pop("panels"):
                place = f"{file.name}, panel {each.get('id')}"
                panels.append(Panel.of(each))
            place = file.name
            controls = [Control(**each) for each in said.pop("controls", [])]
            return cls(panels=panels, controls=controls, time=TimeRange(**said.pop("time")), **said)
        except (TypeError, KeyError, ValueError) as error:
            raise SourceError(f"{place}: {error}") from error


@dataclass(frozen=True)
class Source:
    """All files of a folder: data views by id, dashboards by the stem of their file's name."""

    data_views: Mapping[str, DataView]
    dashboards: Mapping[str, Dashboard]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return what the YAML files of `folder` describe. Raises SourceError."""
        try:
            views = [DataView(**each) for each in yaml.safe_load((folder / DATA_VIEWS_FILE).read_text())]
        except TypeError as error:
            raise SourceError(f"{DATA_VIEWS_FILE}: {error}") from error
        files = [file for file in sorted(folder.glob("*.yml")) if file.name != DATA_VIEWS_FILE]
        return cls({view.id: view for view in views}, {file.stem: Dashboard.read(file) for file in files})


def shifted_by(shift: str, shown: timedelta) -> timedelta:
    """Return how much earlier a shift is, where `shown` is the length of time on screen. Raises SourceError."""
    if shift == PREVIOUS:
        return shown
    return duration(shift)


def duration(text: str) -> timedelta:
    """Return a length of time such as 1m or 1d. Raises SourceError."""
    if not (found := re.fullmatch(r"(\d+)([smhdw])", text)):
        raise SourceError(f"{text} is no number of s, m, h, d or w")
    return int(found[1]) * _UNITS[found[2]]


def _with_filters(said: dict[str, Any]) -> dict[str, Any]:
    """Return `said` with each filter's single values made lists."""
    filters = {
        name: {key: [value] if isinstance(value, str) else value for key, value in said[name].items()}
        for name in ("filter", "among")
        if name in said
    }
    return said | filters


def _one_of(known: Sequence[str], word: str) -> None:
    if word not in known:
        raise SourceError(f"{word} is none of {', '.join(known)}")
