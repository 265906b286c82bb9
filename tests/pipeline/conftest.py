# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the deployed pipeline that --ansible-inventory names, or a prepared host; all groups are on one host."""

from __future__ import annotations

import logging
import os
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "support")]
# kafka-python reads its schemas that way, a hundred times.
warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)

# What the tests' own clients say of an outage would hide the faults' own log.
logging.getLogger("kafka").setLevel(logging.CRITICAL)
logging.getLogger("elastic_transport").setLevel(logging.ERROR)

from account import Ledger  # noqa: E402  (found by the path set above)
from breakage import Breakage, breaking  # noqa: E402
from deployment import Deployment, Tunnel, elasticsearch_client, kafka_options  # noqa: E402
from elasticsearch import Elasticsearch  # noqa: E402
from fault_groups import FAULTS  # noqa: E402
from pipeline import READY, Pipeline  # noqa: E402
from prepared import prepared_host  # noqa: E402
from traffic import Traffic  # noqa: E402
from waiting import wait_until  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="of the faults' chances; without it a new one")
    parser.addoption("--uninstall", action="store_true", help="let the tests take the pipeline off the host at last")
    parser.addoption("--minutes", type=float, default=10, help="how long the soak breaks things")
    names = sorted(fault.__name__ for fault in FAULTS)
    parser.addoption("--fault", action="append", choices=names, help="what the soak breaks; without it everything")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the removal last: it leaves nothing to test."""
    items.sort(key=lambda item: item.path.name == "test_uninstall.py")


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--seed")
    return random.SystemRandom().randrange(10**6) if given is None else given


@pytest.fixture(scope="session")
def inventory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the inventory that is named, or that of a prepared host of this process's own."""
    given = request.config.getoption("--ansible-inventory")
    if given:
        yield Path(given).absolute()
        return
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    with prepared_host(int(worker), tmp_path_factory.mktemp("prepared")) as made:
        yield made


@pytest.fixture(scope="session")
def deployment(inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    found = Deployment.of(inventory, tmp_path_factory.mktemp("deployment") / "report.json")
    host = found.host()  # which may have booted just now
    wait_until(lambda: host.run(f"test -e {READY}").rc == 0, "the consumer's query runs", 180)
    return found


@pytest.fixture(scope="session")
def host(deployment: Deployment) -> Host:
    """Take the place of testinfra's own fixture, which cannot evaluate the templates in an inventory."""
    return deployment.host()


@pytest.fixture(scope="session")
def tunnel(deployment: Deployment) -> Iterator[Tunnel]:
    made = Tunnel(deployment)
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def elastic(deployment: Deployment, tunnel: Tunnel) -> Elasticsearch:
    """A client with all rights. For one module: the next one may find other passwords (test_secrets.py)."""
    return elasticsearch_client(deployment, tunnel, basic_auth=("elastic", deployment.secrets["elastic_password"]))


@pytest.fixture(scope="module")
def kafka(deployment: Deployment, tunnel: Tunnel) -> Callable[[str], dict[str, Any]]:
    """Return a function from a user's name to the options of a Kafka client."""
    return lambda user: kafka_options(deployment, tunnel, user)


@pytest.fixture(scope="module")
def ledger(deployment: Deployment, elastic: Elasticsearch, kafka: Callable[[str], dict[str, Any]]) -> Ledger:
    return Ledger(elastic, deployment.topic, kafka("consumer"))


@pytest.fixture(scope="module")
def pipeline(deployment: Deployment, host: Host, elastic: Elasticsearch, ledger: Ledger) -> Pipeline:
    return Pipeline(deployment, host, elastic, ledger)


@pytest.fixture(scope="module")
def traffic(deployment: Deployment, kafka: Callable[[str], dict[str, Any]], seed: int) -> Iterator[Traffic]:
    made = Traffic(kafka("producer"), deployment.topic, deployment.window_seconds, seed)
    yield made
    made.close()


@pytest.fixture(scope="module")
def breakage(
    pipeline: Pipeline, traffic: Traffic, kafka: Callable[[str], dict[str, Any]], seed: int
) -> Iterator[Breakage]:
    """Each outage lasts the same; soak.py has its own."""
    with breaking(pipeline, traffic, kafka, seed, outage=(5.0, 5.0)) as made:
        yield made
