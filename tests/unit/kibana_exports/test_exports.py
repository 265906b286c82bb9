# SPDX-License-Identifier: Apache-2.0
"""What is shipped is built from its source, free of problems, and shows what it should."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboard_builder.lint import problems
from dashboard_builder.mappings import FieldTypes
from dashboard_builder.saved_objects import exports, ndjson
from dashboard_builder.source import Source

Objects = list[dict[str, Any]]


def test_the_files_are_up_to_date(folder: Path, source: Source, types: Mapping[str, FieldTypes]) -> None:
    built = {f"{stem}.ndjson": ndjson(objects) for stem, objects in exports(source, types).items()}
    assert {file.name: file.read_text() for file in folder.glob("*.ndjson")} == built, "run 'make dashboards'"


def test_the_files_have_no_problems(folder: Path, types: Mapping[str, FieldTypes]) -> None:
    shipped = [json.loads(line) for file in folder.glob("*.ndjson") for line in file.read_text().splitlines()]
    assert problems(shipped, types) == []


def test_each_family_of_indices_has_its_data_view(source: Source, types: Mapping[str, FieldTypes]) -> None:
    assert {view.title for view in source.data_views.values()} == set(types)


def test_data_views_are_the_first_file_by_name(source: Source, types: Mapping[str, FieldTypes]) -> None:
    """All files in the order of their names can be imported one by one: what they refer to is there."""
    assert sorted(exports(source, types))[0] == "data_views"


def test_charts_are_inside_their_dashboard(objects: Objects) -> None:
    assert {each["type"] for each in objects} == {"index-pattern", "search", "dashboard"}


def test_controls_reach_all_panels(source: Source) -> None:
    """A control filters each panel, and one without its field would be empty."""
    for board in source.dashboards.values():
        if views := {control.data_view for control in board.controls}:
            assert {panel.data_view for panel in board.panels} == views, board.id


def test_what_the_metrics_know_is_not_asked_of_the_events(source: Source) -> None:
    """The overview must stay cheap, however many events there are."""
    from_events = [panel.id for panel in source.dashboards["overview"].panels if panel.data_view == "login-events"]
    assert from_events == ["unique-users"]


def test_dashboards_are_live(objects: Objects) -> None:
    for board in (each["attributes"] for each in objects if each["type"] == "dashboard"):
        assert board["timeRestore"] is True
        assert board["refreshInterval"] == {"pause": False, "value": 1000}
