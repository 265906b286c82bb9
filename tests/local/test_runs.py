# SPDX-License-Identifier: Apache-2.0
"""Two runs at once, and what a killed run leaves, by the commands of a user.

Which locks count: tests/unit/plugins/test_run_lock.py.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playbook import Run, command, run_playbook
from waiting import wait_until

# The second task is at work until there is a file.
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - run_lock: {state_dir: "{{ folder }}/state{{ state | default('') }}"}
    - run_lock: {path: "{{ folder }}/host.lock"}
    - ansible.builtin.command: sh -c 'touch {{ folder }}/begun; until [ -e {{ folder }}/go ]; do sleep 0.2; done'
      changed_when: false
"""


class Runs:
    """A playbook for this machine, and a first run of it that is at its second task."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.play, self.hosts = folder, folder / "play.yml", folder / "hosts"
        self.play.write_text(PLAY)
        self.hosts.write_text(
            "this ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'\n"
        )
        self.first = subprocess.Popen(**command(self.play, self.hosts, *self._options()), stdout=subprocess.DEVNULL)
        wait_until(lambda: (folder / "begun").exists(), "the first run is at work", 120)

    def _options(self, *options: str) -> tuple[str, ...]:
        return ("-e", f"folder={self.folder}", *options)

    def second(self, *options: str) -> Run:
        return run_playbook(self.play, self.hosts, *self._options(*options))

    def let_go(self) -> None:
        (self.folder / "go").touch()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path)
    yield runs
    runs.let_go()
    runs.first.kill()
    runs.first.wait()


def test_one_run_at_a_time_and_a_killed_one_holds_nobody_off(runs: Runs) -> None:
    for other in ("", "-of-another-inventory"):
        refused = runs.second("-e", f"state={other}")
        assert refused.returncode != 0 and "Nothing was changed. Another run holds" in refused.text, refused.output
        assert (
            f"{runs.play.name}, process {runs.first.pid} of" in refused.text
            and f"kill {runs.first.pid}" in refused.text
        )
        assert ("the lock of this" in refused.text) == bool(other)

    left = _children(runs.first.pid)
    runs.first.send_signal(signal.SIGKILL)
    runs.first.wait()
    # The Pythons end while the command goes on.
    wait_until(lambda: not [each for each in left if _is_python(each)], "the Pythons of the killed run end", 30)
    assert [each for each in left if Path(f"/proc/{each}").exists()], "the command had ended"
    runs.let_go()
    last = runs.second()
    assert (last.returncode, last.changed) == (0, 0), last.output


def test_check_mode_takes_no_lock_and_needs_none(runs: Runs) -> None:
    before = (runs.folder / "host.lock").read_text()
    tried = runs.second("--check", "-e", "state=-of-a-try")
    assert (tried.returncode, tried.changed) == (0, 0), tried.output
    assert (runs.folder / "host.lock").read_text() == before and not (runs.folder / "state-of-a-try").exists()


def _children(pid: int) -> list[int]:
    """Return all processes below one."""
    found = [
        int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in (task / "children").read_text().split()
    ]
    return found + [below for each in found for below in _children(each)]


def _is_python(pid: int) -> bool:
    try:
        return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
