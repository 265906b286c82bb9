# SPDX-License-Identifier: Apache-2.0
"""What is told about Elasticsearch's errors."""

from pathlib import Path
from typing import Any

import pytest
from elastic_errors import FULL_DISK, api_error
from elastic_transport import ConnectionError
from elasticsearch import Elasticsearch
from login_common.elastic import Client, cause, connect, error_of, status_cause
from login_common.settings import ElasticsearchSettings, SettingsError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionError("[Errno 111] Connection refused"), "refuses the connection"),
        (ConnectionError("[Errno -2] Name or service not known"), "does not resolve"),
        (api_error(503, "", "shards"), "not ready"),
        (api_error(401), "api_key_file"),
    ],
)
def test_cause_names_fault_and_remedy(error: Exception, text: str) -> None:
    assert text in cause(error)


def test_a_search_that_fails_names_index_and_field() -> None:
    error = api_error(400, "search_phase_execution_exception", "all shards failed")
    deeper = {"type": "illegal_argument_exception", "reason": "Fielddata is disabled on [event.outcome]"}
    error.body["error"]["failed_shards"] = [{"shard": 0, "index": "login-events-2026.04", "reason": deeper}]
    told = cause(error)
    assert "index login-events-2026.04: Fielddata is disabled on [event.outcome]" in told
    assert "all shards failed" not in told


def test_a_red_index_is_named_with_the_next_step() -> None:
    reason = (
        "Search rejected due to missing shards [[login-events-2025.11][0], [login-events-2025.11][1]]. Consider using "
        "`allow_partial_search_results` setting to bypass this error."
    )
    told = cause(api_error(503, "search_phase_execution_exception", reason))
    assert told.startswith("index login-events-2025.11 is red: ")
    assert "restore the index" in told


def test_a_search_takes_whole_answers_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(Elasticsearch, "search", lambda _, **options: asked.append(options))
    Client("https://localhost:1").search(index="login-events-*")
    # -1: the default limit of the nodes would end it with a part
    assert asked == [
        {
            "index": "login-events-*",
            "allow_partial_search_results": False,
            "allow_no_indices": True,
            "timeout": "-1",
        }
    ]


def test_a_search_leaves_out_what_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Elasticsearch, "search", lambda _, **options: asked.append(options["index"]))
    client = Client("https://localhost:1")
    client.search(index="login-events-*")
    client.without = ("login-events-2025.11", "login-metrics-2025.11")
    client.search(index="login-events-*")
    client.search(index=["login-pipeline-*"])
    assert asked == ["login-events-*", ["login-events-*", "-login-events-2025.11"], ["login-pipeline-*"]]


def test_a_search_in_a_point_in_time_names_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Elasticsearch, "search", lambda _, **options: asked.append(options.get("index", "none")))
    client = Client("https://localhost:1")
    client.without = ("login-events-2025.11",)
    client.search(pit={"id": "x"})
    assert asked == ["none"]


def test_a_refresh_does_not_wait_for_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    client = Client("https://localhost:1")
    monkeypatch.setattr(client.indices, "refresh", lambda **options: asked.append(options["index"]))
    client.refresh("login-events-*")
    client.without = ("login-events-2025.11",)
    client.refresh(["login-events-*", "login-metrics-*"])
    assert asked == ["login-events-*", ["login-events-*", "login-metrics-*", "-login-events-2025.11"]]


def test_an_error_without_details_is_told_as_it_is() -> None:
    error = api_error(413)
    error.body = "<html>too large</html>"
    assert error_of(error) == ("", "")
    error.body = {"error": "no handler"}
    assert error_of(error) == ("", "no handler")


def test_a_full_disk_is_not_told_as_too_many_requests() -> None:
    assert "disk" in status_cause(429, "cluster_block_exception", FULL_DISK)
    assert "overloaded" in status_cause(429, "es_rejected_execution_exception", "queue full")


@pytest.mark.parametrize(
    ("content", "text"), [(None, "No such file"), ("-----BEGIN NOTHING-----\n", "it holds no certificate")]
)
def test_a_ca_file_that_cannot_be_used_is_told_before_any_request(
    content: str | None, text: str, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    settings = ElasticsearchSettings(hosts=("https://localhost:1",), ca_file=ca_file, api_key="k")
    with pytest.raises(SettingsError, match=f"ca.pem: the CA file cannot be used: {text}"):
        connect(settings)
