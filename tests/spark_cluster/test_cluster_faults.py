# SPDX-License-Identifier: Apache-2.0
"""Each fault of a cluster once, while records flow."""

from __future__ import annotations

import pytest
from breakage import Breakage
from cluster import Cluster
from scene import Scene
from spark_faults import FAULTS, OF_THE_CONSUMER, ClusterFault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_records_flow_again_and_the_audit_balances(fault: ClusterFault, breakage: Breakage, cluster: Cluster) -> None:
    def inflicted(scene: Scene) -> None:
        fault(scene, cluster)

    inflicted.__name__ = fault.__name__
    process = cluster.pipeline.property("login-consumer", "MainPID")
    breakage.inflict(inflicted)
    cluster.wait_for_executors(*cluster.hosts)
    if fault not in OF_THE_CONSUMER:
        assert cluster.pipeline.property("login-consumer", "MainPID") == process, "the consumer did not outlive it"


def test_nothing_was_lost_or_doubled(breakage: Breakage) -> None:
    breakage.settle()
