# SPDX-License-Identifier: Apache-2.0
"""One consumer a checkpoint; what a checkpoint says, and when it is not to be believed."""

import json
from pathlib import Path

import pytest
from login_consumer.checkpoint import (
    Checkpoint,
    CheckpointError,
    adopt,
    begin,
    locked,
    move_aside,
    planned_at,
    planned_offsets,
    read,
)
from login_consumer.documents import Topic
from login_consumer.settings import Settings

TOPIC = "login-events"
SHAPE = {"metrics.window_seconds": 60}


def log_file(file: Path, line: dict[str, object]) -> None:
    """Write a file of Spark's logs of offsets and commits."""
    file.parent.mkdir(parents=True, exist_ok=True)
    body = (
        f"v1\n{json.dumps({'batchWatermarkMs': 0})}\n{json.dumps(line)}" if line else 'v1\n{"nextBatchWatermarkMs":0}'
    )
    file.write_text(body)


@pytest.fixture
def directory(settings: Settings) -> Path:
    """A checkpoint whose batch 0 is done and whose batch 1 is planned, with a partition that was added."""
    made = settings.checkpoint_dir
    made.mkdir(parents=True)
    begin(made, "L", Topic(TOPIC, "T1"), SHAPE, "K-7")
    (made / "metadata").write_text('{"id":"a"}')
    (made / "sources/0").mkdir(parents=True)
    (made / "sources/0/0").write_text('\0v1\n{"login-events":{"0":3}}')
    log_file(made / "offsets/0", {TOPIC: {"0": 10}})
    log_file(made / "commits/0", {})
    log_file(made / "offsets/1", {TOPIC: {"0": 25, "1": 4}})
    return made


def test_second_consumer_is_refused(settings: Settings) -> None:
    with (
        locked(settings.checkpoint_dir),
        pytest.raises(CheckpointError, match="another consumer"),
        locked(settings.checkpoint_dir),
    ):
        pytest.fail("two consumers at once")
    with locked(settings.checkpoint_dir):
        pass  # free again


def test_a_planned_batch_goes_on_at_its_start(directory: Path) -> None:
    assert read(directory, TOPIC) == Checkpoint("", 1, 0, {0: 10, 1: 0}, {0: 25, 1: 4}, "L", "T1", SHAPE, "K-7")
    assert planned_offsets(directory, 1, TOPIC) == {0: 25, 1: 4}


def test_when_a_batch_was_planned_is_known(directory: Path) -> None:
    assert planned_at(directory, 1) is None
    file = directory / "offsets/1"
    file.write_text(file.read_text().replace('{"batchWatermarkMs": 0}', '{"batchTimestampMs": 1772359200000}'))
    assert planned_at(directory, 1) == 1772359200000


def test_a_finished_batch_goes_on_at_its_end(directory: Path) -> None:
    log_file(directory / "commits/1", {})
    assert read(directory, TOPIC).next == {0: 25, 1: 4}


def test_the_first_batch_begins_where_the_query_began(directory: Path) -> None:
    (directory / "offsets/1").unlink()
    (directory / "commits/0").unlink()
    assert read(directory, TOPIC).next == {0: 3}


@pytest.mark.parametrize("file", ["offsets/1", "offsets/0", "commits/0", "metadata", "login-consumer.json"])
@pytest.mark.parametrize("left", [0, 4])
def test_a_file_that_was_cut_off_is_a_fault(directory: Path, file: str, left: int) -> None:
    (directory / file).write_bytes((directory / file).read_bytes()[:left])
    assert read(directory, TOPIC).fault


def test_a_lost_lineage_is_a_fault(directory: Path) -> None:
    (directory / "login-consumer.json").unlink()
    assert read(directory, TOPIC).fault


def test_an_empty_checkpoint_is_fresh(settings: Settings) -> None:
    assert read(settings.checkpoint_dir, TOPIC) == Checkpoint()
    assert move_aside(settings.checkpoint_dir) is None


def test_moved_aside_it_is_kept(directory: Path) -> None:
    aside = move_aside(directory)
    assert aside
    assert read(aside, TOPIC).lineage == "L"
    assert read(directory, TOPIC) == Checkpoint()


def test_another_shape_is_adopted(directory: Path) -> None:
    adopt(directory, {"metrics.window_seconds": 300})
    assert read(directory, TOPIC).shape == {"metrics.window_seconds": 300}
    assert read(directory, TOPIC).lineage == "L"


def test_another_topics_checkpoint_is_refused(directory: Path) -> None:
    with pytest.raises(CheckpointError, match=r"kafka\.topic was 'login-events' and is now 'other'"):
        read(directory, "other")
