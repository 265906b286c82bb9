# SPDX-License-Identifier: Apache-2.0
"""Each guard of "exactly once" is needed: without it, random histories fail. So they would notice if it broke."""

import itertools
from typing import Any

import pytest
from exactness.schedules import failing
from login_consumer import (
    afresh,
    batch,
    checkpoint,
    counts,
    documents,
    fates,
    plan,
    progress,
    run,
    tombstones,
    tries,
    unreadable,
    worker,
)

FIRST, MOST = 1_000_000, 3000
"""Seeds beside those of the histories that have to hold."""

_numbers = itertools.count()


def under_a_number_of_its_own(key: Any, count: int, window_ms: int, lineage: str, number: int) -> bytes:
    return documents.metric_update(key, count, window_ms, f"{lineage}-{next(_numbers)}", number)


def without_the_first_record(sink: Any, what: progress.Batch) -> None:
    if what.number != -1:
        record(sink, what)


record = afresh._record


GUARDS: dict[str, list[tuple[Any, str, Any]]] = {
    "an event that exists is ours if it is from the same place": [
        (documents.Origin, "place", property(lambda self: documents.Place(self.topic.id, self.partition, -1)))
    ],
    "a window remembers the batch that it took in last": [(batch, "metric_update", under_a_number_of_its_own)],
    "a batch record is written before Spark notes the batch": [(batch, "progress_lines", lambda *_: b"")],
    "the newest batch record goes before a checkpoint that does not fit it": [(plan, "_unusable", lambda *_: "")],
    "a planned batch is repeated if Kafka holds all of it alone": [(plan, "_repeatable", lambda *_: True)],
    "a checkpoint is moved aside whatever is in it": [(checkpoint, "move_aside", lambda _: None)],
    "a lineage begins with a batch record": [(afresh, "_record", without_the_first_record)],
    "windows that were merged without a record are counted anew": [(afresh, "repair", lambda *_: None)],
    "what is stored of a lost range is recorded": [(afresh, "_stored", lambda *_: counts.Counts())],
    "what is stored of a deleted topic is recorded": [(afresh, "_unread", lambda *_: {})],
    "a position is compared with the record before it": [(plan.TopicState, "others", lambda *_: {})],
    "what is stored behind Kafka's end is refused": [(run, "refuse_unheld", lambda *_: None)],
    "Kafka is looked at before a batch is repeated": [(run, "moved", lambda *_: "")],
    "the first fate of a record wins": [(worker, "first_fates", lambda *_: {})],
    "at a start it is asked what was written before": [(run, "ends_behind", lambda *_: {})],
    "a fate is compared with the record": [(fates.Fate, "check", lambda *_: None)],
    "no event brings an id that the consumer makes": [(worker, "id_prefix", lambda _: "no id begins so")],
    "a record that kills each process is given up": [(tries.Tries, "hopeless", lambda *_: False)],
    "a record that is given up keeps what it was before": [(unreadable, "first_fates", lambda *_: {})],
    "deaths are counted beside the checkpoint": [(tries, "write_durably", lambda *_: None)],
    "what is left of an erased event counts as the event did": [
        (tombstones, "EVENT_KEEPS", tuple(each for each in tombstones.EVENT_KEEPS if "country" not in each))
    ],
    "nobody goes on after half a rebuild": [(checkpoint, "refuse_unfinished", lambda *_, **__: None)],
}


@pytest.mark.parametrize("guard", GUARDS)
def test_without_it_histories_fail(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, name, other in GUARDS[guard]:
        monkeypatch.setattr(where, name, other)
    assert next(failing(range(FIRST, FIRST + MOST)), None)


def test_with_all_of_them_they_hold() -> None:
    assert not list(failing(range(FIRST, FIRST + 100)))
