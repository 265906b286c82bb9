# SPDX-License-Identifier: Apache-2.0
"""login-consumer audit: does every record that was read stand somewhere, and do the windows count every event?

Exact while the consumer runs, too: only what finished batches wrote is compared. While some indices cannot be read, the
others are compared all the same, and nothing is called balanced.
"""

import time
from collections import Counter
from itertools import pairwise
from typing import Any

from login_common.elastic import Client, Query, by_index
from login_common.times import END_OF_TIME, iso
from login_formats.reasons import Reason

from login_consumer.balance import Audit
from login_consumer.counts import OffsetRange, accounted, joined
from login_consumer.dead_letters import newest
from login_consumer.documents import (
    DEAD_LETTERS,
    EVENTS,
    FAMILIES,
    METRICS,
    PIPELINE,
    WINDOW_FIELDS,
    WindowKey,
    index_name,
    metric_id,
)
from login_consumer.kafka_side import topic_state
from login_consumer.left_out import LeftOut
from login_consumer.periods import Index, first_kept
from login_consumer.plan import TopicState
from login_consumer.progress import Progress, last_progress
from login_consumer.settings import Settings
from login_consumer.sink import Sink
from login_consumer.windows import (
    EVENT_PLACE,
    LETTER_PLACE,
    Position,
    Span,
    at_places,
    between,
    counted_events,
    ends_behind,
    metrics,
    refresh,
    side_by_side,
    widened,
)

_SUMS = ("read", "skipped", "indexed", "duplicates", "ignored", "unrecognised", "unrecognised_kept")
_FURTHER = ("@timestamp", "sequence", "dead_by_reason", "indexed_by_index", "loss", "topic_id", "ranges")
_PAGE = 5000
_MOST_TOLD = 20
_IN_FLIGHT_SECONDS = 60


def audit(settings: Settings, span: Span | None) -> Audit:
    """Audit the batches written, and the windows that start, in `span` (None: all). Raises Unavailable, HopFailed."""
    auditor = _Auditor(settings, span)
    found = auditor.run()
    found.unreadable = auditor.left.unreadable
    return found


class _Auditor:
    def __init__(self, settings: Settings, span: Span | None) -> None:
        self._settings, self._span = settings, span
        self._sink = Sink(settings.elasticsearch)
        self._found = Audit()
        self._places: dict[tuple[str, int], list[OffsetRange]] = {}
        self._by_index: Counter[str] = Counter()
        self._told_by_index = True
        self._now = round(time.time() * 1000)
        self.left = LeftOut({})

    def run(self) -> Audit:
        kafka = topic_state(self._settings.kafka)
        self.left = self._sink.ask(LeftOut.ask)
        self._sink.leave_out(self.left.unreadable)
        progress = self._sink.ask(lambda client: last_progress(client, self._settings.kafka.topic))
        # After that: a batch that ends in between is left to the next audit, and what it wrote does not matter.
        refresh(self._sink, *FAMILIES)
        hidden = self.left.may_hide_newer(progress.index if progress else "")
        if progress is None and hidden:
            self._found.not_compared.append("anything: no account can be read")
            return self._found
        if progress is None:
            self._found.faults.append(
                "there is no progress document: nothing was consumed, or its indices were deleted"
            )
            return self._found
        self._sink.ask(lambda client: self._read_accounts(client, progress))
        self._check_sums()
        self._sink.ask(self._check_stored)
        if hidden:
            self._found.not_compared.append(
                "Kafka and the windows: newer accounts than those that were read are hidden"
            )
            return self._found
        self._check_kafka(kafka, progress)
        self._check_windows(progress)
        return self._found

    def _read_accounts(self, client: Client, last: Progress) -> None:
        # Batches that end after `last` was looked up are left to the next audit.
        wanted = [
            {"term": {"topic": self._settings.kafka.topic}},
            {"range": {"sequence": {"lte": last.sequence}}},
            *between("@timestamp", self._span),
        ]
        self._found, self._places, self._by_index, self._told_by_index = Audit(), {}, Counter(), True
        after: list[Any] | None = None
        while True:
            hits = client.search(
                index=f"{PIPELINE}-*",
                query={"bool": {"filter": wanted}},
                source_includes=[*_SUMS, *_FURTHER],
                sort=["sequence", "lineage", "batch"],
                search_after=after,
                size=_PAGE,
                track_total_hits=False,
            )["hits"]["hits"]
            for hit in hits:
                self._add(hit["_source"])
            if len(hits) < _PAGE:
                return
            after = hits[-1]["sort"]

    def _add(self, fields: dict[str, Any]) -> None:
        found = self._found
        if not found.batches and fields["sequence"] > 0 and self._span is None:
            found.since = fields["@timestamp"]
        found.batches += 1
        self._by_index.update(fields.get("indexed_by_index", {}))
        self._told_by_index &= "indexed_by_index" in fields or not fields["indexed"]
        for name in _SUMS:
            # accounts of before an update lack what came with it: there was none
            setattr(found, name, getattr(found, name) + fields.get(name, 0))
        if (more := -fields.get("skipped", 0)) > 0:
            found.faults.append(
                f"{more} records more were read by the batch of {fields['@timestamp']} than it has offsets: "
                "they are events and dead letters, or stored twice"
            )
        found.dead.update(fields["dead_by_reason"])
        found.losses += [fields["loss"]] if "loss" in fields else []
        for told in fields["ranges"]:
            first, next_ = told["first"], told["next"]
            found.offsets += next_ - first
            ranges = self._places.setdefault((fields["topic_id"], told["partition"]), [])
            if ranges and ranges[-1].next == first:  # as always but at a fault: so few are kept for many batches
                first = ranges.pop().first
            ranges.append(OffsetRange(first, next_))

    def _check_sums(self) -> None:
        found = self._found
        self._fault_unless(found.offsets == found.read + found.skipped, "offsets differ from records read and skipped")
        told = accounted(found.indexed, found.duplicates, found.ignored, found.unrecognised, found.dead)
        self._fault_unless(found.read == told, f"{found.read} records were read, but {told} became something")
        for (topic_id, partition), ranges in sorted(self._places.items()):
            whole = joined(ranges)
            twice = sum(r.next - r.first for r in ranges) - sum(r.next - r.first for r in whole)
            self._fault_unless(
                twice == 0, f"{twice} offsets of partition {partition} stand in two progress documents ({topic_id})"
            )
            if self.left.of(PIPELINE):  # which may tell of them
                continue
            for before, after in pairwise(whole):
                gap = f"offsets {before.next} to {after.first - 1} of partition {partition}"
                self._found.faults.append(f"{gap} stand in no progress document of login-pipeline-* ({topic_id})")

    def _check_stored(self, client: Client) -> None:
        found = self._found
        places = {place: joined(ranges) for place, ranges in self._places.items()}
        stored_events = by_index(client, f"{EVENTS}-*", at_places(EVENT_PLACE, places))
        found.too_old = sum(count for name, count in self._by_index.items() if self._is_too_old(name))
        found.events_stored = sum(
            each["doc_count"] for name, each in stored_events.items() if not self._is_too_old(name)
        )
        stored = Counter(newest(client, at_places(LETTER_PLACE, places), 0).reasons)
        found.unrecognised_stored = stored[Reason.UNRECOGNISED]
        found.dead_stored = stored.total() - found.unrecognised_stored
        letters = found.dead + Counter({str(Reason.UNRECOGNISED): found.unrecognised_kept})
        told = found.indexed - found.too_old - self._hidden_events()
        self._fault_unless(
            found.events_stored == told, f"the batches report {told} events, {found.events_stored} are stored"
        )
        for name in sorted(filter(self._is_too_old, stored_events)) if self._told_by_index else ():
            # the retention may have deleted some of them, but has not added any
            told, there = self._by_index[name], stored_events[name]["doc_count"]
            self._fault_unless(there <= told, f"the batches report {told} events in {name}, {there} are stored")
        for reason in sorted(stored.keys() | letters.keys()):
            told = letters[reason]
            hidden = bool(self.left.of(DEAD_LETTERS))
            self._fault_unless(
                told == stored[reason] or (hidden and told > stored[reason]),
                f"the batches report {told} dead letters {reason}, {stored[reason]} are stored",
            )

    def _hidden_events(self) -> int:
        """Return how many events the accounts tell of in indices that are not seen, and note those that are gone."""
        wanted = {name: count for name, count in self._by_index.items() if count and not self._is_too_old(name)}
        self.left.expect(index for name in wanted if (index := Index.of(name)))
        for index in self.left.missing:
            told = (
                f"the batches report {wanted[index.name]} events in it"
                if index.name in wanted
                else "events count in it"
            )
            cure = (
                "'login-consumer rebuild' makes it again" if index.family == METRICS else "restore it (docs/backup.md)"
            )
            self._found.faults.append(f"index {index.name} is not there, and {told}: {cure}")
        return sum(count for name, count in wanted.items() if self.left.hides(name))

    def _is_too_old(self, name: str) -> bool:
        index = Index.of(name)
        return index is not None and index.is_over(self._now, self._settings.events.max_age_days)

    def _check_kafka(self, kafka: TopicState, progress: Progress) -> None:
        if progress.topic_id != kafka.topic.id:
            self._found.faults.append(f"the topic was made anew: its id was {progress.topic_id}, is {kafka.topic.id}")
            return
        done = {p: progress.offsets.get(p, 0) for p in kafka.ends}
        self._found.not_read_yet = sum(max(0, end - done[p]) for p, end in kafka.ends.items())
        for p, first in kafka.first.items():
            self._fault_unless(
                done[p] >= first,
                f"offsets {done[p]} to {first - 1} of partition {p} are gone from Kafka, and were not read",
            )
        written = ends_behind(self._sink, Position(progress.topic_id, progress.offsets))
        if any(end > kafka.ends.get(p, 0) for p, end in written.items()):
            now = topic_state(self._settings.kafka)  # a running batch may have written what Kafka did not hold before
            for p, end in written.items():
                self._fault_unless(
                    now.topic.id != kafka.topic.id or end <= now.ends.get(p, 0),
                    f"partition {p} ends at {now.ends.get(p, 0)}, and something is stored of it up to offset {end}",
                )

    def _check_windows(self, progress: Progress) -> None:
        window_ms = self._settings.metrics.window_seconds * 1000
        events = self._settings.events
        span, kept = widened(self._span, window_ms), first_kept(self._now, events.max_age_days, events.period)
        self._found.events_since = iso(kept)
        span = Span(max(kept, span.first), max(kept, span.next)) if span else Span(kept, END_OF_TIME)
        position = Position(progress.topic_id, progress.offsets)
        doubtful = []
        for part in self.left.seen(span):
            counted, stored = counted_events(self._sink, position, part, window_ms), metrics(self._sink, part)
            for key, from_events, from_metrics in side_by_side(counted, stored):
                self._found.windows += from_metrics > 0
                self._found.windows_sum += from_metrics
                if from_events != from_metrics:
                    doubtful.append(key)
        faults = self._look_again(doubtful, progress)
        self._found.faults += faults
        if faults:
            self._found.faults.append("'login-consumer rebuild' counts the windows anew from the events")

    def _look_again(self, doubtful: list[WindowKey], last: Progress) -> list[str]:
        """Return the faults among windows that differed; those that a running batch has just changed are none."""
        faults: list[str] = []
        end = time.monotonic() + _IN_FLIGHT_SECONDS
        for number, key in enumerate(doubtful):
            if len(faults) == _MOST_TOLD:
                return [*faults, f"and perhaps some of {len(doubtful) - number} more windows, which were not looked at"]
            while (told := self._sink.ask(lambda client, key=key: self._compare(client, key, last))) is None:  # type: ignore[misc]
                if time.monotonic() > end:
                    told = f"window {_name(key)} was changed by a batch that does not end"
                    break
                time.sleep(0.2)
            if told:
                faults.append(told)
        return faults

    def _compare(self, client: Client, key: WindowKey, last: Progress) -> str | None:
        """Return "" if the window is right, else its fault; None if the batch that changed it has not ended."""
        index = index_name(METRICS, key.start)
        client.refresh([f"{METRICS}-*", f"{PIPELINE}-*", f"{EVENTS}-*"])
        hits = client.search(index=f"{METRICS}-*", query={"ids": {"values": [metric_id(key)]}})
        stored = next((hit["_source"] for hit in hits["hits"]["hits"] if hit["_index"] == index), None)
        progress = last
        if stored:
            its_id = f"{stored['lineage']}-{stored['last_batch']}"
            accounts = client.search(index=f"{PIPELINE}-*", query={"ids": {"values": [its_id]}})["hits"]["hits"]
            if not accounts and stored["lineage"] == last.lineage and stored["last_batch"] > last.batch:
                return None
            if accounts and accounts[0]["_source"]["sequence"] > last.sequence:
                progress = Progress.of(accounts[0]["_source"])
        position = Position(progress.topic_id, progress.offsets)
        window_ms = self._settings.metrics.window_seconds * 1000
        query = position.query(*between("@timestamp", Span(key.start, key.start + window_ms)), *_fields_of(key))
        events = client.number_of(f"{EVENTS}-*", query)
        count = stored["count"] if stored else 0
        return "" if events == count else f"window {_name(key)} counts {count}, but {events} events are in it"

    def _fault_unless(self, right: bool, fault: str) -> None:
        if not right:
            self._found.faults.append(fault)


def _fields_of(key: WindowKey) -> list[Query]:
    fields = {name: getattr(key, attribute) for attribute, name in WINDOW_FIELDS.items()}
    return [
        {"term": {name: value}} if value is not None else {"bool": {"must_not": {"exists": {"field": name}}}}
        for name, value in fields.items()
    ]


def _name(key: WindowKey) -> str:
    return f"{iso(key.start)} {key.country or '-'} {key.browser or '-'} {key.outcome}"
