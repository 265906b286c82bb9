# SPDX-License-Identifier: Apache-2.0
"""Where a start goes on, and when it must not: from what checkpoint, Elasticsearch and Kafka say."""

from dataclasses import replace
from typing import Any

import pytest
from login_consumer.checkpoint import Checkpoint, CheckpointError, shape_of
from login_consumer.counts import Mark, OffsetRange
from login_consumer.documents import Topic
from login_consumer.plan import Plan, TopicState, decide
from login_consumer.progress import Progress
from login_consumer.settings import Settings

KAFKA = TopicState(Topic("login-events", "T1"), {0: 0, 1: 0}, {0: 100, 1: 50})


def progress(settings: Settings, **changes: Any) -> Progress:
    """Batch 7 of lineage L ends at offsets 40 and 20."""
    shape = shape_of(settings)
    fields = {"lineage": "L", "batch": 7, "sequence": 30, "topic_id": "T1", "shape": shape, "fields": {}}
    return Progress(**fields | {"ranges": {0: OffsetRange(30, 40), 1: OffsetRange(20, 20)}} | changes)


def checkpoint(settings: Settings, **changes: Any) -> Checkpoint:
    """Batch 7 is done."""
    fields = {"planned": 7, "committed": 7, "next": {0: 40, 1: 20}, "ends": {0: 40, 1: 20}, "lineage": "L"}
    return Checkpoint(**fields | {"topic_id": "T1", "shape": shape_of(settings), "follows": "K-3"} | changes)


def permitting(settings: Settings) -> Settings:
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"allow_data_loss": True})})


def test_a_first_start(settings: Settings) -> None:
    assert decide(settings, Checkpoint(), None, KAFKA) == Plan({0: 0, 1: 0}, True, 0)


def test_the_checkpoint_goes_on(settings: Settings) -> None:
    plan = decide(settings, checkpoint(settings), progress(settings), KAFKA)
    assert plan == Plan({0: 40, 1: 20}, False, 31, ends={0: 40, 1: 20}, recorded=7)


def test_a_batch_that_is_recorded_is_done(settings: Settings) -> None:
    stored = checkpoint(settings, committed=6, next={0: 30, 1: 20})
    plan = decide(settings, stored, progress(settings), KAFKA)
    assert plan == Plan({0: 40, 1: 20}, False, 31, ends={0: 40, 1: 20}, recorded=7)


def test_a_batch_without_its_account_gets_the_next_sequence(settings: Settings) -> None:
    stored = checkpoint(settings, planned=8)
    assert decide(settings, stored, progress(settings), KAFKA) == Plan({0: 40, 1: 20}, False, 31, ends={0: 40, 1: 20})


def test_a_new_partition_begins_at_its_beginning(settings: Settings) -> None:
    kafka = TopicState(KAFKA.topic, {**KAFKA.first, 2: 0}, {**KAFKA.ends, 2: 5})
    assert decide(settings, checkpoint(settings), progress(settings), kafka).start == {0: 40, 1: 20, 2: 0}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"fault": "cut off"}, "damaged"),
        ({"planned": 5, "committed": 5}, "older copy"),
        ({"planned": 9, "committed": 9}, "older data"),
        ({"lineage": "K"}, "another checkpoint"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_left_for_the_last_account(
    settings: Settings, changes: dict[str, Any], why: str
) -> None:
    plan = decide(settings, checkpoint(settings, **changes), progress(settings), KAFKA)
    assert (plan.start, plan.fresh, plan.loss) == ({0: 40, 1: 20}, True, "")
    assert why in plan.aside


@pytest.mark.parametrize(("written", "fresh"), [({}, False), ({0: 40}, False), ({0: 41}, True), ({2: 1}, True)])
def test_the_number_of_a_batch_that_was_tried_is_not_given_to_other_records(
    settings: Settings, written: dict[int, int], fresh: bool
) -> None:
    plan = decide(settings, checkpoint(settings), progress(settings), KAFKA, written)
    assert (plan.start, plan.fresh, plan.sequence) == ({0: 40, 1: 20}, fresh, 31)
    assert ("records behind that were written" in plan.aside) == fresh


def test_a_lineage_that_has_just_begun_is_not_an_old_one(settings: Settings) -> None:
    stored = checkpoint(settings, planned=0, committed=None, lineage="M", follows="L-7")
    assert decide(settings, stored, progress(settings), KAFKA) == Plan({0: 40, 1: 20}, False, 31, ends={0: 40, 1: 20})


LOST = TopicState(KAFKA.topic, {0: 90, 1: 0}, KAFKA.ends)
ANEW = TopicState(Topic("login-events", "T2"), {0: 0, 1: 0}, {0: 500, 1: 500})
FEWER = TopicState(KAFKA.topic, KAFKA.first, {0: 15, 1: 50})


@pytest.mark.parametrize(
    ("kafka", "told", "start"),
    [
        (
            LOST,
            "50 records were deleted from Kafka before they were read: offsets 40 to 89 of partition 0",
            {0: 90, 1: 20},
        ),
        (ANEW, "its id was T1 and is now T2", {0: 0, 1: 0}),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_loss_needs_permission(
    settings: Settings, kafka: TopicState, told: str, start: dict[int, int], fresh: bool
) -> None:
    stored = Checkpoint() if fresh else checkpoint(settings)
    with pytest.raises(CheckpointError, match="allow_data_loss") as refused:
        decide(settings, stored, progress(settings), kafka)
    assert told in str(refused.value)
    plan = decide(permitting(settings), stored, progress(settings), kafka)
    assert (plan.start, plan.fresh) == (start, True)
    assert told in plan.loss
    assert plan.lost == ({0: OffsetRange(40, 90)} if kafka is LOST else {})


@pytest.mark.parametrize("fresh", [False, True])
def test_offsets_are_never_used_twice(settings: Settings, fresh: bool) -> None:
    stored = Checkpoint() if fresh else checkpoint(settings)
    for each in (settings, permitting(settings)):
        with pytest.raises(CheckpointError, match="makes it anew") as refused:
            decide(each, stored, progress(each), FEWER)
        assert "partition 0 was read up to offset 40 and now ends at 15" in str(refused.value)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    ("found", "is_other"),
    [
        ({0: Mark(39, 1000)}, False),
        ({}, False),  # Kafka holds it no more: its retention has passed it
        ({0: Mark(39, 1001)}, True),
        ({0: Mark(40, 1000)}, True),
    ],
)
def test_another_record_before_the_position_is_refused(
    settings: Settings, found: dict[int, Mark], is_other: bool, fresh: bool
) -> None:
    stored, kafka = Checkpoint() if fresh else checkpoint(settings), replace(KAFKA, found=found)
    done = progress(settings, marks={0: Mark(39, 1000)})
    for each in (settings, permitting(settings)):
        if is_other:
            with pytest.raises(CheckpointError, match="not hold the record any more that became offset 39 at 1970"):
                decide(each, stored, done, kafka)
        else:
            assert decide(each, stored, done, kafka).marks == {0: Mark(39, 1000)}


def test_deleted_accounts_need_permission(settings: Settings) -> None:
    with pytest.raises(CheckpointError, match="its data was deleted"):
        decide(settings, checkpoint(settings), None, KAFKA)
    plan = decide(permitting(settings), checkpoint(settings), None, KAFKA)
    assert (plan.start, plan.fresh) == ({0: 40, 1: 20}, True)


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"metrics.window_seconds": 300}, "metrics.window_seconds was 300 and is now 60.*login-consumer rebuild"),
        ({"metrics.keys": ["start"]}, "login-consumer rebuild"),
        ({"schema": 0}, "login-consumer rebuild"),
        ({"events.period": "day"}, "Set events.period back"),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_another_shape_is_refused(settings: Settings, changed: dict[str, Any], remedy: str, fresh: bool) -> None:
    shape = shape_of(settings) | changed
    stored = Checkpoint() if fresh else checkpoint(settings, shape=shape)
    with pytest.raises(CheckpointError, match=remedy):
        decide(settings, stored, progress(settings, shape=shape), KAFKA)
