# SPDX-License-Identifier: Apache-2.0
"""The strategy by which tasks are done, with mitogen and without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLUGIN = Path(__file__).parents[3] / "plugins/strategy/kept_python.py"
PROGRAM = """
import importlib.util, sys
if "without" in sys.argv:
    sys.modules["ansible_mitogen"] = None
spec = importlib.util.spec_from_file_location("kept_python", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
if "processors" in sys.argv:
    import ansible_mitogen.process, os
    ansible_mitogen.process.common_setup()
    ansible_mitogen.affinity.policy.assign_worker()
    sys.exit(print(len(os.sched_getaffinity(0))))
print(*[f"{each.__module__}.{each.__name__}" for each in module.StrategyModule.__mro__])
"""


def classes(*words: str) -> set[str]:
    """Return what the strategy is made of; in a process of its own, since mitogen changes Ansible there."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, PLUGIN, *words], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_with_mitogen() -> None:
    assert {"ansible_mitogen.strategy.StrategyMixin", "ansible.plugins.strategy.linear.StrategyModule"} <= classes()


def test_without_mitogen_it_is_ansibles_own() -> None:
    found = classes("without")
    assert "ansible.plugins.strategy.linear.StrategyModule" in found
    assert not any(name.startswith("ansible_mitogen") for name in found)


def test_what_tasks_start_here_may_use_all_processors() -> None:
    assert classes("processors") == {str(len(os.sched_getaffinity(0)))}
