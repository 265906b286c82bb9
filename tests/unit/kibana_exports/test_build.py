# SPDX-License-Identifier: Apache-2.0
"""'make dashboards': all files or none, and the same bytes each time."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from dashboard_builder.__main__ import main
from dashboard_builder.mappings import FieldTypes


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The source alone, in a folder of its own."""
    return shutil.copytree(folder, tmp_path / "exports", ignore=shutil.ignore_patterns("*.ndjson"))


def built(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.ndjson")}


def test_a_build_gives_the_files_of_the_repository(copy: Path, folder: Path) -> None:
    assert main(copy) == 0
    assert built(copy) == built(folder)


def test_files_without_a_source_go_away(copy: Path) -> None:
    (copy / "old.ndjson").touch()
    assert main(copy) == 0
    assert "old.ndjson" not in built(copy)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "message"),
    [
        ("data_views", "time_field:", "time:", "data_views.yml: "),
        ("overview", "chart: metric", "chart: pie", "overview.yml, panel logins: pie is none of"),
        ("overview", "field: count", "field: counts", "panel logins: column logins: field counts does not exist"),
        (
            "overview",
            "data_view: login-metrics",
            "data_view: logins",
            "refers to index-pattern logins, which is not there",
        ),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(
    file: str, right: str, wrong: str, message: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = copy / f"{file}.yml"
    source.write_text(source.read_text().replace(right, wrong))
    assert main(copy) == 1
    assert message in capsys.readouterr().err
    assert built(copy) == {}


def test_only_searchable_fields_are_known(types: Mapping[str, FieldTypes]) -> None:
    pipeline = types["login-pipeline-*"]
    assert pipeline["latency_ms.p99"] == "long"
    assert not {"latency_ms", "ranges", "dead_by_reason"} & set(pipeline)
