# SPDX-License-Identifier: Apache-2.0
"""Each way in which a service's main process may end, but 'systemctl stop': it is back by itself, and events flow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from people_faults import main_process, send_signal
from pipeline import UNITS, Pipeline
from waiting import wait_until


@pytest.fixture
def rested(pipeline: Pipeline) -> Iterator[Pipeline]:
    """A pipeline in which all services run, before and after; restarts are not counted for other tests."""
    pipeline.systemctl("start", *UNITS)
    pipeline.start_consumer()
    yield pipeline
    pipeline.systemctl("start", *UNITS)
    pipeline.systemctl("reset-failed", *UNITS)
    pipeline.start_consumer()


def all_come_back(pipeline: Pipeline, signal: str) -> None:
    send_signal(pipeline, signal, *UNITS)
    pipeline.ledger.wait_for_flow()
    assert pipeline.host.check_output("systemctl list-units --failed --plain --no-legend") == ""


def test_a_hangup_ends_no_service(rested: Pipeline) -> None:
    """As of a hook of logrotate, or by hand; to systemd it is a clean end."""
    all_come_back(rested, "HUP")


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("signal", ["INT", "TERM", "QUIT", "KILL"])
def test_no_other_signal_ends_a_service(signal: str, rested: Pipeline) -> None:
    all_come_back(rested, signal)


@pytest.mark.usefixtures("long")
def test_a_consumer_whose_jvm_does_not_answer_is_ended(rested: Pipeline) -> None:
    """systemd's watchdog hears nothing of it."""
    before = main_process(rested, "login-consumer")
    java = next(pid for pid, command in rested.processes("login-consumer").items() if "org.apache.spark" in command)
    rested.host.check_output("kill -s STOP %s", str(java))
    wait_until(
        lambda: main_process(rested, "login-consumer") not in ("0", before), "the consumer is started again", 300
    )
    rested.ledger.wait_for_flow()
