# SPDX-License-Identifier: Apache-2.0
"""The parts of the faults that need no service: their order, what is cut off a log, what hostile senders send."""

from __future__ import annotations

import io
import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from exactness.world import World

sys.path.append(str(Path(__file__).parents[2] / "pipeline"))

from fault_groups import FAULTS, NEEDS_BACKUPS
from input_faults import large_hostile_records, odd_steps, small_hostile_records
from log_segment import batches, cut
from soak_order import MOST_IN_A_ROW, rounds


def test_nothing_comes_again_before_all_else_has_come() -> None:
    every, seen = list(range(23)), list[int]()
    for several in rounds(every, random.Random(3)):
        assert 1 <= len(several) <= MOST_IN_A_ROW
        seen += several
        if len(seen) > 3 * len(every):
            break
    assert [sorted(seen[first : first + 23]) for first in (0, 23, 46)] == [every] * 3
    assert seen[:23] != seen[23:46]


def test_a_seed_repeats_the_order() -> None:
    first, again, other = (rounds(range(9), random.Random(seed)) for seed in (1, 1, 2))
    assert [next(first) for _ in range(9)] == [next(again) for _ in range(9)] != [next(other) for _ in range(9)]


def test_each_fault_is_in_one_group() -> None:
    assert len(set(FAULTS)) == len(FAULTS)
    assert set(FAULTS) >= NEEDS_BACKUPS


def batch(first: int, records: int, size: int) -> bytes:
    """Return what stands for a batch in a segment: only its head is read."""
    return struct.pack(">qi11xi", first, size - 12, records - 1).ljust(size, b"x")


def test_batches_are_read_up_to_one_that_is_torn() -> None:
    whole = batch(100, 7, 90) + batch(107, 1, 61)
    found = [(0, 100, 107), (90, 107, 108)]
    assert list(batches(io.BytesIO(whole))) == found
    assert list(batches(io.BytesIO(whole + batch(108, 5, 200)[:150]))) == found
    assert list(batches(io.BytesIO(whole + bytes(500)))) == found
    assert list(batches(io.BytesIO(b""))) == []


@pytest.mark.parametrize(
    ("least", "size", "end", "lost"), [(1, 230, 112, 3), (3, 230, 112, 3), (4, 90, 107, 8), (15, 0, 100, 15)]
)
def test_whole_batches_are_cut_off_the_newest_segment(
    least: int, size: int, end: int, lost: int, tmp_path: Path
) -> None:
    older, newer = (tmp_path / f"{number:020}.log" for number in (0, 100))
    older.write_bytes(batch(0, 100, 80))
    newer.write_bytes(batch(100, 7, 90) + batch(107, 5, 140) + batch(112, 3, 70))
    for file in (older, newer):
        file.with_suffix(".index").touch()
    assert cut(str(tmp_path), least) == {"end": end, "lost": lost}
    assert (older.stat().st_size, newer.stat().st_size) == (80, size)
    assert [file.with_suffix(".index").exists() for file in (older, newer)] == [True, False]


def test_more_than_a_segment_holds_is_not_cut_off(tmp_path: Path) -> None:
    (tmp_path / f"{0:020}.log").write_bytes(batch(0, 3, 80))
    with pytest.raises(ValueError, match="holds fewer than 4 records"):
        cut(str(tmp_path), 4)


def test_no_hostile_record_is_an_event() -> None:
    records = small_hostile_records()
    with World() as world:
        for record in records.values():
            world.send(record.value)
        assert world.consume() == "idle"
        assert len(world.elastic.documents("login-dead-letters")) == len(records)
        assert world.elastic.documents("login-events") == []


def test_large_hostile_records_are_larger_than_what_is_read() -> None:
    for name, (value, headers) in large_hostile_records().items():
        assert len(value or b"") > 1 << 20 or sum(len(header) for _, header in headers) > 1 << 16, name


def test_odd_files_hold_the_lines_that_are_counted(tmp_path: Path) -> None:
    numbers = 0
    for step in odd_steps(str(tmp_path), "run"):
        quick = step.program.replace("time.sleep(5)", "time.sleep(0)")
        before = {file: file.read_bytes() for file in tmp_path.iterdir()}
        subprocess.run([sys.executable, "-c", quick], check=True)
        changed = [file for file in tmp_path.iterdir() if before.get(file) != file.read_bytes()]
        (file,) = changed
        assert file.name.endswith("run.log"), step.what
        lines = [line for line in file.read_bytes().replace(b"\0", b"").splitlines() if line]
        users = [json.loads(line)["user_id"] for line in lines]
        # of the log that was cut off only the second is left
        expected = [f"run-{number}" for number in range(numbers, numbers + step.lines)]
        assert users == (expected[1:] if "cut off" in step.what else expected)
        if "same size" in step.what:
            assert file.stat().st_size == len(before[file])
        if "cut off" in step.what:
            assert file.read_bytes().startswith(b"\0")
        numbers += step.lines
