# SPDX-License-Identifier: Apache-2.0
"""The fake Elasticsearch answers as the table says; tests/pipeline/test_conformance.py asks the real one the same."""

import inspect
import re
from pathlib import Path

import pytest
from exactness import conformance, searches
from exactness.calls import MAPPINGS, NO_TIME, Calls, Row
from exactness.conformance import TABLE
from exactness.elastic import Elastic

TEMPLATES = Path(__file__).parents[3] / "roles/spark_consumer/templates/index_templates"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.title)
def test_the_fake_answers_as_the_table_says(row: Row) -> None:
    client = Elastic()
    client.refused = lambda source: source.get("@timestamp") == NO_TIME
    assert row.calls(Calls(client, "conformance-")) == row.answer


def test_no_row_is_forgotten() -> None:
    functions = [each for file in (conformance, searches) for each in inspect.getmembers(file, inspect.isfunction)]
    rows = {name for name, each in functions if _takes_calls(each)}
    assert rows - {"_several"} == {row.calls.__name__ for row in TABLE}


def _takes_calls(function: object) -> bool:
    return list(inspect.get_annotations(function).values())[:1] == [Calls]  # type: ignore[arg-type]


def test_fields_are_mapped_as_in_the_templates() -> None:
    texts = [file.read_text() for file in TEMPLATES.glob("*.j2")]
    for name, told in MAPPINGS["properties"].items():
        if "type" in told:
            assert any(re.search(rf'"{name}": {{"type": "{told["type"]}"', text) for text in texts), name
