# SPDX-License-Identifier: Apache-2.0
"""Sends the values of dead letters to the topic again, and marks each letter before and after.

A letter is marked as sending before its value leaves, and as sent once Kafka has acknowledged it. So whatever
stops a replay, no letter is sent twice unawares: one that is still marked as sending was perhaps sent.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import orjson
from login_common.elastic import Unavailable
from login_common.times import iso
from login_formats.wrapper import Headers

from login_consumer.answers import Item
from login_consumer.dead_letters import SENDING, SENT, Found, Letter, read
from login_consumer.sink import Sink

# A value above the topic's limit makes the client fail others along with it. So a batch stays below the usual
# limit of 1 MiB, and a value that alone is larger goes alone.
_BATCH, _BATCH_BYTES = 500, 512 << 10
_TELL_EVERY_S = 5.0
_MOST_FAULTS = 20


class ReplayStopped(Exception):
    """The replay cannot go on; the text says why and what became of the letters at hand."""


class Record(NamedTuple):
    """What is sent: the value of a letter, where it was, and what its sender told beside it."""

    value: bytes | None
    partition: int
    headers: Headers = ()


class Outcome(NamedTuple):
    """Where a value came to stand in the topic, or why it does not; `unclear` if it perhaps does."""

    partition: int = -1
    offset: int = -1
    fault: str = ""
    unclear: bool = False


class Sender(Protocol):
    """The part of replay_sender.ReplaySender that is used here."""

    def send(self, records: Sequence[Record]) -> list[Outcome]:
        """Send values, each to a partition; return an outcome for each once all are settled."""


class Counts(NamedTuple):
    """How many letters were sent, skipped because another replay had them or they are gone, and failed."""

    sent: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        """How many letters were dealt with."""
        return sum(self)


def batches(letters: Iterable[Found]) -> Iterator[list[Found]]:
    """Yield the letters in groups that are bounded in number and bytes; a larger letter stands alone."""
    batch: list[Found] = []
    size = 0
    for letter in letters:
        if batch and (len(batch) == _BATCH or size + letter.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(letter)
        size += letter.size
    if batch:
        yield batch


class Replay:
    """One run over letters; `tell` gets lines for a person."""

    def __init__(
        self,
        sink: Sink,
        sender: Sender,
        again: bool,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink, self._sender, self._again, self._tell, self._clock = sink, sender, again, tell, clock
        self.counts = Counts()

    def run(self, letters: Iterable[Found], total: int) -> None:
        """Replay `letters`, about `total` of them; see `counts` for what came of it.

        Raises Unavailable or ReplayStopped; `counts` then holds what was done.
        """
        next_tell = self._clock() + _TELL_EVERY_S
        for batch in batches(letters):
            self._replay(batch)
            if self._clock() >= next_tell:
                self._tell(f"{self.counts.done} of {total} done")
                next_tell = self._clock() + _TELL_EVERY_S

    def _replay(self, batch: list[Found]) -> None:
        there = self._sink.ask(read(batch))
        # the states of the search are older than those of now: another replay may run, or an erasure
        wanted = [each for each in there if not each.erased and (self._again or each.state is None)]
        self._count(skipped=len(batch) - len(wanted))
        marked = self._mark_sending(wanted)
        if not marked:
            return
        outcomes = self._sender.send(
            [Record(letter.raw, letter.fields["partition"], letter.headers) for letter in marked]
        )
        sent = sum(not outcome.fault for outcome in outcomes)
        self._count(sent=sent)
        for letter, outcome in zip(marked, outcomes, strict=True):
            if outcome.fault:
                mark = "stays marked as sending, as it was perhaps sent" if outcome.unclear else "is not replayed"
                self._fail(letter, f"{outcome.fault}; the letter {mark}")
        self._mark_outcomes(marked, outcomes)
        if any(outcome.unclear for outcome in outcomes) and not sent:
            raise ReplayStopped("Kafka took nothing of a whole batch; what comes after it was not touched")

    def _mark_sending(self, letters: Sequence[Letter]) -> list[Letter]:
        """Return those letters that are ours now."""
        started = _unique_moment()
        # nulls, since an update would leave what an earlier replay wrote
        mark = {"state": SENDING, "started": started, "at": None, "partition": None, "offset": None}
        lines = [
            _update(letter, mark, if_seq_no=letter.seq_no, if_primary_term=letter.primary_term) for letter in letters
        ]
        items: list[Item] = self._sink.bulk(lines, conflict_is_answer=True) if lines else []
        conflicts = [letter for letter, item in zip(letters, items, strict=True) if item.exists]
        # the mark may be our own: if an answer was lost, the request that was sent again met what it had done itself
        there = {each.id: each.fields.get("replay") for each in self._sink.ask(read(conflicts))} if conflicts else {}
        ours = []
        for letter, item in zip(letters, items, strict=True):
            if item.taken or (item.exists and there.get(letter.id) == mark):
                ours.append(letter)
            elif item.exists:  # another replay was quicker
                self._count(skipped=1)
            else:
                self._fail(letter, f"it cannot be marked ({item.kind}: {item.reason}); run the playbook for its fields")
        return ours

    def _mark_outcomes(self, letters: Sequence[Letter], outcomes: Sequence[Outcome]) -> None:
        at = iso(time.time_ns() // 1_000_000)
        lines, sent = [], 0
        for letter, outcome in zip(letters, outcomes, strict=True):
            if outcome.unclear:
                continue
            sent += not outcome.fault
            mark = {"state": SENT, "at": at, "partition": outcome.partition, "offset": outcome.offset}
            lines.append(_update(letter, None if outcome.fault else mark, retry_on_conflict=3))
        try:
            self._sink.bulk(lines)
        except Unavailable as error:
            raise ReplayStopped(
                f"{sent} letters were sent, but perhaps stay marked as sending, from {letters[0].id} "
                f"to {letters[-1].id}: {error}; do not give --again for them"
            ) from error

    def _fail(self, letter: Letter, fault: str) -> None:
        self._count(failed=1)
        if self.counts.failed <= _MOST_FAULTS:
            self._tell(f"{letter.id}: {fault}")
        elif self.counts.failed == _MOST_FAULTS + 1:
            self._tell("further failures are only counted")

    def _count(self, sent: int = 0, skipped: int = 0, failed: int = 0) -> None:
        now = self.counts
        self.counts = Counts(now.sent + sent, now.skipped + skipped, now.failed + failed)


def _unique_moment() -> str:
    """Return the time as Elasticsearch takes it, to the nanosecond: no two replays begin in the same one."""
    ms, rest = divmod(time.time_ns(), 1_000_000)
    return f"{iso(ms)[:-1]}{rest:06}Z"


def _update(letter: Letter, replay: dict[str, Any] | None, **options: int) -> bytes:
    action = {"update": {"_index": letter.index, "_id": letter.id, **options}}
    return orjson.dumps(action) + b"\n" + orjson.dumps({"doc": {"replay": replay}}) + b"\n"
