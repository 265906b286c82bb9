# SPDX-License-Identifier: Apache-2.0
"""All faults in random order, again and again, for some minutes (--minutes, --seed): 'make soak'.

No part of the tests that run by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from breakage import Breakage, breaking
from fault_groups import possible
from pipeline import Pipeline
from soak_order import rounds
from traffic import Traffic

OUTAGE_SECONDS = (1.0, 60.0)


@pytest.fixture
def breakage(
    pipeline: Pipeline, traffic: Traffic, kafka: Callable[[str], dict[str, Any]], seed: int
) -> Iterator[Breakage]:
    with breaking(pipeline, traffic, kafka, seed, OUTAGE_SECONDS) as made:
        yield made


def test_soak(breakage: Breakage, pipeline: Pipeline, request: pytest.FixtureRequest) -> None:
    end, wanted = time.monotonic() + 60 * request.config.getoption("--minutes"), request.config.getoption("--fault")
    faults = [each for each in possible(pipeline.deployment) if not wanted or each.__name__ in wanted]
    assert faults, f"this deployment cannot have {wanted}: it makes no backups"
    for several in rounds(faults, breakage.random):
        # what comes next must not count on what has just been broken to be well again
        breakage.inflict(*several)
        if time.monotonic() > end:
            break
    breakage.settle()
