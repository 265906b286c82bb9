# SPDX-License-Identifier: Apache-2.0
"""What the documentation repeats from the code is the same as in the code."""

import re
from pathlib import Path

import pytest
import yaml
from login_formats.reasons import Reason

REPOSITORY = Path(__file__).parents[3]
README = REPOSITORY / "README.md"
CONTRACT = REPOSITORY / "docs/event-contract.md"
FAULTS = REPOSITORY / "docs/faults.md"
HOSTS = REPOSITORY / "docs/hosts.md"
PLACES = ("*.md", "docs/**/*.md", "roles/*/README.md", "kibana_exports/*.md")
PAGES = sorted(path for place in PLACES for path in REPOSITORY.glob(place))

IN_WORDS = ("none", "name in the inventory")  # defaults that are an empty list or an expression


def section(page: Path, heading: str) -> str:
    """The text of `page` below a heading of the second level, up to the next one."""
    return page.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_each_reason_is_documented_as_in_the_code() -> None:
    table = section(CONTRACT, "Why a record is refused")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)
    assert rows == [(str(reason), reason.meaning) for reason in Reason]


def test_the_settings_of_the_readme_exist_and_have_these_defaults() -> None:
    defaults: dict[str, object] = {}
    for file in REPOSITORY.glob("roles/*/defaults/main.yml"):
        defaults |= yaml.safe_load(file.read_text())
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", section(README, "Settings"), re.MULTILINE)
    assert rows
    for names, told in rows:
        settings, values = re.findall(r"`(\w+)`", names), told.replace("`", "").split(", ")
        for setting, value in zip(settings, values * len(settings) if len(values) == 1 else values, strict=True):
            assert setting in defaults, setting
            assert value in IN_WORDS or value == str(defaults[setting]), setting


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" in link:
            continue
        target, _, heading = link.partition("#")
        file = page.parent / target if target else page
        assert file.exists(), link
        headings = [line.lstrip("# ").lower() for line in file.read_text().splitlines()] if heading else [heading]
        assert heading.replace("-", " ") in headings, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_named_tests_exist(page: Path) -> None:
    for file, _, name, _, case in re.findall(r"`(tests/[\w/]+\.py)(::(\w+)(\[([^`]+)\])?)?`", page.read_text()):
        assert (REPOSITORY / file).exists(), file
        text = (REPOSITORY / file).read_text()
        assert not name or f"def {name}(" in text, f"{file}::{name}"
        assert not case or f'"{case}": (' in text, f"{file}::{name}[{case}]"


@pytest.mark.parametrize("page", [FAULTS, HOSTS], ids=lambda page: page.name)
def test_each_decision_names_what_holds_it(page: Path) -> None:
    tables = re.findall(r"^\| .+ \| held by \|\n\|[-|]+\n((?:\|.+\n?)+)", page.read_text(), re.MULTILINE)
    assert tables
    test = r"`tests/[\w/]+\.py(::\w+(\[[^`]+\])?)?`"
    for row in "".join(tables).splitlines():
        assert re.fullmatch(rf"{test}(, {test})* \|", row.rpartition(" | ")[2]), row


def test_each_fault_is_documented() -> None:
    text = (REPOSITORY / "tests/pipeline/fault_groups.py").read_text()
    groups = re.findall(r"^(?:\w+_)?GROUPS\b.+?^\}", text, re.DOTALL | re.MULTILINE)
    members = re.findall(r'^    "\w+": \((.+?)\),$', "".join(groups), re.DOTALL | re.MULTILINE)
    names = re.findall(r"\w+", " ".join(members))
    assert len(groups) == 3 and names
    rows = re.findall(r"^\| (`\w+`.*?) \|", section(FAULTS, "Faults"), re.MULTILINE)
    assert sorted(names) == sorted(re.findall(r"`(\w+)`", " ".join(rows)))
