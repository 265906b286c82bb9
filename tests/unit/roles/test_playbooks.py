# SPDX-License-Identifier: Apache-2.0
"""What holds for the playbooks beside site.yml."""

from __future__ import annotations

import re
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


def _commands() -> list[str]:
    """Return the playbooks whose first lines say how a user runs them, without those that change nothing."""
    files = [ROOT / "site.yml", *sorted((ROOT / "playbooks").glob("*.yml"))]
    named = [file for file in files if "# ansible-playbook -i " in file.read_text()]
    return [str(file.relative_to(ROOT)) for file in named if file.name != "status.yml"]


@pytest.mark.parametrize("playbook", _commands())
def test_what_changes_something_begins_with_the_lock(playbook: str) -> None:
    assert _imported(playbook)[0] == "lock.yml"
    first = yaml.safe_load((ROOT / playbook).read_text())[0]
    assert Path(first["import_playbook"]).name == "lock.yml" and "when" not in first and "tags" not in first


def test_whether_a_host_may_be_away_is_a_plain_word() -> None:
    """Ansible takes a template there for true, whatever it says."""
    files = [*(ROOT / "playbooks").glob("*.yml"), *ROOT.glob("roles/*/tasks/*.yml")]
    words = [each for file in files for each in re.findall(r"ignore_unreachable: *(.+)", file.read_text())]
    assert words and set(words) == {"true"}


def test_no_other_playbook_is_a_command_of_its_own() -> None:
    assert len(_commands()) == 10
    assert yaml.safe_load((ROOT / "playbooks/lock.yml").read_text())[0]["tags"] == ["always"]
