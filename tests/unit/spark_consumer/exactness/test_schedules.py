# SPDX-License-Identifier: Apache-2.0
"""Random histories: kills at any request, lost answers, lost checkpoints, changed settings, a Kafka that loses records.

`make exactness SCHEDULES=200000 SEED=1` runs more of them, and others. A seed that fails is kept in build/exactness,
with the smallest schedule that fails as well.
"""

import os
from pathlib import Path

import pytest
from exactness.schedules import failing, made, smallest

FIRST = int(os.environ.get("EXACTNESS_SEED", "0"))
COUNT = int(os.environ.get("EXACTNESS_SCHEDULES", "2000"))
KEPT = Path(__file__).parents[4] / "build/exactness"
_AT_ONCE = 250


def parts() -> list[range]:
    """Return all seeds, in parts for several processes."""
    every = range(FIRST, FIRST + COUNT)
    return [every[first : first + _AT_ONCE] for first in range(0, COUNT, _AT_ONCE)]


@pytest.mark.parametrize("seeds", parts(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_each_record_has_one_fate_and_windows_count_their_events(seeds: range) -> None:
    told = []
    for seed, faults in failing(seeds):
        steps = "\n".join(map(str, smallest(made(seed)) if not told else made(seed)))
        told.append(f"seed {seed}: {'; '.join(faults[:5])}\n{steps}\n")
        KEPT.mkdir(parents=True, exist_ok=True)
        (KEPT / f"{seed}.txt").write_text(told[-1])
    assert not told, "\n".join([*told, "again: EXACTNESS_SEED=<seed> EXACTNESS_SCHEDULES=1 pytest " + __file__])


def test_a_seed_makes_the_same_schedule_again() -> None:
    assert made(7) == made(7) != made(8)
