# SPDX-License-Identifier: Apache-2.0
"""Which signals the running producer takes for a request to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

WAITS = """
from login_producer.service import StopRequest
stop = StopRequest()
print("runs", flush=True)
while not stop.wait(0.01):
    pass
print(stop.number, flush=True)
"""


def waits(signal_number: int, before: Callable[[], object] | None = None) -> str:
    """Return what a process that waits for a stop request says after a signal; it is killed after a second."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", WAITS], env=env, stdout=subprocess.PIPE, text=True, preexec_fn=before
    ) as process:
        assert process.stdout and process.stdout.readline() == "runs\n"
        process.send_signal(signal_number)
        try:
            process.wait(1 if before else 30)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.stdout.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_way_to_ask_for_an_end_is_taken(number: signal.Signals) -> None:
    assert waits(number) == f"{number.value}\n"


def test_a_hangup_that_nohup_ignores_ends_nothing() -> None:
    assert waits(signal.SIGHUP, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) == ""
