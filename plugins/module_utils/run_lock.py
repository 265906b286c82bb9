# SPDX-License-Identifier: Apache-2.0
"""A lock that is held as long as a run of a playbook: a file which says whose run it is and which processes hold it.

It must end with the run, however that ends: kill -9, a reboot of either side. flock(2) does, but somebody has to keep
the file open for as long as the run: tasks are done by processes that end with them, and ansible-playbook's own process
runs no code of a task. So the file names processes, and the lock is held while one of them lives; flock(2) is for the
moment in which the file is read and written.

On the controller that is the process of ansible-playbook. On a host it is what lives as long as the connection: the
Python that is kept for all tasks (plugins/strategy), and the ssh session. With Ansible's own strategy there is the
session alone, which ControlPersist in ansible.cfg keeps for two minutes after a task.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]


class Process(NamedTuple):
    """A process that is like no other, before or after it: numbers of processes are used again."""

    pid: int
    started: int  # clock ticks after the boot
    boot: str
    namespace: str  # of its number; a container has its own

    def since(self) -> float:
        """Return the time at which it began, in seconds of Unix time."""
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + self.started / os.sysconf("SC_CLK_TCK")

    def lives(self) -> bool:
        """Whether it runs. False also where that cannot be seen: after a boot, on another machine, in a container."""
        return find(self.pid) == self


def find(pid: int) -> Process | None:
    """Return a process, None if there is none or it is dead and was not waited for."""
    try:
        # comm, the second field, may hold blanks and parentheses
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in ("Z", "X"):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return Process(pid, int(fields[19]), boot, str(Path("/proc/self/ns/pid").readlink()))


def keepers(run: Process) -> list[Process]:
    """Return what lives as long as a run's connection: this process, and the ssh session or, if it is here, the run."""
    found = [process for process in [find(os.getpid())] if process]
    pid = os.getppid()
    while pid > 1 and (process := find(pid)):
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        name, parent = (re.search(rf"^{key}:\s*(.*)$", status, re.M) for key in ("Name", "PPid"))
        if process == run or (name and name[1].startswith("sshd")):
            return [*found, process]
        pid = int(parent[1]) if parent else 0
    return found


def take(path: Path, run: Record, processes: list[Process], ended: list[Process] | None = None) -> Record | None:
    """Take the lock for a run, or return the record of the run that holds it.

    A run that holds it already keeps it. `ended` are runs that are known to be over, whatever still lives of them.
    Raises OSError if the file cannot be read or written.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        holder = _holder(file.read())
        if holder:
            process = Process(*holder["process"])
            if process != Process(*run["process"]) and process not in (ended or []):
                return holder
        file.seek(0)
        file.truncate()
        json.dump(run | {"keepers": processes}, file)
    return None


def _holder(text: str) -> Record | None:
    """Return the record of a run that goes on, None if it is over, or was killed while it wrote its record."""
    with suppress(ValueError, KeyError, TypeError):
        record: Record = json.loads(text)
        if any(Process(*each).lives() for each in record["keepers"]):
            Process(*record["process"])
            return record
    return None
