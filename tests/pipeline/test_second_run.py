# SPDX-License-Identifier: Apache-2.0
"""Runs of site.yml against the deployed host: nothing to change, and a changed setting that touches one service."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from deployment import Deployment
from starts import services, starts
from testinfra.host import Host


def test_check_mode_finds_nothing_to_change_and_shows_no_secret(deployment: Deployment) -> None:
    run = deployment.deploy("--check", "--diff", "-vv")
    assert (run.returncode, run.changed) == (0, 0), run.output
    assert [name for name, secret in deployment.secrets.items() if secret in run.output] == []


@pytest.fixture
def setting_back(deployment: Deployment) -> Iterator[None]:
    yield
    run = deployment.deploy("--tags", "kafka")
    assert run.returncode == 0, run.output


@pytest.mark.usefixtures("setting_back")
def test_a_changed_setting_restarts_its_service_once_and_no_other(deployment: Deployment, host: Host) -> None:
    before = services(starts(host))
    run = deployment.deploy("--extra-vars", json.dumps({"kafka_extra_config": {"log.cleaner.backoff.ms": 15001}}))
    assert run.returncode == 0, run.output
    assert services(starts(host)) - before == {"kafka.service": 1}
    assert "log.cleaner.backoff.ms=15001" in host.check_output("cat /etc/kafka/server.properties")
    # The file itself; the service's start counts as a change of its own.
    assert run.changed == 2, run.output
