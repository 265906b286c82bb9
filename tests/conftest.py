# SPDX-License-Identifier: Apache-2.0
"""What all tests share: which of them are too long for each run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that take minutes each as well")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> None:
    """Skip what asks for it, a test or a fixture, if that is not wanted."""
    if not request.config.getoption("--long"):
        pytest.skip("it takes minutes: give --long")
