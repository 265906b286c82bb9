# SPDX-License-Identifier: Apache-2.0
"""The roles' own variables: Ansible finds out that one is not there when a task needs it, which may be years later."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FILES = [
    path
    for folder in ("roles", "playbooks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".yml", ".j2") and path.is_file()
]
DEFINITIONS = (
    r"^\s*(?:- )?(__[a-z]\w*):",
    r"(?:register|loop_var|index_var): (__[a-z]\w*)",
    r"\{%-? *(?:set|for|macro) (__[a-z]\w*)",
)
KAFKAS = {"__cluster_metadata"}  # a topic


def test_each_private_variable_that_is_used_is_defined_somewhere() -> None:
    texts = {path: path.read_text() for path in FILES}
    defined = {name for text in texts.values() for each in DEFINITIONS for name in re.findall(each, text, re.MULTILINE)}
    used = {
        name: path.relative_to(ROOT)
        for path, text in texts.items()
        for name in re.findall(r"(?<![\w.])__[a-z]\w*", text)
    }
    assert defined and {name: path for name, path in used.items() if name not in defined | KAFKAS} == {}


def test_no_template_collects_values_in_a_loop() -> None:
    """What has to be worked out is a filter with unit tests, in plugins/filter."""
    assert [str(path.relative_to(ROOT)) for path in FILES if "set _ =" in path.read_text()] == []


def test_no_role_uses_the_private_variables_of_another() -> None:
    """What several share is named __pipeline_..., as of the role that all of them take their shared variables from."""
    found = set()
    for path in FILES:
        folder, name = path.relative_to(ROOT).parts[:2]
        owner = name if folder == "roles" else path.stem
        used = set(re.findall(r"(?<!\w)__[a-z]\w*", path.read_text())) - KAFKAS
        found |= {
            f"{path.relative_to(ROOT)}: {each}" for each in used if not each.startswith((f"__{owner}_", "__pipeline_"))
        }
    assert sorted(found) == []
