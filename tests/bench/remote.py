# SPDX-License-Identifier: Apache-2.0
"""A process on the host that runs jobs (host/serve.py), in a unit of its own, so that systemd counts its CPU time."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from typing import Any

from deployment import Deployment
from rounds import LeftOut

PROGRAMS = "/opt/login-bench/host"
PYTHON = "/opt/login-bench/current/bin/python"
USER = "login-consumer"  # may read the settings and the secrets that the jobs need


class JobFailed(LeftOut):
    """A job on the host has failed; the text is what it said."""


class Remote:
    """One such process. It gets the jobs, with their secrets, by standard input alone."""

    def __init__(self, deployment: Deployment, unit: str, environment: dict[str, str]) -> None:
        self.unit = unit
        settings = {**environment, "PYTHONPATH": PROGRAMS, "TZ": "UTC", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        command = [] if deployment.ssh_user == "root" else ["sudo", "-n"]
        command += ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={unit}", f"--uid={USER}"]
        command += ["--property=StateDirectory=login-bench", "--property=LimitNOFILE=65535"]
        command += [f"--setenv={name}={value}" for name, value in settings.items()]
        command += [PYTHON, f"{PROGRAMS}/serve.py"]
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  (open as long as the process)
        self._process = subprocess.Popen(
            [*deployment.ssh(), shlex.join(command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, call: str, **job: Any) -> dict[str, Any]:
        """Run a job and return when it `began` and `ended` (epoch seconds of the host), and its `result`.

        Raises JobFailed.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"call": call, **job}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise JobFailed(f"{self.unit} has ended while it ran {call}:\n{self._said()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise JobFailed(f"{self.unit}, {call}:\n{answer['error']}\n{self._said()}")
        return answer

    @property
    def alive(self) -> bool:
        """Whether it can be asked for more."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _said(self) -> str:
        self._log.seek(0)
        return "".join(self._log.readlines()[-30:])
