# SPDX-License-Identifier: Apache-2.0
"""Runs of ansible-playbook as a user makes them: with the project's own ansible.cfg, whatever the environment says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

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
    # Under molecule the environment is full of ANSIBLE_... settings of its own.
    env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    command = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, playbook, *options]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stdout + done.stderr)
