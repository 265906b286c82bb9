# SPDX-License-Identifier: Apache-2.0
"""The cluster that --ansible-inventory names, deployed with older versions of Kafka and Elasticsearch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT), *(str(ROOT / "tests" / folder) for folder in ("cluster", "pipeline", "support"))]

from cluster import Cluster  # noqa: E402  (found by the path set above)
from deployment import Deployment  # noqa: E402
from older import OLDER, make_archives, settings  # noqa: E402
from playbook import run_playbook  # noqa: E402


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    inventory = request.config.getoption("--ansible-inventory")
    if not inventory:
        pytest.fail("give the inventory of bare hosts: make test-cluster-upgrade does")
    hosts = Path(inventory).absolute()
    make_archives(hosts)
    run = run_playbook(ROOT / "site.yml", hosts, "--extra-vars", json.dumps(settings(OLDER)))
    assert run.returncode == 0, run.output
    made = Cluster(Deployment.of(hosts, tmp_path_factory.mktemp("deployment") / "report.json"))
    made.open()
    yield made
    made.close()
