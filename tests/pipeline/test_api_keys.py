# SPDX-License-Identifier: Apache-2.0
"""API keys end, and a run renews those that are about to, without a gap."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from deployment import Deployment, Tunnel, elasticsearch_client
from elasticsearch import AuthenticationException, Elasticsearch
from pipeline import Pipeline
from starts import services, starts
from testinfra.host import Host

KEYS = ("consumer_api_key", "replay_api_key", "retention_api_key", "report_api_key")
DAY_S = 86_400
SHORT = json.dumps({"pipeline_api_key_days": 5, "pipeline_api_key_renew_before_days": 1})


def name_of(secret: str) -> str:
    return f"login-{secret.removesuffix('_api_key')}"


def days_left(elastic: Elasticsearch) -> dict[str, list[float]]:
    """Return the days of each key of the pipeline that is not invalidated; more than one of a name is one too many."""
    told: dict[str, list[float]] = {}
    for key in elastic.security.get_api_key(name="login-*")["api_keys"]:
        if not key["invalidated"]:
            told.setdefault(key["name"], []).append((key["expiration"] / 1000 - time.time()) / DAY_S)
    return told


def test_each_key_ends(elastic: Elasticsearch, deployment: Deployment) -> None:
    told = days_left(elastic)
    for secret in KEYS:
        (days,) = told[name_of(secret)]
        assert 30 < days <= 397, secret


def test_the_endpoint_tells_when_they_end(elastic: Elasticsearch, host: Host) -> None:
    for secret in KEYS:
        text = host.check_output("cat /etc/login-pipeline/api-key-%s.prom", name_of(secret))
        (days,) = days_left(elastic)[name_of(secret)]
        assert abs(float(text.split()[-1]) - time.time() - days * DAY_S) < 60, text


@pytest.mark.usefixtures("long")
def test_a_key_that_ends_soon_is_renewed_once(
    deployment: Deployment, host: Host, tunnel: Tunnel, elastic: Elasticsearch, pipeline: Pipeline
) -> None:
    run = deployment.deploy("--extra-vars", SHORT)
    assert run.returncode == 0, run.output
    old: dict[str, Any] = deployment.secrets
    assert all(len(days_left(elastic)[name_of(each)]) == 1 for each in KEYS), days_left(elastic)
    assert all(days_left(elastic)[name_of(each)][0] < 5.01 for each in KEYS), days_left(elastic)

    before = services(starts(host))
    run = deployment.deploy()
    assert run.returncode == 0, run.output
    began = services(starts(host)) - before
    assert began["login-consumer.service"] == 1, run.output
    assert not began.keys() & {"kafka.service", "elasticsearch.service", "login-producer.service"}, run.output
    for each in KEYS:
        (days,) = days_left(elastic)[name_of(each)]
        assert 396 < days <= 397, each
        with pytest.raises(AuthenticationException):
            elasticsearch_client(deployment, tunnel, api_key=old[each]).security.authenticate()
        elasticsearch_client(deployment, tunnel, api_key=deployment.secrets[each]).security.authenticate()
    assert "replaced" not in deployment.secrets
    second = deployment.deploy()
    assert (second.returncode, second.changed) == (0, 0), second.output
    pipeline.ledger.wait_for_flow()
    assert pipeline.audit()["balanced"]
