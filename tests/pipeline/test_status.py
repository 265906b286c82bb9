# SPDX-License-Identifier: Apache-2.0
"""playbooks/status.yml: all is well, or what is wrong is named; and nothing is changed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from elasticsearch import Elasticsearch
from pipeline import Pipeline
from playbook import ROOT, Run, run_playbook

STATUS = ROOT / "playbooks/status.yml"
# The tests send more odd records than a pipeline at work gets.
LIMITS = ("-e", "status_max_dead_letters=1000000")


def status(deployment: Deployment, folder: Path, *options: str) -> tuple[Run, dict[str, Any]]:
    """Run the playbook; return the run and what it writes for programs."""
    file = folder / "status.json"
    written = ("-e", "status_format=json", "-e", f"status_file={file}")
    run = run_playbook(STATUS, deployment.inventory, *LIMITS, *written, *options)
    assert file.exists(), run.output
    return run, json.loads(file.read_text())


def test_all_is_well(deployment: Deployment, tmp_path: Path) -> None:
    run, told = status(deployment, tmp_path)
    assert (run.returncode, run.changed) == (0, 0), run.output
    assert told["ok"] and told["wrong"] == []
    host = told["hosts"][deployment.name]
    units = {unit["name"]: unit for unit in host["units"]}
    assert {"kafka", "elasticsearch", "login-consumer", "login-producer", "login-retention.timer"} <= set(units)
    assert all(unit["there"] for unit in units.values())
    assert units["kafka"]["memory_mb"] > 100 and units["kafka"]["version"]
    assert host["consumer"]["events"] > 0 and host["producers"][0]["counters"]["acked"] > 0
    assert {"kafka", "elasticsearch"} <= {door["name"] for door in host["doors"] if door["certificate_ends"]}
    assert min(host["ca_ends"]) > max(door["certificate_ends"] for door in host["doors"])
    assert all(secret not in run.output for secret in deployment.secrets.values())


def test_the_screen_for_people(deployment: Deployment) -> None:
    run = run_playbook(STATUS, deployment.inventory, *LIMITS, "--check")
    assert (run.returncode, run.changed) == (0, 0), run.output
    assert "1 of 1 hosts answer" in run.output and "\nall is well\n" in run.output
    assert re.search(r"^Elasticsearch +green, nodes 1", run.output, re.MULTILINE)


def test_an_index_of_others_is_named_and_not_judged(
    deployment: Deployment, elastic: Elasticsearch, tmp_path: Path
) -> None:
    elastic.indices.create(index="others-test", settings={"index.number_of_replicas": 1}, wait_for_active_shards="1")
    try:
        run, told = status(deployment, tmp_path)
    finally:
        elastic.indices.delete(index="others-test")
    assert (run.returncode, told["ok"]) == (0, True), run.output
    seen = told["hosts"][deployment.name]["elasticsearch"]
    assert (seen["status"], seen["indices"]) == ("yellow", {"others-test": "yellow"})


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An inventory with one more host, that nobody can reach."""
    file = tmp_path / "more.yml"
    file.write_text("{all: {hosts: {away: {ansible_host: 127.0.0.1, ansible_port: 1}}}}")
    return file


def test_what_is_wrong_is_named(deployment: Deployment, pipeline: Pipeline, tmp_path: Path, elsewhere: Path) -> None:
    pipeline.systemctl("stop", "login-producer", "kafka")
    try:
        run, told = status(deployment, tmp_path, "-i", str(elsewhere))
    finally:
        pipeline.systemctl("start", "kafka", "login-producer")
        pipeline.ledger.wait_for_flow()
    assert run.returncode != 0 and run.changed == 0 and not told["ok"], run.output
    text = "\n".join(told["wrong"])
    for reason in (
        "away: cannot be reached",
        f"{deployment.name}: kafka is inactive, not active",
        f"{deployment.name}: login-producer is inactive, not active",
        "kafka does not answer on port",
        "the consumer's way to Kafka: ",
    ):
        assert reason in text, text
    assert "elasticsearch is" not in text, text
