# SPDX-License-Identifier: Apache-2.0
"""A reboot of the host, while events flow: no event is lost, none counted twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deployment import Tunnel
from pipeline import SENDERS, UNITS, Pipeline


@pytest.fixture(autouse=True)
def services_afterwards(pipeline: Pipeline) -> Iterator[None]:
    yield
    pipeline.systemctl("start", *UNITS)


@pytest.mark.usefixtures("long")  # test_sources.py reboots the host as well, while a file is read
def test_a_reboot_loses_no_event_and_needs_no_hand(pipeline: Pipeline, tunnel: Tunnel) -> None:
    old, old_acked = pipeline.stand_still()
    pipeline.systemctl("start", *SENDERS)
    pipeline.ledger.wait_for_flow()
    boot = pipeline.host.check_output("stat -c %Y /proc/1")
    pipeline.deployment.reboot()
    tunnel.open()
    pipeline.ledger.wait_for_flow()
    assert pipeline.host.check_output("stat -c %Y /proc/1") != boot
    assert {unit: pipeline.property(unit, "ActiveState") for unit in UNITS} == dict.fromkeys(UNITS, "active")
    new, new_acked = pipeline.stand_still()
    assert new_acked > old_acked
    assert new.since(old) == new_acked - old_acked
    assert [old.fault(), new.fault()] == ["", ""]
