# SPDX-License-Identifier: Apache-2.0
"""What runs in Spark's Python workers: records in, documents to Elasticsearch, counts out."""

import gc
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import NamedTuple

import pyarrow as pa
from login_common.elastic import Unavailable
from login_common.settings import SettingsError
from login_common.times import END_OF_TIME
from login_formats import PLAIN, Event, Limits, Locations, NotALogin, Reason, Rejected, Wrapper, enrich, read
from login_formats.wrapper import Arrival, Headers

from login_consumer.counts import Counts, Mark, OffsetRange, age_bucket
from login_consumer.documents import (
    Document,
    Origin,
    Stored,
    Topic,
    count_windows,
    dead_letter,
    event_document,
    id_prefix,
)
from login_consumer.fates import Fate, Fates, OtherRecord, first_fates
from login_consumer.oversized import COLUMNS, Cut, cut_letter
from login_consumer.privacy import Protection
from login_consumer.progress import Offsets
from login_consumer.settings import Elasticsearch as ElasticsearchSettings
from login_consumer.settings import GeoIP, Privacy, Settings
from login_consumer.sink import Sink, none_refused
from login_consumer.unrecognised import Unrecognised, keep

RESULT_SCHEMA = "counts binary"

_THREADS = 2  # one parses while the other waits for Elasticsearch
# The broker set the record's time, so it is the time of arrival, and the same whenever the record is read.
_LOG_APPEND_TIME = 1
_NO_LIMITS = Limits(END_OF_TIME, END_OF_TIME)


@lru_cache(maxsize=1)
def _sink(settings: ElasticsearchSettings) -> Sink:
    # Spark reuses its worker processes: keep the connections
    return Sink(settings)


@lru_cache(maxsize=1)
def _locations(settings: GeoIP) -> Locations | None:
    return settings.open()


@lru_cache(maxsize=1)
def _protection(settings: Privacy) -> Protection:
    return settings.protection()  # it remembers pseudonyms


@lru_cache(maxsize=1)
def _spare_the_collector() -> None:
    """Have Python look for cycles of garbage in this process much less often.

    A batch is tens of thousands of tuples without cycles, which go when nobody has them any more. The collector looked
    through those that are in use after every 700 new ones: a third of all the time of a worker.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


class _Good(NamedTuple):
    raw: bytes | None
    headers: Headers
    origin: Origin
    event: Event
    document: Document


class Worker:
    """The function for `DataFrame.mapInArrow`: oversized.COLUMNS in, one row of counts out."""

    def __init__(self, settings: Settings, topic: Topic, written: Offsets | None = None) -> None:
        """Make it; records before the offsets `written` may have been written before, and keep what they became."""
        self._settings = settings
        self._topic = topic
        self._written = written or {}
        self._format = settings.kafka.format
        self._limits = Limits.of(settings.events.max_future_seconds, settings.events.max_age_days)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Write all records of one task; yield their counts, or why Elasticsearch is unavailable."""
        _spare_the_collector()
        batches = iter(batches)
        counts = Counts()
        try:
            self._write_all(batches, counts)
        except OtherRecord as other:
            counts.other = str(other)
            for _ in batches:
                pass
        except (Unavailable, SettingsError) as error:
            # no exception for Spark: it would repeat the task at once and fill the log with traces
            counts.unavailable = str(error)
            for _ in batches:  # Spark expects its input to be read to the end
                pass
        yield pa.RecordBatch.from_pydict({"counts": pa.array([counts.to_bytes()], pa.binary())})

    def _write_all(self, batches: Iterator[pa.RecordBatch], counts: Counts) -> None:
        sink = _sink(self._settings.elasticsearch)
        pending: deque[Future[Counts]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            for batch in batches:
                pending.append(pool.submit(self.write, batch, sink))
                if len(pending) > _THREADS:
                    counts.add(pending.popleft().result())
            for written in pending:
                counts.add(written.result())

    def write(self, batch: pa.RecordBatch, sink: Sink) -> Counts:
        """Write the records of one Arrow batch and return their counts.

        Raises Unavailable, SettingsError, OtherRecord.
        """
        counts = Counts(read=batch.num_rows)
        counted: list[Event | Stored] = []
        good, letters, strange = self._parse(batch, counts, self._fates(batch, sink), counted)
        items = sink.create([each.document for each in good])
        # An event that is there already is new if it is there by this very record: then this is a replay.
        stored = iter(sink.stored([each.document for each, item in zip(good, items, strict=True) if item.exists]))
        for each, item in zip(good, items, strict=True):
            if item.taken:
                counted.append(each.event)
            elif item.refused:
                counts.dead[Reason.REFUSED] += 1
                refused = Rejected(Reason.REFUSED, f"{item.status} {item.kind}: {item.reason}")
                letters.append(
                    dead_letter(refused, each.raw, each.origin, _now_ms(), each.headers, protection=self._protection)
                )
            elif (there := next(stored)).place == each.origin.place:
                # As what it is stored it counts: a release or a GeoIP file before this one may have read it otherwise.
                counted.append(there)
            else:
                counts.duplicates += 1
        counts.indexed = len(counted)
        counts.windows.update(count_windows(counted, self._settings.metrics.window_seconds * 1000))
        none_refused(sink.create(letters), "a dead letter")
        counts.unrecognised_kept += keep(sink, strange, _now_ms(), self._protection)
        return counts

    def _fates(self, batch: pa.RecordBatch, sink: Sink) -> Fates:
        if not self._written:
            return {}
        partitions, offsets = batch.column("partition").to_pylist(), batch.column("offset").to_pylist()
        return first_fates(sink, self._topic, self._written, list(zip(partitions, offsets, strict=True)))

    def _parse(
        self, batch: pa.RecordBatch, counts: Counts, fates: Fates, counted: list[Event | Stored]
    ) -> tuple[list[_Good], list[Document], list[Unrecognised]]:
        topic = self._topic
        period = self._settings.events.period
        late_after = self._settings.events.late_after_seconds * 1000
        locations = _locations(self._settings.geoip)
        now = _now_ms()
        # A sender that has such an id would make the record of that place a duplicate of his own.
        own_ids = id_prefix(topic)
        good: list[_Good] = []
        letters: list[Document] = []
        strange: list[Unrecognised] = []
        columns = [batch.column(name).to_pylist() for name in COLUMNS]
        for raw, partition, offset, timestamp, timestamp_type, pairs, cut in zip(*columns, strict=True):
            origin = Origin(topic, partition, offset, timestamp)
            arrival = timestamp if timestamp_type == _LOG_APPEND_TIME else now
            headers: Headers = [(pair["key"], pair["value"]) for pair in pairs] if pairs else ()
            fate = fates.get((partition, offset))
            if fate:
                if not cut:  # else there is too little left to compare
                    self._keep(fate, raw, arrival, headers, origin)
                if fate.event:
                    counted.append(fate.event)
                elif fate.reason == Reason.UNRECOGNISED:
                    counts.unrecognised += 1
                    counts.unrecognised_kept += 1
                else:
                    counts.dead[fate.reason] += 1
                continue
            if cut:
                counts.dead[Reason.TOO_LARGE] += 1
                letters.append(cut_letter(Cut(**cut), raw, origin, now, self._protection))
                continue
            try:
                event = self._read(raw, arrival, headers, locations, self._limits)
                if event.id and event.id.startswith(own_ids):
                    raise Rejected(Reason.EVENT_ID_RESERVED)
            except NotALogin:
                counts.ignored += 1
                continue
            except Rejected as rejected:
                if rejected.reason is Reason.UNRECOGNISED:
                    counts.unrecognised += 1
                    strange.append(Unrecognised(rejected, raw, origin, headers))
                    continue
                counts.dead[rejected.reason] += 1
                letters.append(dead_letter(rejected, raw, origin, now, headers, protection=self._protection))
                continue
            late = arrival - event.timestamp > late_after
            good.append(_Good(raw, headers, origin, event, event_document(event, origin, period, late, now)))
        timestamps = columns[3]
        for moment, count in Counter(timestamps).items():  # few moments for many records
            counts.arrivals[age_bucket(moment, now)] += count
        counts.arrival_last = max(timestamps, default=None)
        counts.offsets = _ranges(columns[1], columns[2])
        # Spark reads a partition's records in their order
        for partition, row in dict(zip(columns[1], range(batch.num_rows), strict=True)).items():
            if columns[4][row] == _LOG_APPEND_TIME:
                counts.marks[partition] = Mark(columns[2][row], columns[3][row])
        return good, letters, strange

    def _keep(self, fate: Fate, raw: bytes | None, arrival: int, headers: Headers, origin: Origin) -> None:
        """Raise OtherRecord unless the fate is this record's."""
        event = None
        if fate.event:
            with suppress(NotALogin, Rejected):  # as it may read now
                event = self._read(raw, arrival, headers, None, _NO_LIMITS)
        fate.check(raw, event, origin, self._protection)

    @cached_property  # where the worker runs: it cannot travel
    def _protection(self) -> Protection:
        return _protection(self._settings.privacy)

    def _read(
        self, raw: bytes | None, arrival: int, headers: Headers, locations: Locations | None, limits: Limits
    ) -> Event:
        wrapper = Wrapper.of(headers) if headers else PLAIN
        event = read(raw, Arrival(arrival, wrapper), limits, self._format)
        return self._protection.event(enrich(event, locations))


def _ranges(partitions: list[int], offsets: list[int]) -> dict[int, list[OffsetRange]]:
    """Return what was read, by partition. Spark reads a partition's records in their order."""
    ranges: dict[int, list[OffsetRange]] = {}
    places = list(zip(partitions, offsets, strict=True))
    first = 0
    for end in range(1, len(places) + 1):
        partition, last = places[end - 1]
        if end == len(places) or places[end] != (partition, last + 1):
            ranges.setdefault(partition, []).append(OffsetRange(places[first][1], last + 1))
            first = end
    return ranges


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
