# SPDX-License-Identifier: Apache-2.0
"""What the machine is, and what else runs on it: numbers are nothing without it."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rig import Rig
from testinfra.host import Host

_SHOWN = 5
_TICKS = os.sysconf("SC_CLK_TCK")


def describe(host: Host) -> dict[str, Any]:
    """Return processors, memory, system and versions of a deployed host."""
    told = host.check_output
    memory = told("sed -n 's/^MemTotal: *//p' /proc/meminfo").split()[0]
    builds = told("readlink /opt/kafka/current /opt/spark/current /opt/elasticsearch/current").split()
    return {
        "processors": f"{told('nproc')} x {told('sed -n s/^model.name.*:.//p /proc/cpuinfo | head -1')}",
        "memory_gb": round(int(memory) * 1024 / 1e9, 1),
        "kernel": told("uname -r"),
        "system": told("sed -n s/^PRETTY_NAME=//p /etc/os-release").strip('"'),
        "date": told("date --utc +%Y-%m-%d"),
        "builds": dict(zip(("kafka", "spark", "elasticsearch"), builds, strict=True)),
        "java": told("java -version 2>&1 | head -1"),
    }


class Beside:
    """What runs on this machine but not on the host, where the host is a container of this machine."""

    def __init__(self, rig: Rig) -> None:
        self._host = rig.pipeline.host.check_output("readlink /proc/1/ns/pid")
        self._began, self._before = time.monotonic(), self._used()

    def told(self) -> dict[str, Any]:
        """Return the load, and the busiest programs since the beginning with the cores that they took.

        Programs that have ended meanwhile are not among them; what all took together is measured for each run.
        """
        cores: defaultdict[str, float] = defaultdict(float)
        for key, ticks in self._used().items():
            cores[key[1]] += (ticks - self._before.get(key, 0)) / _TICKS / (time.monotonic() - self._began)
        ordered = sorted(cores.items(), key=lambda each: -each[1])[:_SHOWN]
        busiest = {name: round(share, 3) for name, share in ordered if share >= 0.01}
        return {"load": [round(each, 2) for each in os.getloadavg()], "programs": busiest}

    def _used(self) -> dict[tuple[str, str], int]:
        """Return the ticks used so far by process and program."""
        used = {}
        for process in Path("/proc").glob("[0-9]*"):
            if _namespace(process) == self._host:
                continue
            try:
                name = (process / "comm").read_text().strip()
                fields = (process / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            used[process.name, name] = int(fields[11]) + int(fields[12])
        return used


def _namespace(process: Path) -> str:
    """Return what tells the processes of a container from others; nothing if it may not be known."""
    try:
        return str((process / "ns/pid").readlink())
    except OSError:
        return ""
