# SPDX-License-Identifier: Apache-2.0
"""A world for each history."""

from collections.abc import Iterator

import pytest
from exactness.world import World


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made
