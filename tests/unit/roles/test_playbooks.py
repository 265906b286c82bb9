# SPDX-License-Identifier: Apache-2.0
"""What holds for the playbooks beside site.yml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]


def _imported(playbook: str) -> list[str]:
    plays = yaml.safe_load((ROOT / playbook).read_text())
    return [Path(play["import_playbook"]).name for play in plays if "import_playbook" in play]


@pytest.mark.parametrize("playbook", ["playbooks/restore.yml", "playbooks/upgrade.yml"])
def test_what_is_site_yml_and_more_leaves_none_of_it_out(playbook: str) -> None:
    assert _imported("site.yml") and set(_imported("site.yml")) <= set(_imported(playbook))
