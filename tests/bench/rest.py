# SPDX-License-Identifier: Apache-2.0
"""What the pipeline takes while nothing happens, processor time and memory, and what of memory while much does."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from pipeline import JOURNAL
from plan import Plan
from rig import SERVICES, Rig

_SENDER = "login-producer"
_RATE, _MINUTES = 1000, 60
_SPAN = 10
"""Minutes whose median counts, after as many in which the programs get warm."""


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
    memory = {unit: _memory(rig, unit, "Pss") for unit in (*SERVICES, _SENDER, JOURNAL)}
    rig.pipeline.systemctl("stop", _SENDER, JOURNAL)
    memory["all"] = sum(memory.values())
    print("idle, % of a core: ", ", ".join(f"{unit} {used:.1f}" for unit, used in idle.items()))
    print("memory, MB:        ", _told(memory), flush=True)
    return {"idle": idle, "memory": memory}


def endurance(rig: Rig) -> dict[str, Any]:
    """Return megabytes by unit for each minute of an hour at a steady rate, and what their sum has grown by.

    What grows is told of memory that the programs took for themselves: of what is resident, the pages of files that
    they read are the system's, which takes them back when it needs memory.
    """
    rig.settle()
    remote = rig.remote("python")
    job = rig.job("producer", rate=_RATE, records=_RATE * 60 * _MINUTES, processes=1)
    points = []
    with ThreadPoolExecutor(1) as beside:
        sending = beside.submit(remote.ask, "senders.own:send", **job)
        began = time.monotonic()
        while not wait([sending], len(points) * 60 - (time.monotonic() - began)).done:
            sizes = {unit: _memory(rig, unit, "Pss_Anon") for unit in SERVICES}
            print(f"minute {len(points):>2}, MB: ", _told(sizes), flush=True)
            points.append({"at": len(points), "memory": sizes})
        sending.result()
    rig.ledger.settled()
    first, last = (
        statistics.median(sum(each["memory"].values()) for each in part)
        for part in (points[_SPAN:][:_SPAN], points[-_SPAN:])
    )
    return {"endurance": {"points": points, "growth": last - first}}


def _told(memory: dict[str, float]) -> str:
    return ", ".join(f"{unit} {size:,.0f}" for unit, size in memory.items())


def _memory(rig: Rig, unit: str, name: str) -> float:
    """Return the megabytes of all processes of a unit; what processes share is divided among them."""
    group = rig.pipeline.property(unit, "ControlGroup")
    command = f"sed 's|.*|/proc/&/smaps_rollup|' '/sys/fs/cgroup{group}/cgroup.procs' | xargs sed -n 's/^{name}://p'"
    lines = rig.pipeline.host.run(command).stdout.splitlines()  # a process may have ended meanwhile
    assert lines, f"{unit} has no process"
    return sum(int(line.split()[0]) for line in lines) * 1024 / 1e6
