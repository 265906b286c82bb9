# SPDX-License-Identifier: Apache-2.0
"""Records from files: followed through rotations and restarts, or read once."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from login_common.files import replace_file

from login_producer.counters import Counters, keep_damaged
from login_producer.settings import FileSettings
from login_producer.sources import Event, Source, places
from login_producer.sources.content import DamagedGzip, Replaced
from login_producer.sources.tail import Tail, restored
from login_producer.sources.taking import MAX_UNSETTLED_BYTES, take
from login_producer.sources.watch import Watch

log = logging.getLogger(__name__)

POLL_S = 0.2
GRACE_S = 30.0
"""How long a rotated file has to be quiet: programs write to it until they are told of the rotation."""
_MAX_OPEN = 200
_REST = 19  # times what a look takes: with thousands of files, it is a twentieth of the time
_CHUNKS_IN_A_ROW = 16  # of one file, before the others get their turn
_SHOWN = 20
_SAVE_AGAIN_S = 30.0  # without news, since the time of the last look is kept too


class FileSource(Source):
    """The records of all files that the settings' paths stand for."""

    repeats = True

    def __init__(self, settings: FileSettings, positions: Path, counters: Counters) -> None:
        """Go on where the file `positions` says. Raises SourceError if there is nothing to read once."""
        self._follow, self._positions = settings.follow, positions
        looked, remembered = _load(positions, settings, counters)
        self._watch = Watch(settings, counters, remembered, looked)
        self._watch.look()
        log.info("%d files to read", len(self._watch.tails))
        for path in settings.paths:
            if not places.files(path):
                log.warning("there is no file %s yet, or its folder may not be listed: waiting for it", path)
        self._events = self._read()
        self._saved: list[dict[str, Any]] | None = None
        self._save_again = 0.0
        self._failures: list[str] = []
        self._opened = 0  # files that are open

    def take(self, most: int) -> Sequence[Event]:
        """Return what there is to read now, at most so many events. Raises SourceError."""
        events, self.ended = take(self._events, most)
        if self.ended and self._failures:
            self.failure = "; ".join(self._failures)
        return events

    def save(self) -> None:
        """Write the positions, if they have changed. Raises OSError."""
        watch, now = self._watch, time.monotonic()
        tails = [*watch.tails.values(), *(tail for tail, _ in watch.lost), *watch.past]
        entries = [tail.entry() for tail in tails]
        if entries != self._saved or now > self._save_again:
            replace_file(self._positions, json.dumps({"looked": watch.looked, "files": entries}))
            self._saved, self._save_again = entries, now + _SAVE_AGAIN_S

    def status(self) -> dict[str, Any]:
        """Return how far the files are, those furthest behind first."""
        files = [tail.status() for tail in self._watch.tails.values()]
        files.sort(key=lambda file: -file["lag_bytes"])
        lag = sum(file["lag_bytes"] for file in files)
        return {"type": "file", "lag_bytes": lag, "files": files[:_SHOWN], "more_files": max(0, len(files) - _SHOWN)}

    def close(self) -> None:
        """Close all files."""
        for tail in self._watch.tails.values():
            tail.detach()

    def _read(self) -> Iterator[Event | None]:
        next_look = 0.0
        while True:
            news = False
            self._opened = sum(tail.attached for tail in self._watch.tails.values())
            for tail in list(self._watch.tails.values()):
                for _ in range(_CHUNKS_IN_A_ROW):
                    yield from self._some(tail)
                    if not tail.attached or tail.idle:
                        break
                    while self._unsettled_bytes() > MAX_UNSETTLED_BYTES:
                        yield None
                news |= tail.attached and not tail.idle
            if not news:
                if not self._follow:
                    return
                again = time.monotonic() + POLL_S
                yield None
                while time.monotonic() < again:
                    yield None
            began = time.monotonic()
            if self._follow and began >= next_look:
                self._watch.look()
                self._close_some()
                ended = time.monotonic()
                next_look = ended + max(POLL_S, _REST * (ended - began))

    def _some(self, tail: Tail) -> Iterator[Event]:
        """Yield the next events of a file."""
        watch = self._watch
        try:
            if not tail.attached:
                if not tail.changed or not self._may_open() or not watch.open(tail):
                    return
                self._opened += 1
            yield from tail.more()
            rest = tail.rotated and (time.monotonic() - tail.last_data > GRACE_S or self._opened > _MAX_OPEN)
            if tail.idle and (not self._follow or rest):
                yield from self._finish(tail)
        except Replaced:
            watch.cut_off(tail)
            if not self._follow:
                self._fail(tail, "was cut off or written anew while it was read")
        except (DamagedGzip, OSError) as error:
            self._fail(tail, f"cannot be read on from offset {tail.progress.read.end}: {error}")
            tail.leave()

    def _finish(self, tail: Tail) -> Iterator[Event]:
        """Yield the last event of a file to which nothing more will be written."""
        if tail.cut_short:
            self._fail(tail, "is cut short: gzip has not written its end; put the whole file there")
        else:
            yield from tail.finish()
        if tail.listed:
            tail.leave()
        else:
            self._watch.finished(tail)

    def _fail(self, tail: Tail, text: str) -> None:
        self._watch.complain(tail.path, text)
        if not self._follow:
            self._failures.append(f"{tail.path} {text}")

    def _unsettled_bytes(self) -> int:
        return sum(tail.unsettled_bytes for tail in self._watch.tails.values())

    def _may_open(self) -> bool:
        """Return whether one more file may be open, after closing some if there are too many."""
        if self._opened >= 2 * _MAX_OPEN:
            self._close_some()
            self._opened = sum(tail.attached for tail in self._watch.tails.values())
        return self._opened < 2 * _MAX_OPEN

    def _close_some(self) -> None:
        """Keep few files open: those that were written to last."""
        idle = [tail for tail in self._watch.tails.values() if tail.attached and tail.idle and tail.listed]
        idle.sort(key=lambda tail: tail.last_data)
        for tail in idle[:-_MAX_OPEN]:
            tail.leave()


def _load(path: Path, settings: FileSettings, counters: Counters) -> tuple[float | None, list[Tail]]:
    """Return when an earlier run last looked, and what it knew of the files."""
    try:
        content = json.loads(path.read_text())
        tails = [restored(entry, settings, counters) for entry in content["files"]]
        return content["looked"], tails
    except FileNotFoundError:
        return None, []
    except (ValueError, TypeError, KeyError) as error:
        keep_damaged(
            path,
            error,
            "all files are read again from their beginning; what was sent before has the same ids, and counts as "
            "duplicates",
        )
        return None, []
