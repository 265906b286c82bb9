# SPDX-License-Identifier: Apache-2.0
"""Each guard of "exactly once" is needed: the history that docs/exactly-once-controls.md names breaks without it.

So the histories would notice if it broke. `make exactness-controls` looks for the histories again and writes the page.
"""

import ast
from itertools import chain
from pathlib import Path

import login_consumer
import pytest
import yaml
from exactness.controls import PAGE, control_of, row, rows, seeds_of, single
from exactness.guards import FOLDER, GUARDS, Guard
from exactness.schedules import faults_of
from exactness.steps import made
from exactness.world import World

PROTOCOL = PAGE.with_name("exactly-once.md")
DECIDING = ("afresh", "fates", "plan")
"""The modules of which each condition is a guard, or stands in guards/no_guards.yaml with the reason why it is none."""


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_without_it_a_history_breaks_as_the_page_tells(guard: Guard) -> None:
    line = rows().get(guard.name, "")
    control = control_of(guard, seeds_of(line))
    assert control, "run make exactness-controls: it looks for a history that misses the guard"
    assert line == row(guard, *control), "run make exactness-controls"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_with_it_that_history_holds(guard: Guard) -> None:
    if guard.history:
        with World() as world:
            single(guard)(world)
    for seed in seeds_of(rows()[guard.name]):
        assert not faults_of(made(seed))


def test_the_page_has_these_guards_alone() -> None:
    assert list(rows()) == [guard.name for guard in GUARDS]


def test_the_audit_sees_all_that_can_be_seen_without_kafka() -> None:
    """What it does not see stands in docs/exactly-once.md, "What is not noticed"."""
    blind = {"record nowhere", "another record's fate", "sent twice by replays"}
    for line in rows().values():
        _, _, _, broken, audit, cure, _ = line.removeprefix("| ").removesuffix(" |").split(" | ")
        assert audit != "**no**" or set(broken.split(", ")) <= blind, line
        assert cure != "none" or broken == "sent twice by replays", line


def test_the_protocol_names_the_steps_of_the_guards() -> None:
    text = PROTOCOL.read_text()
    for step in {guard.step for guard in GUARDS}:
        assert f"| {step} |" in text, f"docs/exactly-once.md has no step {step}"


@pytest.mark.parametrize("module", DECIDING)
def test_each_condition_is_a_guard_or_known_to_be_none(module: str) -> None:
    """A comparison that is new cannot be forgotten."""
    source = (Path(str(login_consumer.__file__)).parent / f"{module}.py").read_text()
    guarded = set(chain.from_iterable(guard.lines for guard in GUARDS if guard.module == module))
    conditions = {ast.unparse(test) for test in conditions_of(ast.parse(source)) if test.lineno not in guarded}
    none = yaml.safe_load((FOLDER / "no_guards.yaml").read_text())[module]
    known = [condition for each in none for condition in each["conditions"]]
    assert sorted(conditions) == sorted(known)


def conditions_of(tree: ast.AST) -> list[ast.expr]:
    """Return the conditions of statements, expressions and comprehensions."""
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            found.append(node.test)
        elif isinstance(node, ast.comprehension):
            found += node.ifs
        elif isinstance(node, ast.Return | ast.Assign) and isinstance(node.value, ast.Compare | ast.BoolOp):
            found.append(node.value)
    return found
