# SPDX-License-Identifier: Apache-2.0
"""Faults in which several things come together: half a batch, a plan that is gone, other settings, a Kafka that forgot.

Each breaks one thing, awaits what is right, and does what a person has to do, if the pipeline asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import log_segment
from faults import newest, newest_index, refused, wait_for_commit
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from pipeline import CHECKPOINT, SENDERS, SETTINGS, Pipeline
from playbook import ROOT, run_playbook
from scene import Scene
from topics import PERMIT, make_anew
from traffic import Record
from waiting import wait_until

MARK = f"{CHECKPOINT}.unfinished"
"""What a rebuild or a restore leaves there until it is done."""
OTHER_SETTINGS = (("format", '"ecs"'), ("max_age_days", "20"))
"""By which records become something else."""
OTHER_WINDOWS = "300"
LEAST_LOST = 20
KILL_HARD = "systemctl kill --signal=KILL {0}; systemctl stop {0}"


def merged_batch_lost(scene: Scene) -> None:
    """A batch is in the windows, and not recorded; a power cut takes its plan away: it comes again, and larger."""
    pipeline = scene.pipeline
    wait_for_commit(scene)
    pipeline.ledger.wait_for_flow()
    since = pipeline.clock()
    with _no_records(scene):
        _killed_at_its_record(scene, since)
        _forget(pipeline, "offsets", pipeline.host.check_output(newest("offsets")))
    since = pipeline.clock()
    pipeline.start_consumer()
    pipeline.wait_for_log("login-consumer", since, "counted ", " windows anew")


def newest_batch_lost(scene: Scene) -> None:
    """The checkpoint is older by just the batch that was recorded last."""
    pipeline = scene.pipeline
    wait_for_commit(scene)
    pipeline.ledger.wait_for_flow()
    pipeline.systemctl("stop", "login-consumer")  # between two batches
    committed, planned = (pipeline.host.check_output(newest(kind)) for kind in ("commits", "offsets"))
    for number in {committed, planned}:
        _forget(pipeline, "offsets", number)
        _forget(pipeline, "commits", number)
    since = pipeline.clock()
    pipeline.start_consumer()
    pipeline.wait_for_log("login-consumer", since, "a fresh checkpoint goes on after batch")


def settings_changed_between_tries(scene: Scene) -> None:
    """All of a batch is written but its record, twice, the second time under settings by which records read otherwise.

    What became of each record first must stand: under the third try, with the settings as they were, all must balance.
    """
    pipeline = scene.pipeline
    name, value = scene.random.choice(OTHER_SETTINGS)
    wait_for_commit(scene)
    pipeline.ledger.wait_for_flow()
    since = pipeline.clock()
    with _no_records(scene):
        _killed_at_its_record(scene, since)
        with pipeline.settings(_line(pipeline, name), f"{name} = {value}"):
            since = pipeline.clock()
            pipeline.systemctl("start", "login-consumer")
            _killed_at_its_record(scene, since)
    pipeline.start_consumer()


def rebuild_killed(scene: Scene) -> None:
    """A rebuild for windows of another length is killed, and the length set back: only another rebuild helps."""
    pipeline = scene.pipeline
    scene.elastic()
    wait_for_commit(scene)
    pipeline.systemctl("stop", "login-consumer")
    old = _line(pipeline, "window_seconds")
    assert old != f"window_seconds = {OTHER_WINDOWS}"
    with pipeline.settings(old, f"window_seconds = {OTHER_WINDOWS}"):
        latest = scene.random.random()
        # one that was too quick is done, and is begun once more
        delays = [latest, latest / 4, latest / 16, 0, 0, 0]
        assert any(_killed_at_the_mark(pipeline, delay) for delay in delays), "each rebuild was done before its kill"
    _refused_until_done(pipeline, "rebuild")
    pipeline.host.check_output("login-consumer rebuild")
    pipeline.start_consumer()


def restore_killed(scene: Scene) -> None:
    """A restore is killed when indices are gone, or some of them are back: only another restore helps."""
    pipeline, inventory = scene.pipeline, scene.pipeline.deployment.inventory
    scene.elastic()
    wait_for_commit(scene)
    pipeline.host.check_output("login-consumer backup")
    pipeline.ledger.wait_for_flow()
    restore = (ROOT / "playbooks/restore.yml", inventory, "-e", "confirm=yes")
    # the brackets keep pkill from finding the shell that it stands in
    kill = f"sleep {scene.random.random() / 2:.2f}; pkill -KILL -f '[l]ogin-consumer restore'; test -e {MARK}"
    with ThreadPoolExecutor(1) as beside:
        marked = f"timeout 900 sh -c 'until test -e {MARK}; do sleep 0.02; done'"
        killed = beside.submit(pipeline.host.run, f"{marked}; {kill}")
        run = run_playbook(*restore)
        assert run.returncode != 0, run.output
        assert killed.result().rc == 0, f"the restore was not killed half done:\n{run.output}"
    _refused_until_done(pipeline, "restore")
    run = run_playbook(*restore)
    assert run.returncode == 0, run.output


def kafka_end_lost_and_refilled(scene: Scene) -> None:
    """Kafka loses the end of a partition in a power cut, and is filled up again before the consumer looks.

    It must refuse, and name what helps: another topic of this name, and the loss permitted. Nobody else sends
    meanwhile: what is in the topic when it is deleted would be lost.
    """
    pipeline, deployment = scene.pipeline, scene.pipeline.deployment
    scene.elastic()
    wait_for_commit(scene)
    pipeline.ledger.wait_for_flow()
    with scene.traffic.paused():
        pipeline.stand_still()
        pipeline.systemctl("stop", "login-consumer")
        ends = pipeline.ledger.ends()
        partition = max(ends, key=lambda number: ends[number])
        end, lost = _end_lost(pipeline, partition)
        wait_until(lambda: pipeline.ledger.ends()[partition] == end, "Kafka has lost it", 120, ignoring=(KafkaError,))
        scene.traffic.send([Record(b"in the place of another")] * (lost + 5), partition=partition)

        since = pipeline.clock()
        pipeline.systemctl("start", "login-consumer")
        told = f"partition {partition} does not hold the record any more", f"Delete topic {deployment.topic}"
        pipeline.wait_for_log("login-consumer", since, *told)
        _failed(pipeline)
        with closing(KafkaAdminClient(**scene.kafka("admin"))) as admin:
            make_anew(admin, deployment.topic, len(ends))
        with pipeline.settings(*PERMIT):
            pipeline.start_consumer()
            pipeline.systemctl("start", *SENDERS)
            pipeline.ledger.wait_for_flow()
        pipeline.systemctl("restart", "login-consumer")


@contextmanager
def _no_records(scene: Scene) -> Iterator[None]:
    """Let all of a batch be written but its record."""
    index = newest_index(scene.elastic(), "login-pipeline")
    scene.elastic().indices.put_settings(index=index, settings={"index.blocks.write": True})
    try:
        yield
    finally:
        scene.elastic().indices.put_settings(index=index, settings={"index.blocks.write": None})


def _killed_at_its_record(scene: Scene, since: float) -> None:
    refused(scene, since, "waiting for Elasticsearch", "blocks writes", "index login-pipeline-")
    scene.pipeline.host.check_output(KILL_HARD.format("login-consumer"))


def _forget(pipeline: Pipeline, kind: str, number: str) -> None:
    """Let a file of the checkpoint never have been on the disk."""
    pipeline.host.check_output(f"cd {CHECKPOINT}/{kind} && rm -f {number} .{number}.crc")


def _line(pipeline: Pipeline, name: str) -> str:
    """Return the line of the consumer's settings that sets `name`."""
    return str(pipeline.host.check_output(f"grep '^{name} = ' {SETTINGS}"))


def _killed_at_the_mark(pipeline: Pipeline, delay: float) -> bool:
    """Kill a rebuild so many seconds after it has left its mark; return whether it was half done."""
    shell = f"""
setsid login-consumer rebuild & group=$! looks=0
while kill -0 $group && ! test -e {MARK} && test $((looks += 1)) -lt 6000; do sleep 0.01; done
sleep {delay:.3f}
kill -KILL -- -$group
wait $group
test -e {MARK}
"""
    return pipeline.host.run(shell).rc == 0


def _refused_until_done(pipeline: Pipeline, command: str) -> None:
    since = pipeline.clock()
    pipeline.systemctl("start", "login-consumer")
    pipeline.wait_for_log("login-consumer", since, f"'login-consumer {command}' was interrupted", "run it once more")
    _failed(pipeline)


def _failed(pipeline: Pipeline) -> None:
    """Wait until the consumer has ended for good: a person has to act."""
    wait_until(lambda: pipeline.property("login-consumer", "ActiveState") == "failed", "the consumer has ended", 60)


def _end_lost(pipeline: Pipeline, partition: int) -> tuple[int, int]:
    """Kill Kafka and cut off the end of a partition; return the end offset then, and how many records are gone."""
    folder = f"{pipeline.deployment.kafka_data_dir}/data/{pipeline.deployment.topic}-{partition}"
    pipeline.host.check_output(KILL_HARD.format("kafka"))
    try:
        program = Path(log_segment.__file__).read_text()
        call = f"\nimport json\nprint(json.dumps(cut({json.dumps(folder)}, {LEAST_LOST})))\n"
        told = pipeline.deployment.python(program + call)
    finally:
        pipeline.systemctl("start", "kafka")
    return told["end"], told["lost"]
