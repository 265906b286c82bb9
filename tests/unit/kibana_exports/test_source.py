# SPDX-License-Identifier: Apache-2.0
"""A mistake in a YAML file is told with its place; the builder makes of a panel what Lens expects."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboard_builder.lens import attributes, kql
from dashboard_builder.source import Dashboard, Panel, SourceError

COUNT = {"label": "Events", "operation": "count"}


def said(**more: Any) -> dict[str, Any]:
    metrics = {"events": COUNT}
    return {
        "id": "p",
        "title": "P",
        "chart": "table",
        "data_view": "v",
        "grid": [0, 0, 8, 6],
        "metrics": metrics,
    } | more


def terms(**more: Any) -> dict[str, Any]:
    return {"user": {"label": "User", "operation": "terms", "field": "user.id"} | more}


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"chart": "pie"}, "pie is none of metric, "),
        ({"colour": "red"}, "unexpected keyword argument 'colour'"),
        ({"grid": [0, 0, 8]}, "missing 1 required positional argument: 'h'"),
        ({"metrics": {}}, "a search has columns, a chart has metrics"),
        ({"chart": "search"}, "a search has columns, a chart has metrics"),
        ({"metrics": {"n": {"label": "N", "operation": "total"}}}, "total is none of count, "),
        ({"metrics": {"n": {"label": "N", "operation": "sum"}}}, "sum and its field do not go together"),
        ({"metrics": {"n": COUNT | {"field": "n"}}}, "count and its field do not go together"),
        ({"metrics": {"n": {"label": "N", "operation": "share"}}}, "share needs a filter"),
        ({"metrics": {"n": COUNT | {"shift": "yesterday"}}}, "yesterday is no number of s, m, h, d or w"),
        ({"buckets": terms(operation="ranges")}, "ranges is none of date_histogram, "),
        ({"buckets": terms(order_by="logins")}, "there is no metric logins to order by"),
        ({"buckets": terms(interval="2M")}, "2M is none of auto, 1M"),
        ({"widths": {"reason": 200}}, "there is no column reason to be as wide"),
        ({"sort_by": "logins"}, "there is no metric logins to order by"),
        (
            {"buckets": terms(), "metrics": {"n": {"label": "N", "operation": "share", "filter": {"a": "b"}}}},
            "User cannot be ordered by N",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(mistake: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "board.yml"
    board = {"id": "b", "title": "B", "description": "", "time": {"start": "now-1d"}, "panels": [said(**mistake)]}
    file.write_text(yaml.safe_dump(board))
    with pytest.raises(SourceError) as error:
        Dashboard.read(file)
    assert str(error.value).startswith("board.yml, panel p: ")
    assert message in str(error.value)


def test_filters_are_kql() -> None:
    assert kql({}) == ""
    assert kql({"event.outcome": ["failure"]}) == 'event.outcome : "failure"'
    assert kql({"a": ["b", "c"], "d": ["e"]}) == 'a : ("b" or "c") and d : "e"'


def columns(panel: Panel) -> dict[str, Any]:
    types = {"user.id": "keyword", "@timestamp": "date", "count": "long"}
    state = attributes(panel, "login-events", types)["state"]
    found: dict[str, Any] = state["datasourceStates"]["formBased"]["layers"][panel.id]
    return found


def test_a_share_becomes_the_columns_of_a_formula() -> None:
    share = {"label": "Rate", "operation": "share", "field": "count", "filter": {"o": "s"}, "shift": "previous"}
    layer = columns(Panel.of(said(chart="metric", metrics={"rate": share})))
    assert layer["columnOrder"] == ["rateX0", "rateX1", "rateX2", "rate"]
    assert layer["columns"]["rate"]["params"]["formula"] == (
        "sum(count, kql='o : \"s\"', shift='previous') / sum(count, shift='previous')"
    )
    assert layer["columns"]["rate"]["references"] == ["rateX2"]
    assert layer["columns"]["rateX2"]["params"]["tinymathAst"]["args"] == ["rateX0", "rateX1"]
    assert [layer["columns"][part]["timeShift"] for part in ("rateX0", "rateX1")] == ["previous", "previous"]
    assert "filter" not in layer["columns"]["rateX1"]


def test_a_column_has_the_type_of_its_field() -> None:
    metrics = {"events": COUNT, "last": {"label": "Last", "operation": "max", "field": "@timestamp"}}
    layer = columns(Panel.of(said(buckets=terms(), metrics=metrics)))
    assert {name: column["dataType"] for name, column in layer["columns"].items()} == {
        "user": "string",
        "events": "number",
        "last": "date",
    }
