# SPDX-License-Identifier: Apache-2.0
"""What people do to a running pipeline: signals, files as root, templates and topic settings of their own.

Each does it, awaits what is right, and does what a person has to do, if the pipeline asks for it.
"""

from __future__ import annotations

from contextlib import closing

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from pipeline import UNITS, Pipeline
from scene import Scene
from waiting import wait_until

# A JVM answers SIGQUIT with the stacks of its threads, and goes on.
GO_ON = {("QUIT", "kafka"), ("QUIT", "elasticsearch")}
# Of the promise's settings, none of which deletes a record within a test
TOPIC = {"cleanup.policy": "compact", "max.message.bytes": "100", "retention.ms": "86400000"}
THEIRS = "login-test-theirs"
DEVIATES = 3


def all_hung_up(scene: Scene) -> None:
    """As by a hook of logrotate."""
    _one_by_one(scene, "HUP")


def all_interrupted(scene: Scene) -> None:
    _one_by_one(scene, "INT")


def all_ended(scene: Scene) -> None:
    """Not by systemd, so that it is an end in order which nobody has asked for."""
    _one_by_one(scene, "TERM")


def _one_by_one(scene: Scene, signal: str) -> None:
    """Signal each service while the others run: a producer that ends while Kafka is away gives up what it holds."""
    pipeline = scene.pipeline
    pipeline.systemctl("start", *UNITS)
    pipeline.start_consumer()
    for unit in UNITS:
        pipeline.ledger.wait_for_flow()
        send_signal(pipeline, signal, unit)


def send_signal(pipeline: Pipeline, signal: str, *units: str) -> None:
    """Send a signal to the main process of each unit; return when all are back by themselves."""
    before = {unit: main_process(pipeline, unit) for unit in units}
    for process in before.values():
        pipeline.host.check_output("kill -s %s %s", signal, process)
    for unit, process in before.items():
        if (signal, unit) not in GO_ON:
            wait_until(
                lambda u=unit, p=process: main_process(pipeline, u) not in ("0", p), f"{unit} is started again", 240
            )
        wait_until(lambda u=unit: pipeline.property(u, "ActiveState") == "active", f"{unit} is active", 240)


def main_process(pipeline: Pipeline, unit: str) -> str:
    """Return the id of a unit's main process, 0 if there is none."""
    return pipeline.property(unit, "MainPID")


def kafka_files_of_root(scene: Scene) -> None:
    _given_to_root(scene, "kafka", scene.pipeline.deployment.kafka_data_dir, "kafka")


def elasticsearch_files_of_root(scene: Scene) -> None:
    _given_to_root(scene, "elasticsearch", f"{scene.pipeline.deployment.elasticsearch_data_dir}/data", "elasticsearch")


def consumer_files_of_root(scene: Scene) -> None:
    _given_to_root(scene, "login-consumer", "/var/lib/login-consumer", "spark_consumer")


def producer_files_of_root(scene: Scene) -> None:
    _given_to_root(scene, "login-producer", "/var/lib/login-producer", "producer")


def _given_to_root(scene: Scene, unit: str, folder: str, tag: str) -> None:
    """As by a copy that root has put back: the service cannot go on, and a run of the playbook gives it its files."""
    pipeline, host = scene.pipeline, scene.pipeline.host
    scene.elastic()
    pipeline.ledger.wait_for_flow()
    pipeline.systemctl("stop", unit)
    host.check_output(f"find {folder} -mindepth 1 -exec chown -h root: {{}} +")
    host.run(f"systemctl start {unit}")  # may fail at once, or start again and again
    run = pipeline.deployment.deploy("--tags", tag)
    assert run.returncode == 0, run.output
    assert host.run(f"find {folder} -mindepth 1 -user root -print -quit 2>/dev/null").stdout == ""
    wait_until(lambda: pipeline.property(unit, "ActiveState") == "active", f"{unit} is active", 120)


def template_wins(scene: Scene) -> None:
    """A user's own index template has a higher priority: it is named before an index is made by it, with its cure."""
    pipeline = scene.pipeline
    elastic = scene.elastic()
    pipeline.start_consumer()
    # what is on its way may need an index of a month that has none yet
    with scene.traffic.paused():
        pipeline.ledger.wait_for(pipeline.ledger.ends())
        pattern = scene.random.choice(("login-*", "login-events-*"))
        elastic.indices.put_index_template(name=THEIRS, index_patterns=[pattern], priority=500, template={})
        try:
            code, told = _promise(pipeline)
            assert (code, f"index template {THEIRS} wins for login-events-" in told) == (DEVIATES, True), told
            scene.away()
        finally:
            elastic.indices.delete_index_template(name=THEIRS)
    assert THEIRS not in _promise(pipeline)[1]


def topic_settings_changed(scene: Scene) -> None:
    """Somebody changes the topic: senders keep what it refuses and say so, and a run of the playbook puts it back."""
    pipeline, deployment = scene.pipeline, scene.pipeline.deployment
    scene.elastic()
    pipeline.start_consumer()
    pipeline.systemctl("start", "login-producer")
    pipeline.ledger.wait_for_flow()
    with scene.traffic.paused():
        since = pipeline.clock()
        with closing(KafkaAdminClient(**scene.kafka("admin"))) as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, deployment.topic, configs=TOPIC)])
        try:
            pipeline.wait_for_log("login-producer", since, "Kafka refuses events since", "run site.yml", seconds=120)
            code, told = _promise(pipeline)
            scene.away()
        finally:
            run = deployment.deploy("--tags", "kafka")
        assert run.returncode == 0, run.output
        assert code == DEVIATES
        assert all(f"{name} is {value}, wanted is" in told for name, value in TOPIC.items()), told
    found = _promise(pipeline)[1]
    assert not any(f"{name} is " in found for name in TOPIC), found


def _promise(pipeline: Pipeline) -> tuple[int, str]:
    """Return the exit code of 'login-consumer promise', and what it says."""
    told = pipeline.host.run("login-consumer promise")
    return told.rc, told.stderr
