# SPDX-License-Identifier: Apache-2.0
"""The restore drill: records flow, a backup is made meanwhile, more come; then all that it is made for is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment
from elasticsearch import Elasticsearch
from kafka import KafkaAdminClient, TopicPartition
from pipeline import CHECKPOINT, SENDERS, UNITS, Pipeline
from playbook import ROOT, Run, run_playbook
from traffic import Traffic

ELASTICSEARCH_DATA = "/var/lib/elasticsearch/data"
# As Kibana names its own; this build of Elasticsearch does not know Kibana as a feature
KIBANA_INDEX = ".kibana_drill_001"
PASSPHRASE = "a passphrase with 'quotes' and $signs"


@pytest.fixture(scope="module", autouse=True)
def made_here(deployment: Deployment) -> None:
    if not deployment.backup_dir:
        pytest.skip("this deployment makes no backups: set pipeline_backup_dir")


def restore(deployment: Deployment, *options: str) -> Run:
    return run_playbook(ROOT / "playbooks/restore.yml", deployment.inventory, *options)


def backup(deployment: Deployment, *options: str) -> Run:
    return run_playbook(ROOT / "playbooks/backup.yml", deployment.inventory, *options)


def stored(elastic: Elasticsearch) -> int:
    return int(elastic.count(index="login-events-*")["count"])


def test_nothing_is_touched_without_a_word(deployment: Deployment, pipeline: Pipeline, elastic: Elasticsearch) -> None:
    process, events = pipeline.property("login-consumer", "MainPID"), stored(elastic)
    run = restore(deployment)
    assert run.returncode != 0 and run.changed == 0, run.output
    assert "Nothing was touched" in run.text and "add -e confirm=yes" in run.text, run.output
    assert pipeline.property("login-consumer", "MainPID") == process and stored(elastic) >= events


def test_a_consumer_that_runs_keeps_a_restore_away(pipeline: Pipeline, elastic: Elasticsearch) -> None:
    events = stored(elastic)
    told = pipeline.host.run("login-consumer restore newest")
    assert told.rc == 4 and "another consumer" in told.stderr, told.stderr
    assert stored(elastic) >= events


def test_what_kafka_has_lost_since_is_told_before_anything_is_deleted(
    deployment: Deployment, pipeline: Pipeline, elastic: Elasticsearch, kafka: Callable[[str], dict[str, Any]]
) -> None:
    pipeline.host.check_output("login-consumer backup")
    pipeline.ledger.wait_for_flow()
    with pipeline.still() as before, closing(KafkaAdminClient(**kafka("admin"))) as admin:
        pipeline.systemctl("stop", "login-consumer")
        # read and stored, but not in the backup
        ends = pipeline.ledger.ends()
        admin.delete_records({TopicPartition(deployment.topic, partition): end for partition, end in ends.items()})
        told = pipeline.host.run("login-consumer restore newest")
        assert told.rc == 3, told.stdout + told.stderr
        assert "nothing was changed" in told.stderr and "were deleted from Kafka" in told.stderr, told.stderr
        assert "spark_consumer_allow_data_loss" in told.stderr, told.stderr
        assert stored(elastic) == before.stored
    assert pipeline.audit()["balanced"]


# The largest file of data in the repository, with four bytes in its middle changed, and how to change them back
DAMAGE = """
import json
from pathlib import Path
file = max(Path("{folder}").glob("indices/*/*/__*"), key=lambda each: each.stat().st_size)
with file.open("r+b") as data:
    data.seek(file.stat().st_size // 2)
    kept = data.read(4)
    data.seek(-4, 1)
    data.write(bytes(each ^ 255 for each in kept))
print(json.dumps(str(file)))
"""


@pytest.mark.usefixtures("long", "all_runs_afterwards")
def test_a_damaged_backup_changes_nothing(deployment: Deployment, pipeline: Pipeline, elastic: Elasticsearch) -> None:
    pipeline.host.check_output("login-consumer backup")
    with pipeline.still() as before:
        uuids = {each["index"]: each["uuid"] for each in elastic.cat.indices(index="login-*", format="json")}
        # XOR: the second time brings the bytes back
        damage = DAMAGE.format(folder=deployment.backup_dir)
        deployment.python(damage)
        try:
            verifying = pipeline.host.run("systemctl start login-backup-verify")
            verified = json.loads(pipeline.host.check_output("login-consumer backups --json"))["verified"]
            run = restore(deployment, "-e", "confirm=yes")
        finally:
            deployment.python(damage)
        assert verifying.rc != 0 and len(verified["damaged"]) == 1, verified
        assert run.returncode != 0 and "nothing was changed: 1 of " in run.text, run.output
        assert "cannot be read. login-" in run.text and "share the damaged files" in run.text, run.output
        after = {each["index"]: each["uuid"] for each in elastic.cat.indices(index="login-*", format="json")}
        assert after == uuids and stored(elastic) == before.stored
    pipeline.systemctl("start", "login-consumer")
    assert pipeline.audit()["balanced"]
    pipeline.systemctl("start", "login-backup-verify")  # the damage is gone, and so is the word on it


@pytest.mark.usefixtures("long", "all_runs_afterwards")
def test_a_red_index_is_named_and_no_obstacle_to_a_restore(
    deployment: Deployment, pipeline: Pipeline, elastic: Elasticsearch
) -> None:
    pipeline.host.check_output("login-consumer backup")
    foreign, allocation = "drill-red", {"index.routing.allocation.require._name": "nowhere"}
    (lost, *_) = sorted(elastic.indices.get(index="login-events-*").body)
    with pipeline.still() as before:
        # a primary that no node may hold
        options = {"settings": allocation, "wait_for_active_shards": 0}
        elastic.indices.create(index=foreign, **options)
        try:
            run = run_playbook(ROOT / "site.yml", deployment.inventory, "--tags", "elasticsearch")
        finally:
            elastic.indices.delete(index=foreign)
        assert run.returncode != 0 and f"no shard of them is being started: {foreign}. " in run.text, run.output
        elastic.indices.delete(index=lost)
        elastic.indices.create(index=lost, **options)
        assert elastic.cluster.health(index=lost)["status"] == "red"
        run = restore(deployment, "-e", "confirm=yes")
        assert run.returncode == 0, run.output
        assert elastic.cluster.health(index=lost)["status"] != "red" and stored(elastic) >= before.stored
    assert pipeline.audit()["balanced"]


def unpack(archive: Path, passphrase: Path, folder: Path) -> None:
    """As docs/backup.md has it."""
    command = f"ansible-vault decrypt --vault-password-file {passphrase} --output - {archive} | tar -xzf - -C {folder}"
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_secrets_are_never_written_in_plain(deployment: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "usb"
    folder.mkdir()
    run = backup(deployment, "-e", f"backup_archive_dir={folder}")
    assert run.returncode != 0 and "no vault password was given" in run.text, run.output
    assert list(folder.iterdir()) == []


@pytest.fixture
def all_runs_afterwards(pipeline: Pipeline) -> Iterator[None]:
    yield
    pipeline.systemctl("start", *UNITS)


@pytest.mark.usefixtures("long", "all_runs_afterwards")
def test_the_drill(
    deployment: Deployment,
    pipeline: Pipeline,
    elastic: Elasticsearch,
    traffic: Traffic,
    tmp_path: Path,
) -> None:
    folder, passphrase = tmp_path / "usb", tmp_path / "passphrase"
    folder.mkdir()
    passphrase.write_text(PASSPHRASE)
    traffic.start()
    pipeline.ledger.wait_for_flow()
    elastic.index(index=KIBANA_INDEX, id="1", document={"title": "mine"}, refresh=True)
    run = backup(deployment, "-e", f"backup_archive_dir={folder}", "--vault-password-file", str(passphrase))
    assert run.returncode == 0, run.output
    assert "backup name=login-" in run.text and "state=SUCCESS" in run.text, run.output
    # while batches go on, so that the accounts in the snapshot are ahead of its events
    pipeline.host.check_output("LOGIN_BACKUP_KIBANA=true login-consumer backup")
    pipeline.ledger.wait_for_flow()
    traffic.stop()
    before, _ = pipeline.stand_still()
    expected = traffic.stored(elastic)
    assert expected.ids == Counter(traffic.events.keys()) and before.fault() == ""

    # On the host the data of Elasticsearch, its users and API keys among them, and the consumer's position ...
    pipeline.systemctl("stop", "login-consumer", "elasticsearch")
    pipeline.host.check_output(f"find {ELASTICSEARCH_DATA} -mindepth 1 -delete && rm -rf {CHECKPOINT}")
    # ... and the secrets and the CA of this machine.
    state, secrets = deployment.secrets_file.parent, deployment.secrets
    ca_key = (deployment.ca_dir / "ca.key").read_bytes()
    shutil.move(deployment.secrets_file, tmp_path)
    shutil.move(deployment.ca_dir, tmp_path)

    (archive,) = folder.iterdir()
    assert archive.stat().st_mode & 0o777 == 0o600
    assert archive.read_text().startswith("$ANSIBLE_VAULT;")
    unpack(archive, passphrase, state)
    assert deployment.secrets == secrets and (deployment.ca_dir / "ca.key").read_bytes() == ca_key
    assert "cluster.id=" in (state / f"{deployment.name}.meta.properties").read_text()
    assert deployment.topic in json.loads((state / "kafka.json").read_text())["topics"]

    run = restore(deployment, "-e", "confirm=yes", "-e", "restore_kibana=yes")
    assert run.returncode == 0, run.output
    assert "records that came after it from Kafka again" in run.text, run.output
    assert [name for name, secret in deployment.secrets.items() if secret in run.output] == []

    assert elastic.get(index=KIBANA_INDEX, id="1")["_source"] == {"title": "mine"}
    elastic.indices.delete(index=KIBANA_INDEX)
    after, _ = pipeline.stand_still()
    assert after.fault() == "" and after.stored >= before.stored
    assert traffic.stored(elastic) == expected
    found = pipeline.audit()
    assert found["balanced"] and found["not_read_yet"] == 0, found

    pipeline.systemctl("start", *SENDERS)
    again = deployment.deploy()
    assert (again.returncode, again.changed) == (0, 0), again.output
    pipeline.host.check_output("login-consumer backup")
