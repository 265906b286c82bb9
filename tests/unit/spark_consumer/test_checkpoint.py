# SPDX-License-Identifier: Apache-2.0
"""One consumer a checkpoint, and a lineage that lives and dies with it."""

import shutil
from typing import Any

import pytest
from login_consumer.checkpoint import CheckpointError, last_batch, lineage, locked
from login_consumer.settings import Settings


def plan_batch(settings: Settings, number: int) -> None:
    """Leave what Spark leaves when it plans a batch."""
    offsets = settings.checkpoint_dir / "offsets"
    offsets.mkdir(parents=True, exist_ok=True)
    (offsets / str(number)).write_text("v1")
    (offsets / f".{number}.crc").write_text("")


def test_second_consumer_is_refused(settings: Settings) -> None:
    with (
        locked(settings.checkpoint_dir),
        pytest.raises(CheckpointError, match="another consumer"),
        locked(settings.checkpoint_dir),
    ):
        pytest.fail("two consumers at once")
    with locked(settings.checkpoint_dir):
        pass  # free again


def test_last_batch(settings: Settings) -> None:
    assert last_batch(settings.checkpoint_dir) is None
    for number in (9, 10, 2):
        plan_batch(settings, number)
    assert last_batch(settings.checkpoint_dir) == 10


def test_lineage_stays_with_its_checkpoint(settings: Settings) -> None:
    with locked(settings.checkpoint_dir):
        first = lineage(settings)
        plan_batch(settings, 0)
        assert lineage(settings) == first


def test_emptied_checkpoint_is_a_new_lineage(settings: Settings) -> None:
    with locked(settings.checkpoint_dir):
        first = lineage(settings)
        plan_batch(settings, 0)
        shutil.rmtree(settings.checkpoint_dir / "offsets")
        assert lineage(settings) != first


def test_checkpoint_without_its_lineage_is_refused(settings: Settings) -> None:
    plan_batch(settings, 0)
    with pytest.raises(CheckpointError, match="is missing"):
        lineage(settings)


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"metrics": {"window_seconds": 300}}, "metrics.window_seconds was 60 and is now 300"),
        ({"events": {"period": "day"}}, "events.period was 'month' and is now 'day'"),
    ],
)
def test_changed_shape_is_refused(settings: Settings, change: dict[str, Any], setting: str) -> None:
    with locked(settings.checkpoint_dir):
        lineage(settings)
    plan_batch(settings, 0)
    dumped = settings.model_dump() | {"kafka": settings.kafka, "elasticsearch": settings.elasticsearch}
    with pytest.raises(CheckpointError, match=setting):
        lineage(Settings.model_validate(dumped | change))
