# SPDX-License-Identifier: Apache-2.0
"""What the machine is, and what else runs on it: numbers are nothing without it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rig import Rig

_SHOWN = 5


def describe(rig: Rig) -> dict[str, Any]:
    """Return processors, memory, system and versions."""
    told = rig.pipeline.host.check_output
    processors = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    builds = told("readlink /opt/kafka/current /opt/spark/current /opt/elasticsearch/current").split()
    return {
        "processors": f"{len(os.sched_getaffinity(0))} x {processors[0] if processors else 'unknown'}",
        "memory_gb": round(memory * 1024 / 1e9, 1),
        "kernel": os.uname().release,
        "system": told("sed -n 's/^PRETTY_NAME=//p' /etc/os-release").strip('"'),
        "date": told("date --utc +%Y-%m-%d"),
        "builds": dict(zip(("kafka", "spark", "elasticsearch"), builds, strict=True)),
        "java": told("java -version 2>&1 | head -1"),
        "others": others(rig),
    }


def others(rig: Rig) -> dict[str, Any]:
    """Return the load of the machine and the busiest programs that are not on the host, with their part of a core."""
    inside = set(rig.pipeline.host.check_output("ps -eo comm=").split("\n"))
    shares: dict[str, float] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name = (process / "comm").read_text().strip()
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            age = float(Path("/proc/uptime").read_text().split()[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError):  # it has just ended
            continue
        if name not in inside and age > 1:
            used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            shares[name] = round(shares.get(name, 0) + used / age, 3)
    busiest = sorted(shares.items(), key=lambda each: -each[1])[:_SHOWN]
    return {"load": [round(each, 2) for each in os.getloadavg()], "programs": dict(busiest)}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
