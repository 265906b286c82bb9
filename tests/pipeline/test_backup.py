# SPDX-License-Identifier: Apache-2.0
"""Backups on the host: what is made, what is deleted, what is refused. The restore: test_restore.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from deployment import Deployment, Tunnel, elasticsearch_client
from elasticsearch import AuthorizationException, Elasticsearch
from pipeline import Pipeline
from testinfra.host import Host

REPOSITORY = "login-backup"
FAMILIES = ("login-events", "login-metrics", "login-dead-letters", "login-pipeline")
# As people name their own, and a name of ours that login-consumer has not made
FOREIGN = ("before-upgrade", "login-before-upgrade", "login-20010203t040506z")


@pytest.fixture(scope="module", autouse=True)
def made_here(deployment: Deployment) -> None:
    if not deployment.backup_dir:
        pytest.skip("this deployment makes no backups: set pipeline_backup_dir")


def backups(host: Host) -> dict[str, Any]:
    return dict(json.loads(host.check_output("login-consumer backups --json")))


def names(elastic: Elasticsearch) -> set[str]:
    return {each["snapshot"] for each in elastic.snapshot.get(repository=REPOSITORY, snapshot="*")["snapshots"]}


def test_the_timer_waits_for_its_time(host: Host) -> None:
    told = host.check_output("systemctl show --property=ActiveState,UnitFileState login-backup.timer")
    assert sorted(told.splitlines()) == ["ActiveState=active", "UnitFileState=enabled"]


def test_the_unit_makes_a_good_one(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    before, since = names(elastic), pipeline.clock()
    pipeline.systemctl("start", "login-backup")
    assert pipeline.property("login-backup", "Result") == "success"
    (name,) = names(elastic) - before
    told = elastic.snapshot.get(repository=REPOSITORY, snapshot=name)["snapshots"][0]
    assert told["state"] == "SUCCESS" and not told["include_global_state"] and told["feature_states"] == []
    assert {index.rsplit("-", 1)[0] for index in told["indices"]} == set(FAMILIES)
    # the account that it stands for is there
    ids = [f"{told['metadata']['lineage']}-{told['metadata']['batch']}"]
    hits = elastic.search(index="login-pipeline-*", query={"ids": {"values": ids}})["hits"]["hits"]
    assert [hit["_source"]["sequence"] for hit in hits] == [told["metadata"]["sequence"]]
    line = pipeline.journal("login-backup", since)[-1]
    for part in (f"backup name={name} state=SUCCESS ", f" sequence={told['metadata']['sequence']} ", " new_bytes="):
        assert part in line
    shown = backups(pipeline.host)
    assert shown["last_good"]["name"] == name and shown["age_seconds"] < 600


@pytest.fixture
def kibana_index(elastic: Elasticsearch) -> Iterator[str]:
    """Give an index as Kibana makes them; this build of Elasticsearch does not know Kibana as a feature."""
    index = ".kibana_drill_001"
    elastic.indices.create(index=index, settings={"index.hidden": True}, aliases={".kibana_drill": {"is_hidden": True}})
    yield index
    elastic.indices.delete(index=index)


def test_what_kibana_keeps_is_in_it_if_wanted(host: Host, elastic: Elasticsearch, kibana_index: str) -> None:
    for wanted in ("false", "true"):
        host.check_output(f"LOGIN_BACKUP_KIBANA={wanted} login-consumer backup")
        newest = backups(host)["last_good"]["name"]
        told = elastic.snapshot.get(repository=REPOSITORY, snapshot=newest)["snapshots"][0]
        assert (kibana_index in told["indices"]) == (wanted == "true")


@pytest.fixture
def foreign(elastic: Elasticsearch) -> Iterator[None]:
    options = {"indices": "login-pipeline-*", "wait_for_completion": True}
    for name in FOREIGN:
        elastic.snapshot.create(repository=REPOSITORY, snapshot=name, **options)
    yield
    elastic.snapshot.delete(repository=REPOSITORY, snapshot=",".join(FOREIGN))


# The command with another clock: as if it ran that many days later, with all that it would find there.
LATER = """
import json, time
from pathlib import Path
from login_consumer.backup import backup
from login_consumer.settings import load_backup_settings
settings = load_backup_settings(None).model_copy(update={"keep_days": 30, "keep_least": 2})
made = backup(settings, round((time.time() + 31 * 86400) * 1000), False, lambda line: None, force=FORCE)
print(json.dumps({"name": made.snapshot.name, "deleted": made.deleted, "doubt": made.doubt}))
"""


def later(deployment: Deployment, force: bool) -> dict[str, Any]:
    python = "/opt/login-consumer/current/bin/python"
    return deployment.python(LATER.replace("FORCE", repr(force)), user="login-consumer", python=python)


@pytest.mark.usefixtures("foreign")
def test_old_ones_go_and_foreign_ones_stay(deployment: Deployment, host: Host, elastic: Elasticsearch) -> None:
    for _ in range(2):
        host.check_output("login-consumer backup")
    ours = [each["name"] for each in backups(host)["backups"]]
    assert len(ours) >= 3
    done = later(deployment, force=True)
    try:
        assert done["deleted"] == ours[:-1]
        assert names(elastic) == {*FOREIGN, ours[-1], done["name"]}
    finally:
        elastic.snapshot.delete(repository=REPOSITORY, snapshot=done["name"])


def test_a_clock_that_is_ahead_deletes_no_backup(deployment: Deployment, host: Host, elastic: Elasticsearch) -> None:
    for _ in range(3):
        host.check_output("login-consumer backup")
    before = names(elastic)
    done = later(deployment, force=False)
    elastic.snapshot.delete(repository=REPOSITORY, snapshot=done["name"])
    assert done["deleted"] == [] and "it may be ahead" in done["doubt"]
    assert names(elastic) == before


@pytest.fixture(scope="module")
def as_backup(deployment: Deployment, tunnel: Tunnel) -> Elasticsearch:
    return elasticsearch_client(deployment, tunnel, api_key=deployment.secrets["backup_api_key"])


def test_its_key_reads_the_accounts(as_backup: Elasticsearch) -> None:
    assert as_backup.search(index="login-pipeline-*", size=1)["hits"]["hits"]


# Harmless even where it is allowed: what is written or deleted is not there. {month} is one of which there are indices.
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/login-events-{month}/_search", None),
        ("GET", "/login-metrics-{month}/_search", None),
        ("GET", "/login-dead-letters-{month}/_search", None),
        ("GET", "/.security/_search", None),
        ("DELETE", "/login-events-1970.01", None),
        ("DELETE", "/login-pipeline-1970.01", None),
        ("PUT", "/login-pipeline-1970.01/_doc/1", {"a": 1}),
        ("POST", "/login-pipeline-1970.01/_delete_by_query", {"query": {"match_all": {}}}),
        ("POST", f"/_snapshot/{REPOSITORY}/none/_restore", {"indices": "login-events-1970.01"}),
        ("PUT", "/_snapshot/more", {"type": "fs", "settings": {"location": "/nowhere"}}),
        ("DELETE", "/_snapshot/more", None),
        ("POST", "/_security/api_key", {"name": "stranger"}),
        ("PUT", "/_cluster/settings", {"persistent": {"action.destructive_requires_name": False}}),
    ],
)
def test_its_key_does_only_its_job(
    method: str, path: str, body: Any, as_backup: Elasticsearch, elastic: Elasticsearch
) -> None:
    month = max(elastic.indices.get(index="login-dead-letters-*").body).removeprefix("login-dead-letters-")
    headers = {"accept": "application/json", "content-type": "application/json"}
    with pytest.raises(AuthorizationException):
        as_backup.perform_request(method, path.format(month=month), headers=headers, body=body)


@contextmanager
def moved_away(host: Host, folder: str) -> Iterator[None]:
    """Let the repository's folder be an empty one that Elasticsearch may not write to."""
    host.check_output("mv %s %s.away && install -d -m 0500 %s", folder, folder, folder)
    try:
        yield
    finally:
        host.check_output("rmdir %s && mv %s.away %s", folder, folder, folder)


def fails(host: Host, command: str, *texts: str, code: int = 4) -> None:
    told = host.run(command)
    assert told.rc == code, told.stdout + told.stderr
    assert all(text in told.stderr for text in texts) and "Traceback" not in told.stderr, told.stderr


def test_a_folder_that_is_away_is_told(deployment: Deployment, host: Host, elastic: Elasticsearch) -> None:
    before = names(elastic)
    with moved_away(host, deployment.backup_dir):
        fails(host, "login-consumer backup", f"every node of Elasticsearch can write to the repository {REPOSITORY}")
        # what lists them does not take the empty folder for an empty repository
        where = f"no backup is seen in the repository {REPOSITORY} ({deployment.backup_dir})"
        fails(host, "login-consumer backups", where, "is it mounted?")
    assert names(elastic) == before
    host.check_output("login-consumer backup")


def test_a_repository_that_is_not_there_is_told(host: Host) -> None:
    fails(host, "LOGIN_BACKUP_REPOSITORY=nowhere login-consumer backup", "the repository nowhere is not registered")


@pytest.fixture
def small(deployment: Deployment, pipeline: Pipeline, elastic: Elasticsearch) -> Iterator[str]:
    """Give a repository on a disk that is full but for a few kB; only Elasticsearch sees it."""
    host, folder = pipeline.host, f"{deployment.backup_dir}/small"
    inside = f"nsenter --mount --target {pipeline.property('elasticsearch', 'MainPID')}"
    host.check_output("install -d -o elasticsearch -g elasticsearch %s", folder)
    host.check_output(f"{inside} mount -t tmpfs -o size=256k,uid=$(id -u elasticsearch),mode=0750 small {folder}")
    elastic.snapshot.create_repository(name="small", repository={"type": "fs", "settings": {"location": folder}})
    host.check_output(f"{inside} dd if=/dev/zero of={folder}/fill bs=1k count=216")
    yield "small"
    elastic.snapshot.delete_repository(name="small")
    host.check_output(f"{inside} umount {folder} && rmdir {folder}")


def test_a_full_disk_is_told_and_no_backup(host: Host, small: str) -> None:
    fails(host, f"LOGIN_BACKUP_REPOSITORY={small} login-consumer backup", f"the disk of the repository {small} is full")
    told = json.loads(host.check_output(f"LOGIN_BACKUP_REPOSITORY={small} login-consumer backups --json"))
    assert told["last_good"] is None and told["age_seconds"] is None


def test_what_lost_its_data_is_not_backed_up(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    """An empty Elasticsearch gives no newest good backup."""
    newest = backups(pipeline.host)["last_good"]["name"]
    with pipeline.still():
        pipeline.systemctl("stop", "login-consumer")
        copies = {index: index.replace("login-", "kept-", 1) for index in elastic.indices.get(index="login-pipeline-*")}
        for index, copy in copies.items():
            elastic.reindex(source={"index": index}, dest={"index": copy}, refresh=True)
            elastic.delete_by_query(index=index, query={"match_all": {}}, refresh=True)
        try:
            fails(pipeline.host, "login-consumer backup", f"what the backup {newest} holds", "--anew", code=3)
        finally:
            for index, copy in copies.items():
                elastic.reindex(source={"index": copy}, dest={"index": index}, refresh=True)
                elastic.indices.delete(index=copy)
    assert backups(pipeline.host)["last_good"]["name"] == newest
    pipeline.host.check_output("login-consumer backup")
