# SPDX-License-Identifier: Apache-2.0
"""The driver's part of a batch. Spark is a bare object that hands out what workers returned."""

import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from login_common.elastic import Unavailable
from login_consumer import batch as batch_module
from login_consumer.batch import BatchWriter, Stopped
from login_consumer.counts import Counts, OffsetRange
from login_consumer.documents import Topic, WindowKey
from login_consumer.metrics import Tally
from login_consumer.plan import Plan
from login_consumer.settings import Settings

TOPIC = Topic("login-events", "id")
WINDOW = WindowKey(1_772_359_200_000, "KR", "Firefox", "success")


class Frame:
    """Counts how often its records are read."""

    def __init__(self, counts: Counts) -> None:
        self._counts, self.reads = counts, 0

    def coalesce(self, _: int) -> "Frame":
        return self

    def mapInArrow(self, worker: Any, _: str) -> "Frame":
        self.worker = worker
        return self

    def collect(self) -> list[Any]:
        self.reads += 1
        return [SimpleNamespace(counts=self._counts.to_bytes())]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is written, one source each."""
    written: list[dict[str, Any]] = []

    def keep(_: Any, lines: list[bytes], __: str) -> None:
        written.extend(json.loads(line.splitlines()[1]) for line in lines)

    monkeypatch.setattr("login_consumer.sink.Sink.put", keep)
    monkeypatch.setattr("login_consumer.sink.Sink.ask", lambda _, __: None)
    monkeypatch.setattr(batch_module.checkpoint, "planned_offsets", lambda *_: {0: 12})
    monkeypatch.setattr(batch_module.checkpoint, "planned_at", lambda *_: None)
    return written


@pytest.fixture
def writer(settings: Settings) -> Callable[[], BatchWriter]:
    return lambda: BatchWriter(
        settings, TOPIC, "lineage", Plan({0: 10}, False, 7), threading.Event(), Tally(settings.metrics_file)
    )


def two_events() -> Counts:
    counts = Counts(read=2, indexed=2)
    counts.windows[WINDOW] = 2
    counts.offsets = {0: [OffsetRange(10, 12)]}
    return counts


def test_a_batch_that_is_recorded_is_not_repeated(settings: Settings, put: list[dict[str, Any]]) -> None:
    plan, frame = Plan({0: 10}, False, 7, recorded=3), Frame(two_events())
    writer = BatchWriter(settings, TOPIC, "lineage", plan, threading.Event(), Tally(settings.metrics_file))
    writer(frame, 3)  # type: ignore[arg-type]
    assert (frame.reads, put, writer.done) == (0, [], 3)
    writer(frame, 4)  # type: ignore[arg-type]
    assert (frame.reads, put[-1]["sequence"], writer.done) == (1, 7, 4)


@pytest.mark.usefixtures("put")
def test_a_batch_counts_when_it_is_written(writer: Callable[[], BatchWriter], settings: Settings) -> None:
    made = writer()
    assert not settings.metrics_file.exists()
    made(Frame(two_events()), 3)  # type: ignore[arg-type]
    assert "\nlogin_consumer_records_read_total 2\n" in settings.metrics_file.read_text()


def test_a_batch_is_evaluated_once(writer: Callable[[], BatchWriter], put: list[dict[str, Any]]) -> None:
    frame = Frame(two_events())
    writer()(frame, 3)  # type: ignore[arg-type]
    assert frame.reads == 1
    window, progress = put
    assert window["script"]["params"] == {"lineage": "lineage", "batch": 3, "count": 2}
    assert (progress["sequence"], progress["read"], progress["skipped"]) == (7, 2, 0)


def test_a_gap_in_the_offsets_is_told(
    writer: Callable[[], BatchWriter], put: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    counts = two_events()
    counts.read = counts.indexed = counts.windows[WINDOW] = 1
    counts.offsets = {0: [OffsetRange(11, 12)]}
    writer()(Frame(counts), 3)  # type: ignore[arg-type]
    assert put[-1]["skipped_ranges"] == [{"partition": 0, "first": 10, "next": 11}]
    assert "did not hold the offsets 10 to 10 of partition 0" in caplog.text


def test_a_batch_that_is_not_taken_is_repeated_until_told_to_stop(
    settings: Settings, put: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping, frame = threading.Event(), Frame(two_events())
    writer = BatchWriter(settings, TOPIC, "lineage", Plan({0: 10}, False, 7), stopping, Tally(settings.metrics_file))
    delays: list[float] = []

    def wait(delay: float) -> bool:
        delays.append(delay)
        return len(delays) > 3

    def refuse(*_: Any) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(stopping, "wait", wait)
    monkeypatch.setattr("login_consumer.sink.Sink.put", refuse)
    with pytest.raises(Stopped, match="batch 3 is left to the next start"):
        writer(frame, 3)  # type: ignore[arg-type]
    assert frame.reads == 3
    # before a repetition all is made searchable, and workers look up what became of the records
    assert frame.worker._written == {0: 12}
    assert delays == [0, 1, 2, 4]
    assert writer.done == -1


def test_workers_get_the_key_that_is_in_its_file_now(
    settings: Settings, put: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "key"
    from_file = settings.elasticsearch.model_copy(update={"api_key": None, "api_key_file": file})
    writer = BatchWriter(
        settings.model_copy(update={"elasticsearch": from_file}),
        TOPIC,
        "lineage",
        Plan({0: 10}, False, 7),
        threading.Event(),
        Tally(settings.metrics_file),
    )
    frame, keys = Frame(two_events()), []
    for number, key in enumerate(("old", "new")):
        file.write_text(f"{key}\n")
        writer(frame, number)  # type: ignore[arg-type]
        file.unlink()  # workers may be on another host
        keys.append(pickle.loads(pickle.dumps(frame.worker))._settings.elasticsearch.secret())  # noqa: S301  (our own)
    assert keys == ["old", "new"]


def test_counts_that_do_not_add_up_stop_everything(
    writer: Callable[[], BatchWriter], put: list[dict[str, Any]]
) -> None:
    counts = two_events()
    counts.read = 3
    with pytest.raises(ArithmeticError, match="3 records were read"):
        writer()(Frame(counts), 3)  # type: ignore[arg-type]
    assert put == []


@pytest.mark.usefixtures("put")
@pytest.mark.parametrize(("took", "rest"), [(0.05, 0.15), (0.2, 0.0), (7.0, 0.0)])
def test_the_next_batch_waits_for_the_rest_of_the_trigger(
    took: float, rest: float, writer: Callable[[], BatchWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a duration, once the batch is written: a clock that is set back changes nothing."""
    made, now, waits = writer(), [100.0], []

    class Slow(Frame):
        def collect(self) -> list[Any]:
            now[0] += took
            return super().collect()

    monkeypatch.setattr(batch_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(made._stopping, "wait", lambda seconds: waits.append((seconds, made.idle.is_set())))
    made(Slow(two_events()), 3)  # type: ignore[arg-type]
    assert waits == [(0.0, False), *([(pytest.approx(rest), True)] if rest else [])]
    assert made.begun == 1


def test_what_no_batch_has_read_is_counted(writer: Callable[[], BatchWriter]) -> None:
    """Of a partition that is new, all."""
    assert writer().waiting({0: 15, 1: 3}) == 5 + 3
    assert writer().waiting({0: 9}) == 0
