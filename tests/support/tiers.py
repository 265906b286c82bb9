# SPDX-License-Identifier: Apache-2.0
"""Which tests there are, and which tiers run each: read from the files, no test is imported.

A tier is a plan of tools/run_tests.py. The commands of its parts say which folders run; of a scenario of molecule, the
settings of its verifier do. A fixture that skips unless an option is given, such as `long`, says what a test needs.
Fixtures count that stand in a test's own file or in a conftest.py above it.
"""

from __future__ import annotations

import argparse
import ast
import os
import runpy
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from _pytest.mark.expression import Expression  # what pytest itself makes of -k


@dataclass(frozen=True)
class Case:
    """A test function, and the options without which it is skipped."""

    file: str
    name: str
    needs: frozenset[str]


@dataclass(frozen=True)
class Call:
    """A call of pytest: folders and files, options, and -k."""

    places: tuple[str, ...]
    options: frozenset[str]
    keywords: str

    def runs(self, test: Case) -> bool:
        here = any(test.file == place or test.file.startswith(f"{place}/") for place in self.places)
        return here and test.needs <= self.options and self._selects(test)

    def _selects(self, test: Case) -> bool:
        if not self.keywords:
            return True
        names = (Path(test.file).name.lower(), test.name.lower())
        wanted = Expression.compile(self.keywords)
        return wanted.evaluate(lambda word, /, **_: any(word.lower() in name for name in names))


@dataclass(frozen=True)
class Fixture:
    asks_for: frozenset[str]
    needs: frozenset[str]
    automatic: bool


def tiers(root: Path) -> dict[Case, list[str]]:
    """Return each test with the plans that run it, in their order."""
    plans = calls(root).items()
    return {test: [plan for plan, each in plans if any(call.runs(test) for call in each)] for test in tests(root)}


def calls(root: Path) -> dict[str, list[Call]]:
    """Return the calls of pytest by plan."""
    runner = runpy.run_path(str(root / "tools/run_tests.py"))
    return {
        plan: [
            call
            for stage in stages
            for lane in stage
            for name in lane
            for command in runner["PARTS"][name].commands
            if (call := _call(root, command, shlex.split(runner["PARTS"][name].options)))
        ]
        for plan, stages in runner["PLANS"].items()
    }


def _call(root: Path, command: list[str], options: list[str]) -> Call | None:
    if "pytest" in command and "--collect-only" not in command:
        return _parsed(command[command.index("pytest") + 1 :] + options)
    if "molecule" in command:
        scenario = root / "molecule" / command[command.index("--scenario-name") + 1]
        return _parsed(_verifier(root, scenario) + options)
    return None


def _verifier(root: Path, scenario: Path) -> list[str]:
    """Return the arguments of pytest that molecule gives."""
    verifier: dict[str, Any] = yaml.safe_load((scenario / "molecule.yml").read_text())["verifier"]
    folder = Path(os.path.normpath(scenario / verifier["directory"]))
    more = [Path(os.path.normpath(folder / each)) for each in verifier.get("additional_files_or_dirs", [])]
    arguments = [str(each.relative_to(root)) for each in (folder, *more)]
    for option, value in verifier.get("options", {}).items():
        if value is not False:
            arguments += [f"--{option}" if len(option) > 1 else f"-{option}", *([] if value is True else [str(value)])]
    return arguments


def _parsed(arguments: list[str]) -> Call:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-k", default="")
    given, others = parser.parse_known_args(arguments)
    places = tuple(each for each in others if each.startswith("tests/"))
    return Call(places, frozenset(each for each in others if each.startswith("--")), given.k)


def tests(root: Path) -> Iterator[Case]:
    """Give all test functions below tests/."""
    for path in sorted(root.glob("tests/**/test_*.py")):
        module = ast.parse(path.read_text())
        above = [folder / "conftest.py" for folder in path.parents if folder.is_relative_to(root / "tests")]
        fixtures: dict[str, Fixture] = {}
        for conftest in reversed([each for each in above if each.exists()]):
            fixtures |= _fixtures(ast.parse(conftest.read_text()))
        fixtures |= _fixtures(module)
        every = _marked(node.value for node in module.body if isinstance(node, ast.Assign))
        every |= {name for name, fixture in fixtures.items() if fixture.automatic}
        for node in module.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                wanted = every | _arguments(node) | _marked(node.decorator_list)
                yield Case(str(path.relative_to(root)), node.name, _needs(wanted, fixtures))


def _needs(wanted: Iterable[str], fixtures: dict[str, Fixture]) -> frozenset[str]:
    """Return the options that fixtures need, and those that they ask for."""
    seen, waiting = set[str](), [*wanted]
    while waiting:
        name = waiting.pop()
        if name in fixtures and name not in seen:
            seen.add(name)
            waiting += fixtures[name].asks_for
    return frozenset(option for name in seen for option in fixtures[name].needs)


def _fixtures(module: ast.Module) -> dict[str, Fixture]:
    found = {}
    for node in module.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        text = next((text for each in node.decorator_list if "fixture" in (text := ast.unparse(each))), "")
        if text:
            found[node.name] = Fixture(frozenset(_arguments(node)), _skips_without(node), "autouse=True" in text)
    return found


def _skips_without(fixture: ast.FunctionDef) -> frozenset[str]:
    """Return the options that a fixture looks at, if it may skip."""
    calls_made = [node for node in ast.walk(fixture) if isinstance(node, ast.Call)]
    if not any(_called(node) == "skip" for node in calls_made):
        return frozenset()
    return frozenset(ast.literal_eval(node.args[0]) for node in calls_made if _called(node) == "getoption")


def _arguments(function: ast.FunctionDef) -> set[str]:
    return {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}


def _marked(nodes: Iterable[ast.expr]) -> set[str]:
    """Return what `usefixtures` among decorators, or in `pytestmark`, asks for."""
    lists = (node.elts if isinstance(node, ast.List) else [node] for node in nodes)
    marks = (mark for several in lists for mark in several)
    asked = (mark.args for mark in marks if isinstance(mark, ast.Call) and _called(mark) == "usefixtures")
    return {ast.literal_eval(argument) for arguments in asked for argument in arguments}


def _called(call: ast.Call) -> str:
    """Return the last name of what is called: `skip` of `pytest.skip()`."""
    return ast.unparse(call.func).rpartition(".")[2]
