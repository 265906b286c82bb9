# SPDX-License-Identifier: Apache-2.0
"""Which part of a batch a process has died of: what is counted, what is not, and what outlives the process."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from login_common.elastic import Unavailable
from login_common.settings import SettingsError
from login_consumer.batch import Moved, Replaced, Stopped
from login_consumer.counts import OffsetRange
from login_consumer.hops import HopFailed
from login_consumer.progress import Ranges
from login_consumer.tries import MOST_DEATHS, Orderly, Part, Piece, Tries, size

TOPIC = "TopicOne"
BATCH: Ranges = {0: OffsetRange(100, 1100), 1: OffsetRange(5, 5), 2: OffsetRange(0, 3)}
WHOLE: Part = (Piece(0, 100, 1100), Piece(2, 0, 3))


class Died(BaseException):
    """The process is killed: nothing of it runs any more."""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tmp_path / "checkpoint"


def file_of(checkpoint: Path) -> Path:
    return checkpoint.with_name("checkpoint.tries")


def die_of(checkpoint: Path, part: Part) -> None:
    with pytest.raises(Died), Tries(checkpoint, TOPIC).trying(part):
        raise Died


def test_a_batch_of_which_nobody_died_is_read_as_a_whole(checkpoint: Path) -> None:
    assert Tries(checkpoint, TOPIC).parts(BATCH) == [WHOLE]
    assert Tries(checkpoint, TOPIC).parts({0: OffsetRange(3, 3)}) == []
    assert not file_of(checkpoint).exists()


def test_a_try_that_ends_leaves_nothing(checkpoint: Path) -> None:
    with Tries(checkpoint, TOPIC).trying(WHOLE):
        assert file_of(checkpoint).exists()
    assert not file_of(checkpoint).exists()


@pytest.mark.parametrize("orderly", [Stopped, Moved, Replaced, Orderly, Unavailable, HopFailed, SettingsError])
@pytest.mark.parametrize("deaths", [0, 2])
def test_a_decision_is_no_death(checkpoint: Path, orderly: type[Exception], deaths: int) -> None:
    for _ in range(deaths):
        die_of(checkpoint, WHOLE)
    before = file_of(checkpoint).read_text() if deaths else None
    with pytest.raises(orderly), Tries(checkpoint, TOPIC).trying(WHOLE):
        raise orderly("a decision")
    assert (file_of(checkpoint).read_text() if deaths else None) == before
    assert file_of(checkpoint).exists() == bool(deaths)


@pytest.mark.parametrize("error", [RuntimeError, ConnectionError, MemoryError, Died])
def test_any_other_end_is_one(checkpoint: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), Tries(checkpoint, TOPIC).trying(WHOLE):
        raise error
    assert len(Tries(checkpoint, TOPIC).parts(BATCH)) > 1


def test_what_the_operator_ends_is_no_death_and_nothing_is_tried_after_it(checkpoint: Path) -> None:
    tries = Tries(checkpoint, TOPIC)
    with pytest.raises(RuntimeError), tries.trying(WHOLE):
        tries.take_back()
        assert not file_of(checkpoint).exists()
        raise RuntimeError("the job was cancelled")
    with pytest.raises(Orderly), tries.trying(WHOLE):
        raise AssertionError("it is not tried")
    assert not file_of(checkpoint).exists()


def test_the_record_of_the_batch_ends_all_suspicion(checkpoint: Path) -> None:
    die_of(checkpoint, WHOLE)
    Tries(checkpoint, TOPIC).over()
    assert not file_of(checkpoint).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"topic_id": "TopicOne"}', '{"topic_id": "Other", "deaths": []}'])
def test_a_file_that_tells_nothing_stops_nobody(checkpoint: Path, text: str) -> None:
    file_of(checkpoint).write_text(text)
    assert Tries(checkpoint, TOPIC).parts(BATCH) == [WHOLE]


def test_deaths_of_another_topic_do_not_count(checkpoint: Path) -> None:
    die_of(checkpoint, WHOLE)
    assert json.loads(file_of(checkpoint).read_text())["topic_id"] == TOPIC
    assert Tries(checkpoint, "another").parts(BATCH) == [WHOLE]


@pytest.mark.parametrize("seed", range(12))
def test_all_but_the_records_that_kill_are_read_and_soon(
    seed: int, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is in a batch: all parts together are the batch, only what kills is given up, and the end is near."""
    monkeypatch.setattr("login_consumer.checkpoint.os.fsync", lambda _: None)  # thousands of them
    rng = random.Random(seed)
    sizes = [rng.choice([0, 1, rng.randrange(400)]) for _ in range(rng.randint(1, 4))]
    batch = {p: OffsetRange(7 * p, 7 * p + size_) for p, size_ in enumerate(sizes)}
    places = [(p, o) for p, each in batch.items() for o in range(each.first, each.next)]
    killing = set(rng.sample(places, min(rng.randrange(5), len(places))))
    deaths: Counter[Part] = Counter()
    while True:
        tries = Tries(checkpoint, TOPIC)
        read, given_up = [], []
        try:
            for part in tries.parts(batch):
                held = [(p, o) for p, first, next_ in part for o in range(first, next_)]
                if tries.hopeless(part):
                    given_up += held
                    continue
                with tries.trying(part):
                    if killing & set(held):
                        deaths[part] += 1
                        raise Died
                read += held
        except Died:
            assert deaths.total() <= 1 + len(killing) * (3 + MOST_DEATHS), "it does not end"
            continue
        break
    assert sorted(read + given_up) == places
    assert set(given_up) == killing
    assert all(deaths[(Piece(p, o, o + 1),)] == MOST_DEATHS for p, o in given_up)


def test_records_that_have_killed_come_last(checkpoint: Path) -> None:
    """Then this process has read all others, and nothing but the record is at fault if it dies as well."""
    suspect: Part = (Piece(2, 1, 2),)
    for dead in (WHOLE, (Piece(2, 0, 256),), (Piece(2, 0, 16),), suspect):
        die_of(checkpoint, dead)
    parts = Tries(checkpoint, TOPIC).parts(BATCH)
    assert parts[-1] == suspect
    assert sum(map(size, parts)) == size(WHOLE)
