# SPDX-License-Identifier: Apache-2.0
"""Each fault of a cluster once, while records flow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from breakage import Breakage, breaking
from cluster import Cluster
from pipeline import Pipeline
from scene import Scene
from spark_faults import FAULTS, OF_THE_CONSUMER, ClusterFault
from traffic import Traffic

OUTAGE_SECONDS = (5.0, 5.0)


@pytest.fixture(scope="module")
def breakage(pipeline: Pipeline, traffic: Traffic, seed: int) -> Iterator[Breakage]:
    with breaking(pipeline, traffic, seed, OUTAGE_SECONDS) as made:
        yield made


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
