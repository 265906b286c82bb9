# SPDX-License-Identifier: Apache-2.0
"""Faults at random for some minutes (--minutes, --seed). No part of the tests that run by themselves: 'make soak'."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from breakage import Breakage, breaking
from faults import FAULTS
from pipeline import Pipeline
from traffic import Traffic

OUTAGE_SECONDS = (1.0, 60.0)


@pytest.fixture
def breakage(pipeline: Pipeline, traffic: Traffic, seed: int) -> Iterator[Breakage]:
    with breaking(pipeline, traffic, seed, OUTAGE_SECONDS) as made:
        yield made


def test_soak(breakage: Breakage, request: pytest.FixtureRequest) -> None:
    end = time.monotonic() + 60 * request.config.getoption("--minutes")
    while time.monotonic() < end:
        # several: what comes next must not count on what has just been broken to be well again
        breakage.inflict(*breakage.random.choices(FAULTS, k=breakage.random.randint(1, 5)))
    breakage.settle()
