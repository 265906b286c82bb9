# SPDX-License-Identifier: Apache-2.0
"""Which records a process has died of, however it died: beside the checkpoint, so that it outlives the process.

Only the first batch of a start is noted, so an ordinary batch costs nothing. If the process dies of it, it is read in
parts by the next one, one after the other; a part that kills the process is divided further, down to the record, which
is given up after MOST_DEATHS. Number and ranges of the batch stay as they are planned: only how it is read changes.
Parts are cells of one grid over a partition, so that deaths are found again if a start plans other ranges.
"""

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from login_common.elastic import Unavailable
from login_common.settings import SettingsError

from login_consumer.checkpoint import sync, write_durably
from login_consumer.hops import HopFailed
from login_consumer.progress import Ranges

log = logging.getLogger(__name__)

MOST_DEATHS = 3
"""So often the process dies while it reads one record and nothing else; then the record is given up."""
_PARTS = 16
"""A range that kills is divided into so many: each start takes seconds, each part less than one."""


class Piece(NamedTuple):
    """Records of one partition: the first offset, and the one after the last."""

    partition: int
    first: int
    next: int


Part = tuple[Piece, ...]
"""What is read at once."""


class Orderly(Exception):
    """What ends a try of a batch by a decision: the process is well, so no record is at fault."""


_ORDERLY = (Orderly, Unavailable, HopFailed, SettingsError)


class Tries:
    """The tries that did not end, by part of the topic. Only the process that has the checkpoint's lock uses it."""

    def __init__(self, checkpoint_dir: Path, topic_id: str) -> None:
        """Read what the processes before have left. Of another topic, or of a damaged file, nothing counts."""
        self._file = checkpoint_dir.with_name(f"{checkpoint_dir.name}.tries")
        self._topic_id = topic_id
        self._deaths: Counter[Part] = self._read()
        self._cells: dict[Part, Part] = {}
        """The cell of the grid that a part, which may be less of it at the edge of a batch, stands for."""
        self._trying: Part | None = None
        self._closed = False
        self._lock = threading.Lock()

    def parts(self, batch: Ranges) -> list[Part]:
        """Return in which parts `batch` is to be read: mostly one, which is all of it.

        Single records of which a process has died come last: if one of them kills this process as well, it has read
        all others before, so nothing but the record is at fault.
        """
        whole = tuple(Piece(p, *each) for p, each in sorted(batch.items()) if each.first < each.next)
        self._cells = {}
        if not any(_overlap(one, other) for dead in self._deaths for one in dead for other in whole):
            return [whole] if whole else []
        width = 1
        while width * _PARTS < size(whole):
            width *= _PARTS
        parts = [part for piece in whole for part in self._divided(piece, width)]
        return sorted(parts, key=lambda part: self._deaths[self._cell(part)])

    def hopeless(self, part: Part) -> bool:
        """Return whether `part` is one record that is to be given up."""
        return size(part) == 1 and self._deaths[self._cell(part)] >= MOST_DEATHS

    @contextmanager
    def trying(self, part: Part) -> Iterator[None]:
        """Note that `part` is being read, until the block ends. It counts as a death if the process does not live on.

        So does an error of the block that is no decision, such as of a worker that has died.
        """
        cell = self._cell(part)
        before = self._deaths[cell]
        self._note(cell, before + 1)
        self._trying = cell
        try:
            yield
        except _ORDERLY:
            self._take_back(before)
            raise
        self._take_back(0)

    def take_back(self) -> None:
        """Let what is being read not count as a death, whatever ends it: the operator or Kafka does."""
        with self._lock:
            self._closed = True
        if self._trying:
            self._take_back(self._deaths[self._trying] - 1)

    def over(self) -> None:
        """Forget all: the batch is recorded."""
        if self._deaths:
            self._deaths.clear()
            self._save()

    def _take_back(self, deaths: int) -> None:
        part, self._trying = self._trying, None
        if part:
            self._note(part, deaths, always=True)

    def _note(self, part: Part, deaths: int, always: bool = False) -> None:
        with self._lock:
            if self._closed and not always:
                raise Orderly("the consumer is being stopped")
            self._deaths[part] = deaths
            self._deaths += Counter()  # without those that are 0
            self._save()

    def _cell(self, part: Part) -> Part:
        return self._cells.get(part, part)

    def _divided(self, piece: Piece, width: int) -> Iterator[Part]:
        """Yield the parts of `piece` in cells of so many offsets, those that have killed in smaller ones."""
        for start in range(piece.first // width * width, piece.next, width):
            part = Piece(piece.partition, max(start, piece.first), min(start + width, piece.next))
            cell = Piece(piece.partition, start, start + width)
            if part.next - part.first == 1:
                yield (part,)
            elif self._deaths[(cell,)]:
                yield from self._divided(part, width // _PARTS)
            else:
                self._cells[(part,)] = (cell,)
                yield (part,)

    def _read(self) -> Counter[Part]:
        try:
            told = json.loads(self._file.read_text(encoding="utf-8"))
            if told["topic_id"] != self._topic_id:
                return Counter()
            return Counter({tuple(Piece(*piece) for piece in part): int(deaths) for part, deaths in told["deaths"]})
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read, so deaths before this start do not count: %s", self._file, error)
        return Counter()

    def _save(self) -> None:
        if self._deaths:
            state = {"topic_id": self._topic_id, "deaths": list(self._deaths.items())}
            write_durably(self._file, json.dumps(state, indent=1))
        else:
            self._file.unlink(missing_ok=True)
            sync(self._file.parent)


def size(part: Part) -> int:
    """Return how many offsets there are in `part`."""
    return sum(each.next - each.first for each in part)


def _overlap(one: Piece, other: Piece) -> bool:
    return one.partition == other.partition and one.first < other.next and other.first < one.next
