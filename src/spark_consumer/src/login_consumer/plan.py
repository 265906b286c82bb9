# SPDX-License-Identifier: Apache-2.0
"""Where a start goes on, from what the checkpoint, Elasticsearch and Kafka say; or why it must not."""

import json
from dataclasses import dataclass, field, replace

from login_common.times import iso

from login_consumer.checkpoint import Checkpoint, CheckpointError, shape_of
from login_consumer.counts import OffsetRange
from login_consumer.documents import Topic
from login_consumer.progress import Batch, Marks, Offsets, Progress, Ranges, Shape
from login_consumer.settings import Settings
from login_consumer.windows import Position

_PERMIT = (
    "To go on without them, set kafka.allow_data_loss = true (spark_consumer_allow_data_loss in the inventory); "
    "the loss is then recorded, and 'login-consumer audit' tells it"
)


@dataclass(frozen=True)
class TopicState:
    """A topic as Kafka has it now: the first offset that it holds of each partition, and the end.

    `found` holds the record at each offset that was asked for, or the one after it; none where Kafka holds neither.
    """

    topic: Topic
    first: Offsets
    ends: Offsets
    found: Marks = field(default_factory=dict)

    def others(self, marks: Marks) -> Marks:
        """Return those of `marks`, of this topic, where Kafka now holds another record, or none and no later ones."""
        return {p: m for p, m in marks.items() if m.offset >= self.ends.get(p, 0) or self.found.get(p, m) != m}


@dataclass(frozen=True)
class Plan:
    """How to go on. A `fresh` checkpoint starts at `start`; the old one, if any, is moved aside, because of `aside`
    unless it plans no batch.

    `loss` says what is given up, `lost` which offsets, or `deleted` which topic, and from where on it was not read.
    """

    start: Offsets
    fresh: bool
    sequence: int
    """That of the next batch record; with a `fresh` checkpoint that is the one with which its lineage begins."""
    aside: str = ""
    loss: str = ""
    lost: Ranges = field(default_factory=dict)
    deleted: Position | None = None
    ends: Offsets = field(default_factory=dict)
    """Where a batch ends that is planned already."""
    recorded: int | None = None
    """The batch that is planned, if it is recorded already: `start` is its end, whether Spark has noted it or not."""
    marks: Marks = field(default_factory=dict)
    """The last record that was read of each partition, as far as it is known."""

    def starting_offsets(self, topic: str) -> str:
        """Return Spark's option of that name."""
        return json.dumps({topic: {str(partition): offset for partition, offset in self.start.items()}})


def decide(
    settings: Settings,
    checkpoint: Checkpoint,
    progress: Progress | None,
    kafka: TopicState,
    written: Offsets | None = None,
) -> Plan:
    """Return how to go on. Raises CheckpointError if an operator has to decide; the text says what and how.

    `written` is by partition the end of what is stored of the topic at or behind `begin_of` all three of them.
    """
    sequence = progress.sequence + 1 if progress else 0
    valid = checkpoint.planned is not None and not checkpoint.fault
    aside = _unusable(checkpoint, progress, kafka, written or {})
    if valid and not aside:
        refuse_other_shape(checkpoint.shape, shape_of(settings))
        topic_id, start, fresh = checkpoint.topic_id, checkpoint.next, False
    elif progress:
        refuse_other_shape(progress.shape, shape_of(settings))
        topic_id, start, fresh = progress.topic_id, progress.offsets, True
    else:
        earliest = settings.kafka.starting_offsets == "earliest"
        topic_id, start, fresh = kafka.topic.id, kafka.first if earliest else kafka.ends, True
    if topic_id != kafka.topic.id:
        loss = _after_loss(settings, sequence, _recreated(topic_id, start, kafka), kafka.first, {})
        return replace(loss, deleted=Position(topic_id, start))
    if valid and not aside and progress is None and checkpoint.committed is not None:
        return _after_loss(settings, sequence, _no_account(settings, checkpoint), start, {})
    # all of a partition that is new is still to be read, and may be gone in part
    start = {partition: start.get(partition, 0) for partition in kafka.first}
    marks = progress.marks if progress and progress.topic_id == topic_id else {}
    ahead = {p: OffsetRange(end, start[p]) for p, end in kafka.ends.items() if start[p] > end}
    others = kafka.others(marks)
    if ahead or others:  # whatever is permitted: a new record at an old offset would be taken for the old one
        raise CheckpointError(_told_ahead(ahead, others, kafka.topic.name))
    lost = {p: OffsetRange(start[p], first) for p, first in kafka.first.items() if start[p] < first}
    if lost:
        inside = {p: max(offset, kafka.first[p]) for p, offset in start.items()}
        return replace(_after_loss(settings, sequence, _told_lost(lost), inside, lost), marks=marks)
    if fresh:
        return Plan(start, True, sequence, aside, marks=marks)
    done = checkpoint.planned if progress and progress.id == f"{checkpoint.lineage}-{checkpoint.planned}" else None
    if done is not None and progress:
        start |= progress.offsets
    return Plan(start, False, sequence, ends=checkpoint.ends, marks=marks, recorded=done)


def begin_of(checkpoint: Checkpoint, progress: Progress | None, kafka: TopicState) -> Offsets:
    """Return the lowest offsets where the consumer may go on in the topic as it is now."""
    known = [checkpoint.next] if checkpoint.topic_id == kafka.topic.id else []
    known += [progress.offsets] if progress and progress.topic_id == kafka.topic.id else []
    return {p: min(offsets.get(p, 0) for offsets in known) for p in kafka.first} if known else {}


def _unusable(checkpoint: Checkpoint, progress: Progress | None, kafka: TopicState, written: Offsets) -> str:
    """Return why the consumer has to go on after the last progress document instead of the checkpoint, or nothing."""
    if checkpoint.planned is None:
        return ""
    if checkpoint.fault:
        return f"it is damaged ({checkpoint.fault})"
    if progress is None:
        return ""
    if progress.lineage != checkpoint.lineage:
        just_begun = checkpoint.committed is None and checkpoint.follows == progress.id
        return "" if just_begun else f"batches of another checkpoint were written since, up to {progress.id}"
    if progress.batch > checkpoint.planned:
        return f"it is an older copy: it ends at batch {checkpoint.planned}, but batch {progress.batch} was written"
    if progress.batch == checkpoint.planned and checkpoint.ends | progress.offsets != checkpoint.ends:
        return f"it is an older copy: its batch {checkpoint.planned} is another one than was written"
    if kafka.topic.id == checkpoint.topic_id and any(end > checkpoint.ends.get(p, 0) for p, end in written.items()):
        # Spark would give the number of that batch to other records, and windows that have it would ignore them
        return f"it is an older copy: it ends at batch {checkpoint.planned}, but records behind that were written"
    if checkpoint.committed is not None and progress.batch < checkpoint.committed:
        return (
            f"Elasticsearch holds older data than it: batch {checkpoint.committed} was written, "
            f"but the last one there is {progress.batch}"
        )
    if checkpoint.planned != checkpoint.committed and not _repeatable(checkpoint, kafka):
        return f"Spark has not noted batch {checkpoint.planned} as done, and Kafka does not hold all of it any more"
    return ""


def _repeatable(checkpoint: Checkpoint, kafka: TopicState) -> bool:
    """Return whether Kafka holds all records of the planned batch."""
    return kafka.topic.id == checkpoint.topic_id and all(
        kafka.first.get(p, 0) <= checkpoint.next.get(p, 0) and end <= kafka.ends.get(p, 0)
        for p, end in checkpoint.ends.items()
    )


def refuse_unheld(written: Offsets, kafka: TopicState) -> None:
    """Raise CheckpointError if documents are stored of places that Kafka does not hold yet, or not any more."""
    ahead = {p: OffsetRange(kafka.ends.get(p, 0), end) for p, end in written.items() if end > kafka.ends.get(p, 0)}
    if ahead:
        raise CheckpointError(_told_ahead(ahead, {}, kafka.topic.name))


def moved(batch: Batch, kafka: TopicState) -> str:
    """Return why Kafka does not hold the records of a planned batch any more, or nothing."""
    if kafka.topic.id != batch.topic.id:
        return f"topic {kafka.topic.name} was made anew"
    if any(kafka.first.get(p, 0) > each.first for p, each in batch.ranges.items()):
        return f"Kafka has deleted records that batch {batch.number} begins with"
    if any(kafka.ends.get(p, 0) < each.next for p, each in batch.ranges.items()) or kafka.others(batch.marks):
        return f"Kafka has lost records of batch {batch.number}, or before it"
    return ""


def changes_of_shape(stored: Shape, wanted: Shape) -> set[str]:
    """Return the names of what differs."""
    return {name for name, value in wanted.items() if stored.get(name) != value}


def refuse_other_shape(stored: Shape, wanted: Shape) -> None:
    """Raise CheckpointError if events were counted or stored otherwise than the settings now want it."""
    changed = changes_of_shape(stored, wanted)
    if not changed:
        return
    told = "; ".join(f"{name} was {stored.get(name)!r} and is now {wanted[name]!r}" for name in sorted(changed))
    if "events.period" in changed:
        raise CheckpointError(
            f"{told}: events stored before would not be met again by their ids. Set events.period back "
            "(spark_consumer_period in the inventory)"
        )
    raise CheckpointError(
        f"{told}: old and new windows would stand side by side. Set it back, or run 'login-consumer rebuild', which "
        "counts all stored events anew; then start again"
    )


def _after_loss(settings: Settings, sequence: int, loss: str, start: Offsets, lost: Ranges) -> Plan:
    if not settings.kafka.allow_data_loss:
        raise CheckpointError(f"{loss}. {_PERMIT}")
    return Plan(start, True, sequence, "what follows its last batch is not in Kafka any more", loss, lost)


def _recreated(topic_id: str, start: Offsets, kafka: TopicState) -> str:
    after = ", ".join(f"{offset} of partition {partition}" for partition, offset in sorted(start.items()))
    return (
        f"topic {kafka.topic.name} was deleted and made anew (its id was {topic_id} and is now {kafka.topic.id}): "
        f"what the old one held from offset {after} on was not read and is gone"
    )


def _no_account(settings: Settings, checkpoint: Checkpoint) -> str:
    return (
        f"the checkpoint ends at batch {checkpoint.committed}, but Elasticsearch holds no progress document: "
        "its data was deleted. Restore a backup (playbooks/restore.yml), or, to read again what Kafka still holds, "
        f"move {settings.checkpoint_dir} away and start again"
    )


def _told_lost(lost: Ranges) -> str:
    each = [f"offsets {r.first} to {r.next - 1} of partition {p}" for p, r in sorted(lost.items())]
    total = sum(r.next - r.first for r in lost.values())
    return f"{total} records were deleted from Kafka before they were read: {', '.join(each)}"


def _told_ahead(ahead: Ranges, others: Marks, topic: str) -> str:
    each = [f"partition {p} was read up to offset {r.next} and now ends at {r.first}" for p, r in sorted(ahead.items())]
    each += [
        f"partition {p} does not hold the record any more that became offset {mark.offset} at {iso(mark.appended)}"
        for p, mark in sorted(others.items())
    ]
    return (
        f"Kafka holds fewer records than were read, or others, as after the loss of a disk: {', '.join(each)}. The "
        f"offsets from there on would be used twice. {_make_anew(topic)}"
    )


def told_replaced(place: str, topic: str) -> str:
    """Return what to do where Kafka holds another record at `place` than the one that is stored from there."""
    return (
        f"{place} is now another record than the one that was stored from there, as after the loss of a disk of Kafka. "
        "If settings or the release were changed since, so that records have other ids or times, change them back and "
        f"start once more. Else: {_make_anew(topic)}"
    )


def _make_anew(topic: str) -> str:
    return (
        f"Delete topic {topic}, run the playbook, which makes it anew with another id, and permit the loss "
        "(kafka.allow_data_loss); records that came since can be copied to the new topic first"
    )
