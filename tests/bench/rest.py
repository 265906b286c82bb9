# SPDX-License-Identifier: Apache-2.0
"""What the pipeline takes while nothing happens: processor time and memory."""

from __future__ import annotations

import time
from typing import Any

from pipeline import JOURNAL
from plan import Plan
from rig import SERVICES, Rig

_SENDER = "login-producer"


def measure(rig: Rig, plan: Plan) -> dict[str, Any]:
    """Return percent of one core and megabytes, resident, by unit. Only the journal is watched, where nothing comes."""
    rig.settle()
    rig.pipeline.systemctl("start", JOURNAL)
    before = rig.sample(JOURNAL)
    time.sleep(plan.idle)  # what is measured
    after = rig.sample(JOURNAL)
    passed = after.moment - before.moment
    idle = {unit: (used - before.units[unit]) / passed * 100 for unit, used in after.units.items()}
    rig.pipeline.systemctl("start", _SENDER)
    memory = {unit: _resident(rig, unit) for unit in (*SERVICES, _SENDER, JOURNAL)}
    rig.pipeline.systemctl("stop", _SENDER, JOURNAL)
    memory["all"] = sum(memory.values())
    print("idle, % of a core: ", ", ".join(f"{unit} {used:.1f}" for unit, used in idle.items()))
    print("memory, MB:        ", ", ".join(f"{unit} {size:,.0f}" for unit, size in memory.items()), flush=True)
    return {"idle": idle, "memory": memory}


def _resident(rig: Rig, unit: str) -> float:
    """Return the megabytes of all processes of a unit; what they share counts for each."""
    group = rig.pipeline.property(unit, "ControlGroup")
    sizes = rig.pipeline.host.check_output(f"ps -o rss= -p $(paste -sd, '/sys/fs/cgroup{group}/cgroup.procs')").split()
    return sum(map(int, sizes)) * 1024 / 1e6
