# SPDX-License-Identifier: Apache-2.0
"""Builds the README of each role from `meta/argument_specs.yml`, `meta/main.yml` and `defaults/main.yml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

# What stands below this line of a README is written by hand, and kept.
MARKER = "<!-- 'make role-docs' writes what is above this line; what is below it is written by hand. -->"
# A default that is longer than this is looked up where it stands.
LONGEST_DEFAULT = 60


@dataclass(frozen=True)
class Variable:
    """One row of the table; all fields are Markdown."""

    name: str
    type: str
    default: str
    description: str


@dataclass(frozen=True)
class Role:
    """What a role says of itself. `entries` are its entry points, by name, with what they do."""

    name: str
    description: str
    entries: Mapping[str, str]
    variables: list[Variable]


def cell(text: str) -> str:
    """Return the text as one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def code(value: object) -> str:
    """Return a value as code, written as in YAML."""
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, width=1000)
    return f"`{cell(text.removesuffix(chr(10)).removesuffix('...'))}`"


def type_of(option: Mapping[str, Any]) -> str:
    """Return an option's type, or its choices."""
    if "choices" in option:
        return ", ".join(code(choice) for choice in option["choices"])
    return f"list of {option['elements']}" if "elements" in option else str(option["type"])


def default_of(option: Mapping[str, Any], name: str, defaults: Mapping[str, Any]) -> str:
    """Return an option's default as Markdown: its value, what it is if it has none, or where it is computed."""
    if name not in defaults:
        return "required" if option.get("required") else "none"
    value = defaults[name]
    if value in ("", [], {}):
        return "none"
    shown = code(value)
    return shown if len(shown) <= LONGEST_DEFAULT else "[computed](defaults/main.yml)"


def described(option: Mapping[str, Any]) -> str:
    """Return an option's description, a sentence or a list of them, as one cell."""
    description = option["description"]
    return cell(description if isinstance(description, str) else " ".join(description))


def variables(options: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = "") -> Iterator[Variable]:
    """Yield a row for each option, and after it one for each key of its dictionaries."""
    for key, option in options.items():
        name = prefix + key
        yield Variable(name, type_of(option), default_of(option, name, defaults), described(option))
        inner = f"{name}[]." if option.get("elements") == "dict" else f"{name}."
        yield from variables(option.get("options", {}), {}, inner)


def read(folder: Path) -> Role:
    """Return what the role in the folder says of itself."""
    entries = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]
    defaults = yaml.safe_load((folder / "defaults/main.yml").read_text())
    options = {name: option for entry in entries.values() for name, option in entry.get("options", {}).items()}
    return Role(
        name=folder.name,
        description=yaml.safe_load((folder / "meta/main.yml").read_text())["galaxy_info"]["description"],
        entries={name: cell(entry["short_description"].rstrip(".")) for name, entry in entries.items()},
        variables=list(variables(options, defaults)),
    )


def readme(folder: Path) -> str:
    """Return the whole README of the role in the folder, with what was written by hand in the present one."""
    present = folder / "README.md"
    by_hand = present.read_text().partition(f"{MARKER}\n")[2] if present.exists() else ""
    # Markdown, not HTML: nothing is to be escaped but what `cell` escapes.
    environment = jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("readme.md.j2").render(role=read(folder), marker=MARKER) + by_hand
