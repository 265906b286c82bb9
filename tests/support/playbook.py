# SPDX-License-Identifier: Apache-2.0
"""Runs of ansible-playbook as a user makes them: with the project's own ansible.cfg, whatever the environment says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Run:
    """What one run printed, and the sum of the hosts' changes in its recap (0 without a recap)."""

    returncode: int
    output: str

    @property
    def changed(self) -> int:
        return sum(int(number) for number in re.findall(r"^\S+ +: ok=.* changed=(\d+) ", self.output, re.MULTILINE))

    @property
    def text(self) -> str:
        """The output with all white space made single blanks: YAML folds long messages."""
        return " ".join(self.output.split())


def run_playbook(playbook: Path, inventory: Path, *options: str) -> Run:
    """Run a playbook against an inventory and return what came of it."""
    done = subprocess.run(**command(playbook, inventory, *options), capture_output=True, check=False)
    return Run(done.returncode, done.stdout + done.stderr)


def interrupt_playbook(task: str, playbook: Path, inventory: Path, *options: str) -> str:
    """Run a playbook and kill it when it tells of a task whose name starts so; return what it has printed."""
    printed = []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "start_new_session": True}
    with subprocess.Popen(**command(playbook, inventory, *options), **pipes) as process:
        for line in process.stdout:
            printed.append(line)
            if line.startswith(f"TASK [{task}"):
                os.killpg(process.pid, signal.SIGKILL)
    output = "".join(printed)
    assert process.returncode == -signal.SIGKILL, f"there was no task {task}:\n{output}"
    return output


def command(playbook: Path, inventory: Path, *options: str) -> dict[str, Any]:
    """Return what subprocess needs to run a playbook."""
    # Under molecule the environment is full of ANSIBLE_... settings of its own.
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    args = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, playbook, *options]
    return {"args": args, "cwd": ROOT, "env": env, "text": True}
