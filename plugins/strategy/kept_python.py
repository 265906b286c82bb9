# SPDX-License-Identifier: Apache-2.0
"""Tasks in Ansible's usual order, done by one Python that is kept on each host, where mitogen is installed.

Ansible starts a new Python for each task, and for each item of a loop: most of the time of a run that changes nothing
(docs/performance.md has the measure). Without mitogen, as with an Ansible of the user's own, all is done Ansible's way.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing.util
import os
import signal
from functools import cache
from typing import Any

from ansible.collections.list import list_collection_dirs
from ansible.plugins.loader import filter_loader, test_loader
from ansible.utils.display import Display

DOCUMENTATION = """
name: kept_python
short_description: Ansible's linear strategy, by mitogen if that is installed
description:
  - Tasks, their order and their results are those of the strategy linear.
version_added: "0.1"
author: login-pipeline contributors
"""

try:
    # By this name, not by the file's: mitogen's classes must not be loaded twice.
    import ansible_mitogen.affinity
    import ansible_mitogen.loaders
    import ansible_mitogen.strategy
except ImportError:
    from ansible.plugins.strategy.linear import StrategyModule
else:
    # By default mitogen keeps its processes to single processors, and what tasks start on the controller inherits
    # that: a test host would have one processor.
    ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()
    # mitogen hands on what libraries log on the hosts, such as a Kafka client about each attempt to connect. It is in
    # Ansible's log, if there is one; otherwise Python itself would print it. Why a task fails is told by its module.
    if logging.lastResort:
        logging.lastResort.addFilter(lambda record: _is_of_no_library(record) or Display().verbosity > 2)
    _linear = ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)

    class StrategyModule(ansible_mitogen.strategy.StrategyMixin, _linear):  # type: ignore[no-redef]
        """Ansible looks for a class of this name."""

        def run(self, iterator: Any, play_context: Any) -> Any:
            """Run a play."""
            _read_once()
            return super().run(iterator, play_context)

    def _is_of_no_library(record: logging.LogRecord) -> bool:
        """Whether this process logs it, or the Python of a host has printed it, as when it crashes."""
        return getattr(record, "mitogen_name", "stderr") in ("stdout", "stderr")

    @cache
    def _read_once() -> None:
        """Read what tasks ask for, each in a process of its own, which has what this one has read.

        That is what Ansible wants to know of all collections that it has, 0.1 s for each task with a module of one, and
        its filters and tests, 5 ms for each task whose templates have any.
        """
        list(list_collection_dirs())
        for loader in (filter_loader, test_loader):
            list(loader.all())


PR_SET_PDEATHSIG = 1  # prctl(2)


def _end_with_the_run(_: Any) -> None:
    """Let the process of a task end when the run is killed; on SIGTERM Ansible ends what it has started, too.

    Otherwise it would go on, and hold the socket by whose end mitogen's process learns that the run is over: that
    process and the Pythons that it keeps would stay as well.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != os.getppid():  # killed before that
        os._exit(1)


# Only what multiprocessing starts, which are the processes of tasks.
multiprocessing.util.register_after_fork(StrategyModule, _end_with_the_run)

__all__ = ["StrategyModule"]
