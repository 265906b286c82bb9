# SPDX-License-Identifier: Apache-2.0
"""Each rare fault once, while records flow: histories, and what people and senders do; soak.py mixes all of them."""

from __future__ import annotations

import pytest
from breakage import Breakage
from deployment import Deployment
from fault_groups import RARE_GROUPS, possible

pytestmark = pytest.mark.usefixtures("long")


@pytest.mark.parametrize("group", RARE_GROUPS)
def test_records_flow_again_and_the_audit_balances(group: str, breakage: Breakage, deployment: Deployment) -> None:
    faults = [fault for fault in RARE_GROUPS[group] if fault in possible(deployment)]
    if not faults:
        pytest.skip("this deployment makes no backups: set pipeline_backup_dir")
    breakage.inflict_group(*faults)


def test_nothing_was_lost_or_doubled(breakage: Breakage) -> None:
    breakage.settle()
