# SPDX-License-Identifier: Apache-2.0
"""The project's own dashboards, as source and as saved objects."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from dashboard_builder.mappings import FieldTypes, field_types
from dashboard_builder.saved_objects import exports
from dashboard_builder.source import Source

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def folder() -> Path:
    return REPOSITORY / "kibana_exports"


@pytest.fixture(scope="session")
def types() -> Mapping[str, FieldTypes]:
    return field_types(REPOSITORY)


@pytest.fixture(scope="session")
def source(folder: Path) -> Source:
    return Source.read(folder)


@pytest.fixture
def objects(source: Source, types: Mapping[str, FieldTypes]) -> list[dict[str, Any]]:
    """All saved objects, anew for each test, which may break them."""
    return [each for objects in exports(source, types).values() for each in objects]
