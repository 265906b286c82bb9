# SPDX-License-Identifier: Apache-2.0
"""Secrets are rotated while events flow: none is lost, the old ones are refused, and nothing is reset by stealth.

The rotation is killed when Kafka has the new passwords and its clients have none; then Kafka is restarted, so that all
of them are refused; then it is run again, with odd passwords of the user's own in the place of some.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from account import Account, Ledger
from deployment import Deployment, Tunnel, elasticsearch_client, kafka_options
from elasticsearch import AuthenticationException, Elasticsearch
from hunt import hunt
from kafka import KafkaAdminClient, errors
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion
from pipeline import SENDERS, Pipeline
from playbook import ROOT, Run, interrupt_playbook, run_playbook
from testinfra.host import Host
from waiting import wait_until

ROTATION = ROOT / "playbooks/rotate_secrets.yml"
ODD = 'it\'s "odd" \\ $HOME ${x} `id` #1 %d {{ y }} äß€😀 : -'
BY_HAND = "changed by hand"
PASSWORD_FILE = "/etc/login-producer/kafka_password"
USERS = ("admin", "consumer", "replay", "producer")
KEYS = (
    "consumer_api_key",
    "replay_api_key",
    "retention_api_key",
    "report_api_key",
    "backup_api_key",
    "backup_verify_api_key",
)
READERS = {"analyst": "analyst_password", "dashboard-admin": "dashboard_admin_password"}


@dataclass
class Rotation:
    """What the runs have printed, and what there was before and after them."""

    old: dict[str, Any] = field(default_factory=dict)
    half: dict[str, Any] = field(default_factory=dict)
    """The secrets while a killed run had changed some."""
    new: dict[str, Any] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    second: Run | None = None
    """Of site.yml, when all was done."""
    before: Account | None = None
    after: Account | None = None
    sent: int = 0


def pipeline_of(deployment: Deployment, host: Host, tunnel: Tunnel) -> Pipeline:
    """Return the pipeline with clients that have the passwords of now."""
    login = ("elastic", deployment.secrets["elastic_password"])
    elastic = elasticsearch_client(deployment, tunnel, basic_auth=login)
    ledger = Ledger(elastic, deployment.topic, kafka_options(deployment, tunnel, "consumer"))
    return Pipeline(deployment, host, elastic, ledger)


@pytest.fixture(scope="module")
def given(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of variables with passwords of the user's own."""
    names = ("elastic", "analyst", "kafka_consumer", "kafka_producer", f"kafka_source-{deployment.name}")
    lines = [f"  {name}_password: !unsafe {json.dumps(f'{ODD}{name} ', ensure_ascii=False)}" for name in names]
    file = tmp_path_factory.mktemp("given") / "given.yml"
    file.write_text("\n".join(["pipeline_given_secrets:", *lines]))
    return file


@pytest.fixture(scope="module")
def rotation(
    long: None,
    deployment: Deployment,
    host: Host,
    tunnel: Tunnel,
    pipeline: Pipeline,
    given: Path,
) -> Rotation:
    told = Rotation(old=deployment.secrets)
    told.before, acked = pipeline.stand_still()
    pipeline.systemctl("start", *SENDERS)
    pipeline.ledger.wait_for_flow()

    # The first of Kafka's clients that the playbook comes to
    task = "producer : Make the producer's settings folder"
    interrupted = interrupt_playbook(task, ROTATION, deployment.inventory, "-vv", "-e", "rotate=all")
    told.half, since = deployment.secrets, pipeline.clock()
    pipeline.systemctl("restart", "kafka")
    pipeline.wait_for_log("login-producer", since, "Kafka unreachable", seconds=180)
    pipeline.wait_for_log("login-consumer", since, "waiting for Kafka", "did not accept the login", seconds=180)

    options = ("-vv", "--diff", "-e", f"@{given}")
    again = run_playbook(ROTATION, deployment.inventory, *options, "-e", "rotate=all")
    assert again.returncode == 0, again.output
    told.new = deployment.secrets
    renewed = pipeline_of(deployment, host, tunnel)
    renewed.ledger.wait_for_flow()
    told.after, after_acked = renewed.stand_still()
    renewed.systemctl("start", *SENDERS)
    told.sent = after_acked - acked

    told.second = deployment.deploy(*options)
    told.outputs = [interrupted, again.output, told.second.output]
    return told


def test_without_a_name_it_tells_which_there_are_and_changes_nothing(deployment: Deployment) -> None:
    before = deployment.secrets
    for options, told in (([], "Add -e rotate=NAME"), (["-e", "rotate=elastic"], "elastic cannot be rotated.")):
        run = run_playbook(ROTATION, deployment.inventory, *options)
        assert run.returncode != 0 and run.changed == 0
        assert f"Nothing was changed. {told}" in run.text
        assert "elastic_password, kafka_admin_password" in run.text and "kibana_security_key" not in run.text
    assert deployment.secrets == before


def set_in_kafka(deployment: Deployment, tunnel: Tunnel, user: str, password: str) -> None:
    """Change a password behind the back of whoever uses it."""
    with_password = UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password)
    admin = KafkaAdminClient(**kafka_options(deployment, tunnel, "admin"))
    assert not any(admin.alter_user_scram_credentials([with_password]).values())
    admin.close()


@pytest.mark.usefixtures("long")
def test_a_refused_producer_goes_on_with_the_password_that_its_file_has_by_then(
    deployment: Deployment, pipeline: Pipeline, tunnel: Tunnel, host: Host
) -> None:
    stored = deployment.secrets["kafka_producer_password"]
    before, acked = pipeline.stand_still()

    def refused(password: str) -> float:
        pipeline.ledger.wait_for_flow()
        set_in_kafka(deployment, tunnel, "producer", password)
        since = pipeline.clock()
        pipeline.systemctl("restart", "kafka")
        wait_until(pipeline.ledger.ends, "Kafka answers", 120, ignoring=(errors.KafkaError,))
        pipeline.wait_for_log("login-producer", since, "Kafka unreachable")
        return since

    host.check_output("cp -p %s %s.kept", PASSWORD_FILE, PASSWORD_FILE)
    try:
        pipeline.systemctl("start", *SENDERS)
        process = pipeline.property("login-producer", "MainPID")
        since = refused(BY_HAND)
        host.check_output("printf %s > %s", BY_HAND, PASSWORD_FILE)
        pipeline.wait_for_log("login-producer", since, "Kafka can be reached again")
        assert pipeline.property("login-producer", "MainPID") == process
        # at its stop as well
        refused(stored)
    finally:
        set_in_kafka(deployment, tunnel, "producer", stored)
        host.check_output("mv %s.kept %s", PASSWORD_FILE, PASSWORD_FILE)
        after, after_acked = pipeline.stand_still()
        pipeline.systemctl("start", *SENDERS)
    assert after.since(before) == after_acked - acked > 0
    assert after.fault() == ""


def test_no_event_is_lost_or_counted_twice(rotation: Rotation) -> None:
    assert rotation.before and rotation.after
    assert rotation.sent > 0
    assert rotation.after.since(rotation.before) == rotation.sent
    assert [rotation.before.fault(), rotation.after.fault()] == ["", ""]


def test_the_old_values_are_kept_until_all_is_done(rotation: Rotation, deployment: Deployment) -> None:
    replaced = {name: [rotation.old[name]] for name in rotation.half["replaced"]}
    assert rotation.half["replaced"] == replaced
    assert {"elastic_password", "kafka_admin_password", *KEYS, *READERS.values()} <= set(replaced)
    assert not set(KEYS) & set(rotation.half)  # Elasticsearch had not issued them yet
    assert "replaced" not in rotation.new
    kept = {name for name in rotation.old if rotation.new.get(name) == rotation.old[name]}
    assert {name for name in kept if not name.startswith("kibana_")} <= {"pseudonym_key", "spark_secret"}
    assert f"kafka_source-{deployment.name}_password" not in kept


def test_a_run_afterwards_changes_nothing(rotation: Rotation) -> None:
    assert rotation.second
    assert (rotation.second.returncode, rotation.second.changed) == (0, 0), rotation.second.output


def test_no_secret_shows(rotation: Rotation, deployment: Deployment) -> None:
    shown = [
        name
        for secrets in (rotation.old, rotation.half, rotation.new)
        for name, value in secrets.items()
        if name != "replaced" and any(value in output for output in rotation.outputs)
    ]
    assert shown == []
    assert hunt(deployment, ["journal", "/var/log", "/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ", "/tmp"]) == []  # noqa: S108


@pytest.fixture
def old_and_half(rotation: Rotation) -> list[dict[str, Any]]:
    return [rotation.old, rotation.half]


def test_elasticsearch_takes_the_new_ones_only(
    rotation: Rotation, old_and_half: list[dict[str, Any]], deployment: Deployment, tunnel: Tunnel
) -> None:
    logins: list[tuple[str, Callable[[Any], dict[str, Any]]]] = [
        ("elastic_password", lambda secret: {"basic_auth": ("elastic", secret)}),
        *((name, lambda secret, user=user: {"basic_auth": (user, secret)}) for user, name in READERS.items()),
        *((name, lambda secret: {"api_key": secret}) for name in KEYS),
    ]
    for name, login in logins:
        elasticsearch_client(deployment, tunnel, **login(rotation.new[name])).security.authenticate()
        for secrets in old_and_half:
            if secrets.get(name, rotation.new[name]) == rotation.new[name]:
                continue  # not issued yet, or drawn by the first run and still in use
            with pytest.raises(AuthenticationException):
                elasticsearch_client(deployment, tunnel, **login(secrets[name])).security.authenticate()


def test_kafka_takes_the_new_ones_only(rotation: Rotation, deployment: Deployment, tunnel: Tunnel) -> None:
    for user in (*USERS, f"source-{deployment.name}"):
        options = kafka_options(deployment, tunnel, user)
        KafkaAdminClient(**options).close()
        refused = options | {
            "sasl_plain_password": rotation.old[f"kafka_{user}_password"],
            "bootstrap_timeout_ms": 3000,
        }
        with pytest.raises(errors.KafkaError):
            KafkaAdminClient(**refused)


@contextmanager
def refused_at_once(deployment: Deployment, *told: str) -> Iterator[None]:
    """Whatever is done inside, the preflight tells of it in a moment and changes nothing."""
    yield
    before, began = deployment.secrets, time.monotonic()
    run = deployment.deploy("--tags", "preflight")
    assert (run.returncode != 0, run.changed) == (True, 0), run.output
    assert all(each in run.text for each in told), run.text
    # not after the wait for a service that starts (elasticsearch_ready_timeout, 600 s)
    assert time.monotonic() - began < 300
    assert deployment.secrets == before


@pytest.mark.usefixtures("rotation")
def test_passwords_changed_by_hand_are_told_and_not_reset(deployment: Deployment, tunnel: Tunnel) -> None:
    secrets = deployment.secrets

    def as_elastic(password: str) -> Elasticsearch:
        return elasticsearch_client(deployment, tunnel, basic_auth=("elastic", password))

    try:
        with refused_at_once(deployment, "Kafka rejects the stored password of replay", "No password was changed"):
            set_in_kafka(deployment, tunnel, "replay", BY_HAND)
    finally:
        set_in_kafka(deployment, tunnel, "replay", secrets["kafka_replay_password"])
    as_elastic(secrets["elastic_password"]).security.change_password(username="elastic", password=BY_HAND)
    try:
        with refused_at_once(
            deployment, "rejects the stored password of its user elastic (401)", "Nothing was changed"
        ):
            wait_until(lambda: as_elastic(BY_HAND).ping(), "the password by hand works", 10)
    finally:
        as_elastic(BY_HAND).security.change_password(username="elastic", password=secrets["elastic_password"])
