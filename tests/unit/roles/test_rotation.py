# SPDX-License-Identifier: Apache-2.0
"""What `rotate=all` means: passwords and API keys, but no key that makes what is stored unreadable or other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from preflight_tasks import Host, Preflight

TASK = {"name": "Learn", "ansible.builtin.include_role": {"name": "pipeline", "tasks_from": "rotation"}}
STORE = {
    "secrets": dict.fromkeys(
        ["elastic_password", "kafka_admin_password", "pseudonym_key", "kibana_security_key", "consumer_api_key"], "x"
    ),
    "replaced": {},
}


def asked(tmp_path: Path, rotate: str) -> list[str]:
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "tasks": [TASK]}]))
    preflight = Preflight(Host(found={"__pipeline_store": STORE, "rotate": rotate}), tmp_path / "play.yml")
    return list(preflight.read("pipeline: Refuse to begin without a name", "__pipeline_asked"))


@pytest.mark.parametrize(
    ("rotate", "wanted"),
    [
        ("all", ["consumer_api_key", "elastic_password", "kafka_admin_password"]),
        ("pseudonym_key", ["pseudonym_key"]),
        ("pseudonym_key, elastic_password", ["pseudonym_key", "elastic_password"]),
        ("", []),
    ],
)
def test_what_is_rotated(rotate: str, wanted: list[str], tmp_path: Path) -> None:
    assert asked(tmp_path, rotate) == wanted
