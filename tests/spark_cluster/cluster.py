# SPDX-License-Identifier: Apache-2.0
"""A standalone cluster in one hand: its master's page, its workers' hosts, their processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline import Pipeline
from testinfra.host import Host
from waiting import wait_until

WORKER = "spark-worker"
MASTER = "spark-master"
EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend"
APPLICATION = "login-consumer"


@dataclass(frozen=True)
class Cluster:
    """What the tests do to a cluster, and ask of it. Its master and the consumer are on the pipeline's host."""

    pipeline: Pipeline
    hosts: dict[str, Host]
    """Those of the workers."""

    @property
    def away(self) -> str:
        """The name of a host that is a worker and nothing else."""
        return next(name for name in self.hosts if name != self.pipeline.deployment.name)

    def page(self, path: str = "json/") -> str:
        """Return a page of the master, as a user of its host sees it."""
        return str(self.pipeline.host.check_output("curl -sS --fail http://127.0.0.1:8080/%s", path))

    def state(self) -> dict[str, Any]:
        """Return what the master says of itself."""
        return dict(json.loads(self.page()))

    def executors(self) -> dict[str, list[int]]:
        """Return the processes of executors, by host."""
        return {name: list(self.processes(name, EXECUTOR)) for name in self.hosts}

    def processes(self, name: str, text: str) -> dict[int, str]:
        """Return the processes of the worker on a host whose command line holds `text`, with these lines."""
        group = f"/sys/fs/cgroup/system.slice/{WORKER}.service/cgroup.procs"
        lines = self.hosts[name].run(f"ps -ww -o pid=,args= -p $(paste -sd, {group})").stdout.splitlines()
        pairs = (line.split(maxsplit=1) for line in lines)
        return {int(pid): command for pid, command in pairs if text in command}

    def wait_for_executors(self, *names: str, seconds: float = 120) -> None:
        """Wait until these hosts, and only they, have an executor each."""
        wait_until(
            lambda: sorted(name for name, found in self.executors().items() if found) == sorted(names),
            f"executors on {', '.join(names) or 'no host'}",
            seconds,
        )

    @contextmanager
    def without(self, *names: str) -> Iterator[None]:
        """Let the workers of these hosts be stopped."""
        for name in names:
            self.hosts[name].check_output("systemctl stop %s", WORKER)
        try:
            yield
        finally:
            for name in names:
                self.hosts[name].check_output("systemctl start %s", WORKER)
