# SPDX-License-Identifier: Apache-2.0
"""tools/demo: what it tells of its steps, with stand-ins for the programs that do them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import summary
from playbook import ROOT

STAND_INS = {
    "setup": "echo noise of apt; echo more noise >&2",
    "testhost/testhost": "echo noise of podman",
    "deploy": 'echo "  kafka: install   1.0 s"; echo "noise of Ansible" >>"$DEPLOY_LOG"',
    "status": "echo all is well",
    "testhost/with-cgroup2": "echo the counts",
}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of tools like the project's."""
    tools = tmp_path / "tools"
    for name, does in STAND_INS.items():
        write(tools / name, does)
    for name in ("demo", "log"):
        shutil.copy(ROOT / "tools" / name, tools)
    return tools


def write(tool: Path, does: str) -> None:
    tool.parent.mkdir(parents=True, exist_ok=True)
    tool.write_text(f"#!/bin/bash\n{does}\n")
    tool.chmod(0o755)


def up(tools: Path) -> tuple[int, str, str]:
    """Return the exit code, what is printed, and what is in the log."""
    done = subprocess.run([tools / "demo", "up"], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    first = re.match(r"All detail: (build/logs/demo-\S+\.log)\n", done.stdout)
    assert first, done.stdout
    return done.returncode, done.stdout, (tools.parent / first[1]).read_text()


def test_each_step_is_a_line(tools: Path) -> None:
    code, shown, log = up(tools)
    assert code == 0, shown
    assert re.sub(r"\d+\.\d s|in \d+ s|\S+\.log", "X", shown).splitlines() == [
        "All detail: X",
        f"Set up this machine{' ' * 29}X",
        f"Boot a bare Debian host{' ' * 25}X",
        "Deploy the pipeline (first time 3 to 6 minutes, most of it downloads)",
        "  kafka: install   X",
        f"Look at it{' ' * 38}X",
        *("all is well", "the counts"),
        "",
        "All done X. All detail: X",
    ]
    assert log.splitlines() == ["noise of apt", "more noise", "noise of podman", "noise of Ansible"]


@pytest.mark.parametrize("tool", ["setup", "testhost/testhost"])
def test_a_step_fails(tools: Path, tool: str) -> None:
    write(tools / tool, "echo first line; echo why >&2; exit 7")
    write(tools / "deploy", "echo deployed")
    code, shown, _ = up(tools)
    assert code == 7
    assert re.search(
        r"^.+ \d+\.\d s   FAILED\n\nfirst line\nwhy\n\nNext: .+\nAll detail: \S+\.log$", shown, re.MULTILINE
    )
    assert "noise" not in shown and "deployed" not in shown


def test_the_deployment_fails(tools: Path) -> None:
    write(tools / "deploy", "echo why; exit 2")
    code, shown, _ = up(tools)
    assert code == 2
    assert re.search(r"\nwhy\n\nNext: .+ 'make demo' again: .+\nAll detail: \S+\.log\n$", shown)


@pytest.mark.parametrize(("status", "told"), [(0, True), (1, True), (2, False)])
def test_what_is_wrong_on_the_host_is_no_failure_but_not_to_know_it_is(tools: Path, status: int, told: bool) -> None:
    write(tools / "status", f"exit {status}")
    code, shown, _ = up(tools)
    assert (code == 0) == told == ("the counts" in shown) == ("All done" in shown)


def test_what_is_brought_from_the_host_is_private(tools: Path) -> None:
    state = tools.parent / "inventory/demo/state"
    state.mkdir(mode=0o755, parents=True)
    up(tools)
    assert state.stat().st_mode & 0o777 == 0o700


def test_the_report_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "on_host", lambda _, command: "page" if command.startswith("cat") else "")
    older = tmp_path / "report.html"
    older.write_text("older")
    older.chmod(0o644)
    page = summary.report("host", tmp_path)
    assert page.read_text() == "page" and page.stat().st_mode & 0o777 == 0o600
