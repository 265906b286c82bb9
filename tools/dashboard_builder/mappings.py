# SPDX-License-Identifier: Apache-2.0
"""The fields of our indices and their types, from the index templates that the consumer's role installs."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FieldTypes = Mapping[str, str]

_TEMPLATES = "roles/spark_consumer/templates/index_templates"


def field_types(repository: Path) -> dict[str, FieldTypes]:
    """Return the searchable fields' types by index pattern and field."""
    found: dict[str, FieldTypes] = {}
    for file in sorted((repository / _TEMPLATES).glob("*.json.j2")):
        # the settings are the only variables, and do not matter here
        template = json.loads(re.sub(r"\{\{.*?\}\}", "0", file.read_text()))
        types = dict(_fields(template["template"]["mappings"]["properties"], ""))
        found |= {pattern: types for pattern in template["index_patterns"]}
    return found


def _fields(properties: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, mapping in properties.items():
        if "properties" in mapping:
            yield from _fields(mapping["properties"], f"{prefix}{name}.")
        elif mapping.get("enabled", True):
            yield f"{prefix}{name}", mapping["type"]
