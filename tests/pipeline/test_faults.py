# SPDX-License-Identifier: Apache-2.0
"""Each fault once, while records flow; soak.py does the same for longer and at random."""

from __future__ import annotations

import pytest
from breakage import Breakage
from fault_groups import GROUPS, MORE_GROUPS
from faults import both_away
from pipeline import Pipeline


@pytest.mark.parametrize("group", GROUPS)
def test_records_flow_again_and_the_audit_balances(group: str, breakage: Breakage) -> None:
    breakage.inflict_group(*GROUPS[group])


@pytest.mark.usefixtures("long")
@pytest.mark.parametrize("group", MORE_GROUPS)
def test_after_more_faults_as_well(group: str, breakage: Breakage) -> None:
    breakage.inflict_group(*MORE_GROUPS[group])


def test_an_outage_fills_no_log(breakage: Breakage, pipeline: Pipeline) -> None:
    if both_away.__name__ not in breakage.inflicted:
        breakage.inflict(both_away)
    # 3 lines of each service for a fault were measured
    for unit in ("login-producer", "login-consumer"):
        lines = pipeline.journal(unit, breakage.began)
        assert len(lines) < 10 * breakage.inflicted.total(), lines


def test_nothing_was_lost_or_doubled(breakage: Breakage) -> None:
    breakage.settle()
