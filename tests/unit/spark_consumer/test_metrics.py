# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told of the consumer."""

from collections import Counter
from pathlib import Path

import pytest
from login_consumer.counts import Counts, OffsetRange
from login_consumer.documents import Topic
from login_consumer.metrics import Tally
from login_consumer.progress import Batch, Times
from login_formats.reasons import Reason

NOW = 1_772_359_200_000


def samples(file: Path) -> dict[str, float]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def batch(first: int, after: int) -> Batch:
    return Batch("lineage", 1, 1, Topic("login-events", "id"), {0: OffsetRange(first, after)}, {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "metrics.prom"


def test_all_counters_begin_at_0(file: Path) -> None:
    Tally(file).begin("login-events", {0: 10, 1: 20})
    told = samples(file)
    assert {value for name, value in told.items() if "_total" in name} == {0}
    dead = set(Reason) - {Reason.UNRECOGNISED}
    assert {f'login_consumer_records_dead_total{{reason="{reason}"}}' for reason in dead} <= set(told)
    assert told["login_consumer_records_unrecognised_total"] == 0
    assert told['login_consumer_next_offset{topic="login-events",partition="1"}'] == 20
    assert told["login_consumer_last_batch_timestamp_seconds"] > 1e9
    assert not any("latency" in name for name in told)
    assert file.stat().st_mode & 0o777 == 0o644


def test_batches_are_summed(file: Path) -> None:
    tally = Tally(file)
    tally.begin("login-events", {0: 10})
    counts = Counts(read=5, indexed=1, duplicates=1, ignored=1, unrecognised=1, dead=Counter({Reason.NOT_JSON: 1}))
    counts.offsets = {0: [OffsetRange(10, 14)]}
    counts.arrivals, counts.arrival_last = Counter({NOW - 300: 3, NOW - 1000: 1}), NOW - 300
    tally.add(batch(10, 15), counts, Times(100, 20, 5, NOW))
    tally.add(batch(15, 19), counts, Times(100, 20, 5, NOW + 500))
    told = {name.removeprefix("login_consumer_"): value for name, value in samples(file).items()}
    assert (told["records_read_total"], told["events_indexed_total"], told["batches_total"]) == (10, 2, 2)
    assert told["records_unrecognised_total"] == 2
    assert (told["records_duplicate_total"], told["records_ignored_total"]) == (2, 2)
    assert told['records_dead_total{reason="not_json"}'] == 2
    assert told["records_skipped_total"] == 5  # one of the first batch, the second found none of its own
    assert told['batch_seconds_total{stage="write"}'] == 0.2
    assert told["last_batch_timestamp_seconds"] == (NOW + 500) / 1000
    assert told['last_batch_latency_seconds{quantile="0.5"}'] == 0.8
    assert told['last_batch_latency_seconds{quantile="0.99"}'] == 1.5
    assert told['next_offset{topic="login-events",partition="0"}'] == 19


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally(tmp_path / "none" / "metrics.prom")
    tally.begin("login-events", {0: 10})
    tally.add(batch(10, 10), Counts(), Times(1, 1, 1, NOW))
    assert caplog.text.count("the metrics cannot be written") == 1
