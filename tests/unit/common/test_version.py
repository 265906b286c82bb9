# SPDX-License-Identifier: Apache-2.0
"""One version for all parts: the file VERSION, in each package's wheel and of each command."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from login_common import __version__
from login_consumer.cli import main as consumer
from login_producer.cli import main as producer
from login_report.cli import main as report

ROOT = Path(__file__).parents[3]
VERSION = ROOT / "VERSION"
PROJECTS = sorted(ROOT.glob("src/*/pyproject.toml"))


def test_it_is_a_semantic_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", VERSION.read_text())
    assert VERSION.read_text().strip() == __version__


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_each_package_takes_it_from_the_one_file(project: Path) -> None:
    told = tomllib.loads(project.read_text())
    assert "version" in told["project"]["dynamic"] and "version" not in told["project"]
    (file,) = told["tool"]["setuptools"]["dynamic"]["version"]["file"]
    link = project.parent / file
    # A wheel is built from a copy of the project's folder alone: the link is in it, and the copy has what it leads to.
    assert link.is_symlink() and link.resolve() == VERSION


def test_the_wheel_of_the_common_package_holds_it() -> None:
    told = tomllib.loads((ROOT / "src/common/pyproject.toml").read_text())
    assert "VERSION" in told["tool"]["setuptools"]["package-data"]["login_common"]


@pytest.mark.parametrize(
    ("name", "main"), [("login-producer", producer), ("login-consumer", consumer), ("login-report", report)]
)
def test_each_command_tells_it(name: str, main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{name} {__version__}\n"


def test_each_command_is_among_them() -> None:
    scripts = {name for file in PROJECTS for name in tomllib.loads(file.read_text())["project"].get("scripts", {})}
    assert scripts == {"login-producer", "login-consumer", "login-report"}
