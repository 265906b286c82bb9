# SPDX-License-Identifier: Apache-2.0
"""The real Elasticsearch answers as the table says that holds the fake one of the random histories."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from deployment import Deployment, Tunnel
from elasticsearch import Elasticsearch
from exactness.calls import MAPPINGS, Calls, Row
from exactness.conformance import TABLE
from login_common.elastic import Client, connect
from login_common.settings import ElasticsearchSettings


@pytest.fixture(scope="module")
def client(deployment: Deployment, tunnel: Tunnel, elastic: Elasticsearch) -> Iterator[Client]:
    """Give the consumer's own client, with a key that may do what the table needs."""
    privileges = {"cluster": ["monitor"], "indices": [{"names": ["conformance-*"], "privileges": ["all"]}]}
    key = elastic.security.create_api_key(name="conformance", role_descriptors={"all": privileges}, expiration="1h")
    url = f"https://localhost:{tunnel[deployment.elasticsearch_port]}"
    settings = {"hosts": [url], "ca_file": deployment.ca_file, "api_key": key["encoded"]}
    try:
        with connect(ElasticsearchSettings.model_validate(settings)) as made:
            yield made
    finally:
        elastic.security.invalidate_api_key(ids=[key["id"]])


@pytest.fixture
def calls(client: Client, elastic: Elasticsearch) -> Iterator[Calls]:
    """Give indices of its own to each row, which are refreshed by nobody else."""
    prefix = f"conformance-{uuid.uuid4().hex[:12]}-"
    settings = {"index.refresh_interval": "-1", "index.number_of_replicas": 0}
    template = {"settings": settings, "mappings": MAPPINGS}
    elastic.indices.put_index_template(name=prefix, index_patterns=[f"{prefix}*"], priority=900, template=template)
    try:
        yield Calls(client, prefix)
    finally:
        made = list(elastic.indices.get(index=f"{prefix}*", allow_no_indices=True).body)
        elastic.indices.delete(index=[*made, f"{prefix}none"], ignore_unavailable=True)
        elastic.indices.delete_index_template(name=prefix)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.title)
def test_elasticsearch_answers_as_the_table_says(row: Row, calls: Calls) -> None:
    assert row.calls(calls) == row.answer
