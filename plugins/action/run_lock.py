# SPDX-License-Identifier: Apache-2.0
"""Action plugin: keep other runs away from the state folder on the controller, or from the host.

Arguments: ``state_dir`` (the state folder; without it the host), ``path`` (the host's lock file, if not the usual one).
Fails, and says whose run it is, if another run holds the lock. In check mode none is taken: it changes nothing.
"""

from __future__ import annotations

import getpass
import multiprocessing
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# Ansible gives its folder of shared code to modules, not to plugins.
ansible.module_utils.__path__.append(str(Path(__file__).parents[1] / "module_utils"))
from ansible.module_utils.run_lock import Process, Record, find, take  # noqa: E402

FILE = "run.lock"


def this_run() -> Record:
    """Say whose run this is. Its process is ansible-playbook's own; tasks are done by children of it."""
    process = find((multiprocessing.parent_process() or multiprocessing.current_process()).pid or 0)
    if process is None:
        raise AnsibleActionFail("ansible-playbook has ended")
    # Not the command line: -e may have given secrets.
    playbooks = " ".join(os.path.relpath(each) for each in context.CLIARGS.get("args", ()))
    return {
        "process": process,
        "user": os.environ.get("SUDO_USER") or getpass.getuser(),
        "controller": socket.gethostname(),
        "playbook": playbooks,
        "since": datetime.fromtimestamp(process.since(), UTC).isoformat(" ", "seconds"),
    }


def refusal(holder: Record, where: str) -> str:
    """Return what is said to who comes second."""
    pid = holder["process"][0]
    return (
        f"Nothing was changed. Another run holds {where}: ansible-playbook {holder['playbook']}, process {pid} of "
        f"{holder['user']} on {holder['controller']}, since {holder['since']}. Wait until it ends, or end it there "
        f"(kill {pid}), then run this again."
    )


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take the lock. The same run may take it again."""
        super().run(tmp, task_vars)
        if self._task.check_mode:
            return {"changed": False, "skipped": True, "skip_reason": "a run in check mode changes nothing"}
        run, args = this_run(), dict(self._task.args)
        if "state_dir" not in args:
            return self._lock_host(args | {"run": run}, task_vars)
        path = Path(args["state_dir"]) / FILE
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            holder = take(path, run, [run["process"]])
        except OSError as error:
            raise AnsibleActionFail(f"The lock {path} cannot be taken: {error.strerror}") from None
        if holder:
            raise AnsibleActionFail(refusal(holder, f"{path} on this machine"))
        return {"changed": False}

    def _lock_host(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(module_args=args, task_vars=task_vars)
        holder = result.get("holder")
        if holder and is_over(holder):
            again = args | {"ended": [holder["process"]]}
            result = self._execute_module(module_args=again, task_vars=task_vars)
            holder = result.get("holder")
        if holder:
            raise AnsibleActionFail(refusal(holder, f"the lock of {(task_vars or {})['inventory_hostname']}"))
        return result


def is_over(holder: Record) -> bool:
    """Whether a run that holds a host was of this machine, and has ended: its connection may live on for a while."""
    process, here = Process(*holder["process"]), find(os.getpid())
    return here is not None and (process.boot, process.namespace) == (here.boot, here.namespace) and not process.lives()
