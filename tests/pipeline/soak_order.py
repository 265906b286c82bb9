# SPDX-License-Identifier: Apache-2.0
"""The order of a soak: by chance, but nothing comes again before all else has come."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
MOST_IN_A_ROW = 5


def rounds(every: Sequence[T], rng: random.Random) -> Iterator[list[T]]:
    """Yield without end some of `every` that come in a row, between two audits."""

    def shuffled() -> Iterator[T]:
        while True:
            yield from rng.sample(every, k=len(every))

    order = shuffled()
    while True:
        yield list(islice(order, rng.randint(1, min(MOST_IN_A_ROW, len(every)))))
