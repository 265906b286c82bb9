# SPDX-License-Identifier: Apache-2.0
"""The image of the prepared host is named for all that it was deployed from, so that an outdated one is never found."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import prepared
import pytest

ROLE, PAGE = "roles/kafka/templates/server.properties.j2", "docs/sources.md"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a role and a page, in the place of this one."""
    for name in (ROLE, PAGE, "tests/pipeline/test_data.py", "tools/testhost/testhost", "tools/test"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / ".gitignore").write_text("build/\n")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(prepared, "ROOT", tmp_path)
    return tmp_path


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda tree: (tree / ROLE).write_text("another"),
    "mode": lambda tree: (tree / ROLE).chmod(0o755),
    "a new file, which git does not know": lambda tree: (tree / "roles/new.yml").write_text(""),
    "a file that is gone": lambda tree: (tree / ROLE).unlink(),
    "another name": lambda tree: (tree / ROLE).rename(tree / "roles/other.j2"),
    "a link in the place of a file": lambda tree: ((tree / ROLE).unlink(), (tree / ROLE).symlink_to(tree / PAGE)),
    "how bare hosts are made": lambda tree: (tree / "tools/testhost/testhost").write_text("another"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_deployed_makes_another_hash(change: str, tree: Path) -> None:
    before = prepared.hash_of_sources()
    CHANGES[change](tree)
    assert prepared.hash_of_sources() != before


@pytest.mark.parametrize("name", [PAGE, "tests/pipeline/test_data.py", "tools/test", "build/logs/x.log", "README.md"])
def test_what_no_deployment_reads_does_not(name: str, tree: Path) -> None:
    before = prepared.hash_of_sources()
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text("another")
    assert prepared.hash_of_sources() == before


def test_packages_of_python_count(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = prepared.hash_of_sources()
    monkeypatch.setattr(prepared.importlib.metadata, "distributions", lambda: [])
    assert prepared.hash_of_sources() != before


def test_a_host_whose_sources_have_changed_is_not_kept(tree: Path) -> None:
    before = prepared.hash_of_sources()
    (tree / ROLE).write_text("another")
    with pytest.raises(prepared.NotKept, match="files were changed while it was deployed"):
        prepared.keep("no-such-host", tree, before)
