# SPDX-License-Identifier: Apache-2.0
"""README's table of ports names those of the roles' defaults, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DEMO = {9094}  # inventory/demo alone


def defaults() -> dict[str, Any]:
    return {
        name: value
        for file in ROOT.glob("roles/*/defaults/main.yml")
        for name, value in (yaml.safe_load(file.read_text()) or {}).items()
    }


def test_the_table_names_each_port_that_a_role_has() -> None:
    text = (ROOT / "README.md").read_text()
    table = text[text.index("\n## Ports\n") :].split("\n## ")[1]
    named = {
        int(port)
        for row in table.splitlines()
        for port in re.findall(r"\b\d{4,5}\b", row.split("|")[1:2][0] if "|" in row else "")
    }
    ports = {value for name, value in defaults().items() if name.endswith("_port")}
    assert ports and named - DEMO == ports
