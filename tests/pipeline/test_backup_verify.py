# SPDX-License-Identifier: Apache-2.0
"""The newest backup is read whole each month: by its unit, with its own key, beside a consumer that runs."""

import json
from typing import Any

import pytest
from deployment import Deployment, Tunnel, elasticsearch_client
from elasticsearch import AuthorizationException, Elasticsearch
from pipeline import Pipeline
from testinfra.host import Host

UNIT = "login-backup-verify"
REPOSITORY = "login-backup"


@pytest.fixture(scope="module", autouse=True)
def backed_up(deployment: Deployment, host: Host) -> None:
    if not deployment.backup_dir:
        pytest.skip("this deployment makes no backups: set pipeline_backup_dir")
    host.check_output("login-consumer backup")


def verified(host: Host) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(host.check_output("login-consumer backups --json"))["verified"]
    return told


def test_the_newest_backup_is_read_whole(pipeline: Pipeline, host: Host, elastic: Elasticsearch) -> None:
    pipeline.systemctl("start", UNIT)
    assert pipeline.property(UNIT, "Result") == "success"
    told = verified(host)
    newest = json.loads(host.check_output("login-consumer backups --json"))["last_good"]["name"]
    assert told["snapshot"] == newest and told["damaged"] == {} and told["indices"] >= 4 and told["bytes"] > 0
    assert not elastic.indices.get(index="login-restore-*", expand_wildcards="all").body, "copies are removed"
    assert "login_backup_damaged_indices 0" in host.file(f"/run/{UNIT}/metrics.prom").content_string
    assert pipeline.audit()["balanced"]


def test_its_timer_waits_for_the_first_of_the_month(host: Host) -> None:
    told = host.check_output(f"systemctl show --property=ActiveState,UnitFileState {UNIT}.timer")
    assert set(told.splitlines()) == {"ActiveState=active", "UnitFileState=enabled"}


@pytest.fixture(scope="module")
def as_verifier(deployment: Deployment, tunnel: Tunnel) -> Elasticsearch:
    return elasticsearch_client(deployment, tunnel, api_key=deployment.secrets["backup_verify_api_key"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/login-events-1970.01/_search", None),
        ("GET", "/login-pipeline-1970.01/_search", None),
        ("DELETE", "/login-events-1970.01", None),
        ("PUT", "/login-restore-x", None),
        ("POST", "/login-events-1970.01/_close", None),
        ("DELETE", f"/_snapshot/{REPOSITORY}/none", None),
        ("PUT", "/_snapshot/more", {"type": "fs", "settings": {"location": "/nowhere"}}),
        ("POST", "/_security/api_key", {"name": "stranger"}),
    ],
)
def test_its_key_does_only_its_job(method: str, path: str, body: Any, as_verifier: Elasticsearch) -> None:
    headers = {"accept": "application/json", "content-type": "application/json"}
    with pytest.raises(AuthorizationException):
        as_verifier.perform_request(method, path, headers=headers, body=body)
