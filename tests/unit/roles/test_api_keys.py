# SPDX-License-Identifier: Apache-2.0
"""Each API key that a role issues is shown by the status, and its word for Prometheus goes with the role."""

import re
from pathlib import Path

import pytest

ROLES = Path(__file__).parents[3] / "roles"
NAMES = {
    (path.parts[-3], name)
    for path in ROLES.glob("*/tasks/*.yml")
    for name in re.findall(r"pipeline_api_key:\n +name: (login-[a-z-]+)\n", path.read_text())
}


def test_the_keys_are_found() -> None:
    assert {("backup", "login-backup"), ("backup", "login-backup-verify"), ("report", "login-report")} <= NAMES


@pytest.mark.parametrize(("role", "name"), sorted(NAMES))
def test_none_is_left_out(role: str, name: str) -> None:
    assert f"'{name}'" in (ROLES / "status/vars/main.yml").read_text()
    assert f"api-key-{name}.prom" in (ROLES / role / "tasks/remove.yml").read_text()
