# SPDX-License-Identifier: Apache-2.0
"""Fixtures: those of tests/pipeline, and the Spark cluster that the consumer of the deployed pipeline runs on."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path += [str(HERE), str(ROOT), str(ROOT / "tests/pipeline"), str(ROOT / "tests/support")]
pytest_plugins = ["tests.pipeline.conftest"]

from cluster import Cluster  # noqa: E402  (found by the path set above)
from deployment import Deployment  # noqa: E402
from pipeline import Pipeline  # noqa: E402
from playbook import run_playbook  # noqa: E402


@pytest.fixture(scope="session")
def workers(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Deployment]:
    """The hosts of the workers, by name."""
    folder = tmp_path_factory.mktemp("workers")
    run = run_playbook(HERE / "describe_workers.yml", deployment.inventory, "-e", f"report={folder}")
    assert run.returncode == 0, run.output
    told = [json.loads(file.read_text()) for file in sorted(folder.iterdir())]
    assert len(told) > 1, "these tests need an inventory with two hosts in spark_workers"
    return {each["name"]: dataclasses.replace(deployment, **each) for each in told}


@pytest.fixture(scope="module")
def cluster(pipeline: Pipeline, workers: dict[str, Deployment]) -> Cluster:
    return Cluster(pipeline, {name: each.host() for name, each in workers.items()})
