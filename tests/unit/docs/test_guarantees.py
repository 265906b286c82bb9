# SPDX-License-Identifier: Apache-2.0
"""docs/guarantees.md names each file of tests at what it holds, with its first tier, and no tier loses a test."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from tiers import Case, tiers

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/guarantees.md"
TIERS = ("check", "test", "all")

RUNNER = """
from dataclasses import dataclass

@dataclass
class Part:
    commands: list
    options: str = ""

PYTEST = ["python", "-m", "pytest", "-n", "2"]
PARTS = {
    "unit": Part([[*PYTEST, "tests/unit"]]),
    "host": Part([["molecule", "test", "--scenario-name", "default"]]),
    "rest": Part([["true"], [*PYTEST, "tests/host"]], "--long"),
}
PLANS = {"check": [[["unit"]]], "test": [[["unit"], ["host"]]], "all": [[["unit"]], [["host", "rest"]]]}
"""
SCENARIO = """
verifier:
  directory: ../../tests/host
  additional_files_or_dirs: [../unit/test_u.py]
  options: {v: true, removal: true, k: "not test_slow"}
"""
FILES = {
    "tools/run_tests.py": RUNNER,
    "molecule/default/molecule.yml": SCENARIO,
    "tests/conftest.py": """
@pytest.fixture(scope="session")
def long(request):
    if not request.config.getoption("--long"):
        pytest.skip("long")
""",
    "tests/unit/test_u.py": "def test_u(): ...",
    "tests/host/conftest.py": """
@pytest.fixture
def drill(long): ...
@pytest.fixture(scope="session")
def host(request):
    request.config.getoption("--inventory")
""",
    "tests/host/test_h.py": """
@pytest.fixture
def rotated(drill): ...
def test_short(host): ...
def test_slow(host): ...
def test_argument(rotated): ...
@pytest.mark.usefixtures("host", "long")
def test_mark(): ...
""",
    "tests/host/test_marked.py": "pytestmark = [pytest.mark.usefixtures('drill')]\ndef test_module(): ...",
    "tests/host/test_removal.py": """
@pytest.fixture(autouse=True)
def only_if_told(request):
    if not request.config.getoption("--removal"):
        pytest.skip("not told")
def test_gone(): ...
""",
    "tests/other/test_o.py": "def test_nowhere(): ...",
}


def test_tiers_are_read_from_files(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert {test.name: plans for test, plans in tiers(tmp_path).items()} == {
        "test_u": ["check", "test", "all"],
        "test_short": ["test", "all"],
        "test_slow": ["all"],
        "test_argument": ["all"],
        "test_mark": ["all"],
        "test_module": ["all"],
        "test_gone": ["test", "all"],
        "test_nowhere": [],
    }


@cache
def found() -> dict[Case, list[str]]:
    return tiers(ROOT)


@cache
def told() -> dict[str, set[str]]:
    """Return the tiers that the page tells for each file or test."""
    named: dict[str, set[str]] = {}
    test = r"`tests/[\w/]+\.py(?:::\w+)?`"
    tables = re.findall(r"^\| .+ \| held by \|\n\|[-|]+\n((?:\|.+\n)+)", PAGE.read_text(), re.MULTILINE)
    for row in "".join(tables).splitlines():
        for some in row.rpartition(" | ")[2].removesuffix(" |").split("; "):
            match = re.fullmatch(rf"({'|'.join(TIERS)}): ({test}(?:, {test})*)", some)
            assert match, f"{row}: write TIER: `tests/...`, `tests/...`; TIER: ..."
            for name in re.findall(r"`(.+?)`", match[2]):
                named.setdefault(name, set()).add(match[1])
    return named


@pytest.mark.parametrize("tier", TIERS)
def test_each_tier_runs_all_of_the_one_before(tier: str) -> None:
    later = TIERS[TIERS.index(tier) :]
    begins = [test for test, plans in found().items() if plans and plans[0] == tier]
    assert begins, f"tools/run_tests.py has no plan {tier}, or it adds nothing"
    assert not [test for test in begins if found()[test] != list(later)]


def test_no_test_is_left_out_of_all_tiers() -> None:
    assert not [f"{test.file}::{test.name}" for test, plans in found().items() if not plans]


def test_each_file_of_tests_stands_in_the_table() -> None:
    files = {name.partition("::")[0] for name in told()}
    assert not sorted({test.file for test in found()} - files), "name it in docs/guarantees.md, at what it holds"


def test_the_tier_of_each_is_the_first_that_runs_it() -> None:
    wrong = []
    for name, tiers_told in told().items():
        file, _, function = name.partition("::")
        meant = [
            test
            for test in found()
            if test.file == file and (test.name == function if function else f"{file}::{test.name}" not in told())
        ]
        first = {(test.name, next(iter(found()[test]), "none")) for test in meant}
        if len(tiers_told) > 1 or {tier for _, tier in first} != tiers_told:
            wrong.append(f"{name}: the page tells {sorted(tiers_told)}, true is {sorted(first)}")
    assert not wrong, "\n".join(wrong)
