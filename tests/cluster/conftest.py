# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the deployed cluster that --ansible-inventory names, with the consumer on one of its hosts."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "pipeline"), str(HERE.parent / "support")]
# kafka-python reads its schemas that way, a hundred times.
warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
# What the tests' own clients say of an outage would hide the faults' own log.
logging.getLogger("kafka").setLevel(logging.CRITICAL)
logging.getLogger("elastic_transport").setLevel(logging.ERROR)

from cluster import Cluster  # noqa: E402  (found by the path set above)
from deployment import Deployment  # noqa: E402


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    inventory = request.config.getoption("--ansible-inventory")
    if not inventory:
        pytest.fail("give the inventory of a deployed cluster")
    return Deployment.of(Path(inventory).absolute(), tmp_path_factory.mktemp("deployment") / "report.json")


@pytest.fixture(scope="session")
def cluster(deployment: Deployment) -> Iterator[Cluster]:
    made = Cluster(deployment)
    made.open()
    yield made
    made.close()
