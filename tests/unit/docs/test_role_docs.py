# SPDX-License-Identifier: Apache-2.0
"""The README of each role is what 'make role-docs' writes, and argument_specs and defaults name the same variables."""

from pathlib import Path

import pytest
import yaml
from role_docs import MARKER, cell, default_of, readme, type_of, variables
from role_docs.__main__ import main

REPOSITORY = Path(__file__).parents[3]
ROLES = sorted(specs.parents[1] for specs in REPOSITORY.glob("roles/*/meta/argument_specs.yml"))


def options(role: Path) -> dict[str, dict[str, object]]:
    """The options of all entry points of a role."""
    entries = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    return {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}


def test_each_role_has_specs() -> None:
    assert sorted(path for path in (REPOSITORY / "roles").iterdir() if path.is_dir()) == ROLES


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_readme_is_up_to_date(role: Path) -> None:
    file = role / "README.md"
    assert file.exists(), "run make role-docs"
    assert file.read_text() == readme(role), f"roles/{role.name}/README.md is stale: run make role-docs"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_specs_and_defaults_name_the_same_variables(role: Path) -> None:
    defaults, specs = yaml.safe_load((role / "defaults/main.yml").read_text()), options(role)
    assert not defaults.keys() - specs.keys(), "defaults without a description in meta/argument_specs.yml"
    given_by_the_caller = {name for name, option in specs.items() if option.get("required")}
    assert specs.keys() - given_by_the_caller == defaults.keys(), "described, but neither required nor with a default"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_default_that_the_specs_repeat_is_the_same(role: Path) -> None:
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    told = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert told == {name: defaults[name] for name in told}


def test_what_is_written_by_hand_stays(tmp_path: Path) -> None:
    role = tmp_path / "roles/web"
    for name, text in {
        "defaults": "web_port: 80\n",
        "meta": "galaxy_info: {description: A web server}\n",
    }.items():
        (role / name).mkdir(parents=True)
        (role / name / "main.yml").write_text(text)
    (role / "meta/argument_specs.yml").write_text(
        "argument_specs: {main: {short_description: x, options: {web_port: {type: int, description: Its port.}}}}\n"
    )
    main(tmp_path / "roles")
    written = (role / "README.md").read_text()
    assert "A web server." in written
    assert "\n| `web_port` | int | `80` | Its port. |\n" in written
    (role / "README.md").write_text(f"old\n{MARKER}\n\n## By hand\n")
    main(tmp_path / "roles")
    assert (role / "README.md").read_text() == f"{written}\n## By hand\n"


def test_rows() -> None:
    inner = {"b": {"type": "str", "required": True, "description": "B."}}
    rows = list(variables({"a": {"type": "list", "elements": "dict", "description": "A.", "options": inner}}, {}))
    assert [(row.name, row.type, row.default) for row in rows] == [
        ("a", "list of dict", "none"),
        ("a[].b", "str", "required"),
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (False, "`false`"),
        (0, "`0`"),
        ("", "none"),
        ([], "none"),
        ([1, "b"], "`[1, b]`"),
        ("{{ a | b }}", "`{{ a \\| b }}`"),
        ("x" * 80, "[computed](defaults/main.yml)"),
    ],
)
def test_defaults(value: object, shown: str) -> None:
    assert default_of({}, "name", {"name": value}) == shown


def test_choices_and_cells() -> None:
    assert type_of({"type": "str", "choices": ["text", "json"]}) == "`text`, `json`"
    assert cell("two\nlines | a bar") == "two lines \\| a bar"
