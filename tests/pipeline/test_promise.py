# SPDX-License-Identifier: Apache-2.0
"""What somebody changes in Kafka or Elasticsearch is named by a command, and a run puts back what it can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from deployment import Deployment
from elasticsearch import Elasticsearch
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from pipeline import Pipeline

CHANGED = {"cleanup.policy": "compact", "max.message.bytes": "120000", "retention.bytes": "1000000000"}
DEVIATES = 3


def promise(pipeline: Pipeline) -> tuple[int, str]:
    """Return the exit code of 'login-consumer promise', and what it says."""
    told = pipeline.host.run("login-consumer promise")
    return told.rc, told.stderr


def test_a_fresh_deployment_has_no_deviations(pipeline: Pipeline) -> None:
    assert promise(pipeline) == (0, "")


@contextmanager
def template(elastic: Elasticsearch, pattern: str) -> Iterator[None]:
    elastic.indices.put_index_template(name="login-test-theirs", index_patterns=[pattern], priority=500, template={})
    try:
        yield
    finally:
        elastic.indices.delete_index_template(name="login-test-theirs")


@pytest.mark.parametrize("pattern", ["login-*", "login-events-*"])
def test_a_template_that_wins_over_ours_is_named(pattern: str, elastic: Elasticsearch, pipeline: Pipeline) -> None:
    with template(elastic, pattern):
        code, told = promise(pipeline)
        assert (code, "index template login-test-theirs wins for login-events-" in told) == (DEVIATES, True), told
        assert "delete it" in told
    assert promise(pipeline) == (0, "")


def test_a_pipeline_of_an_index_is_named(elastic: Elasticsearch, pipeline: Pipeline) -> None:
    index = min(elastic.indices.get(index="login-dead-letters-*").body)
    elastic.indices.put_settings(index=index, settings={"index.default_pipeline": "login-test-gone"})
    try:
        code, told = promise(pipeline)
    finally:
        elastic.indices.put_settings(index=index, settings={"index.default_pipeline": None})
    assert (code, f"index {index}: default_pipeline is login-test-gone" in told) == (DEVIATES, True), told


def test_a_changed_topic_is_named_and_put_back_by_a_run(
    kafka: Callable[[str], dict[str, Any]], deployment: Deployment, pipeline: Pipeline
) -> None:
    with pipeline.still():  # the topic would refuse what senders send meanwhile, and they would count it as lost
        with closing(KafkaAdminClient(**kafka("admin"))) as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, deployment.topic, configs=CHANGED)])
        code, told = promise(pipeline)
        run = deployment.deploy("--tags", "kafka")  # in any case: the topic is not left so
    assert run.returncode == 0, run.output
    assert code == DEVIATES
    assert all(f"{name} is {value}, wanted is" in told for name, value in CHANGED.items()), told
    assert promise(pipeline) == (0, "")


def test_searches_of_people_are_bounded(elastic: Elasticsearch) -> None:
    told = elastic.cluster.get_settings(include_defaults=True, flat_settings=True)
    limits = [told[part].get("search.default_search_timeout") for part in ("persistent", "transient", "defaults")]
    assert "60s" in limits, limits
