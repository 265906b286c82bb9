# SPDX-License-Identifier: Apache-2.0
"""Which files there are to read: found by their paths, and after a rotation by what they hold."""

import glob
import logging
import os
import time
from collections import defaultdict
from pathlib import Path

from login_producer.counters import Counters
from login_producer.settings import FileSettings
from login_producer.sources import SourceError, places
from login_producer.sources.complaints import Complaints
from login_producer.sources.content import DamagedGzip, Mark, beginning
from login_producer.sources.rotation import Inodes, family, is_copy, regular, regular_files
from login_producer.sources.tail import Key, Tail

log = logging.getLogger(__name__)

SEARCH_S = 60.0
"""How long the rest of a file is looked for that is gone: gzip takes its time."""
_PAST = 100  # finished files that are remembered, so as to know their compressed copies
_PACKING_S = 2.0  # gzip sets the time of its output back when it has finished
_CLOCK_SLACK_S = 1.0  # between the clock and times of files
_AGAIN_S = 1.0  # between two comparisons of a file with those it may be a copy of
_COMPARED = 50  # of those that a file may be a copy of, the newest: what is read twice has the same ids

Found = dict[Key, tuple[Path, os.stat_result]]


class Watch:
    """Keeps one tail for each file."""

    def __init__(
        self, settings: FileSettings, counters: Counters, remembered: list[Tail], looked: float | None
    ) -> None:
        """Go on with what is remembered from an earlier run.

        `looked` tells when that run last looked, in seconds since 1970; None: there was none.
        """
        self._settings, self._counters = settings, counters
        self._remembered, self._looked = remembered, looked
        self.tails: dict[Key, Tail] = {}
        """The files being read, whether or not there is something new in them."""
        self.lost: list[tuple[Tail, float]] = []
        """What has to be read on but was not found yet, and until when (monotonic) it is looked for."""
        self.past: list[Tail] = []
        """What is finished, the newest last."""
        self._expected = [Path(path) for path in settings.paths if not glob.has_magic(path)]
        self._folders: dict[Path, int] = {}  # when each had changed (ns) at the last look
        self._held: dict[Path, float] = {}  # not yet to be told from a copy, and when to compare it again
        self._next_search = 0.0
        self.complain = Complaints()
        # of one look: what is read, by what rotated files have in common, and which names files have
        self._kin: dict[tuple[Path, str], list[Tail]] = {}
        self._inodes = Inodes()

    @property
    def looked(self) -> float | None:
        """When `look` last began, in seconds since 1970."""
        return self._looked

    def look(self) -> None:
        """Bring the tails up to date with the files. Raises SourceError."""
        began = time.time()
        self._inodes = Inodes()
        found = self._found()
        self._restore(found)
        for tail in list(self.tails.values()):
            try:
                self._check(tail, found)
            except OSError as error:
                self.complain(tail.path, f"cannot be read on: {error.strerror}")
                tail.detach()
        self._kin = defaultdict(list)
        for tail in self.tails.values():
            self._kin[tail.family].append(tail)
        for key, (path, status) in found.items():
            if key not in self.tails:
                self._meet(path, status)
        there = {path for path, _ in found.values()}
        for path in [path for path in self._held if path not in there]:
            if status_now := regular(path):
                self._meet(path, status_now)
            else:
                del self._held[path]
        if time.monotonic() >= self._next_search:
            self._next_search = time.monotonic() + _AGAIN_S
            self._search()
        self._meet_missed(found)
        self._looked = began

    def _check(self, tail: Tail, found: Found) -> None:
        """Learn what has become of the file of a tail. Raises OSError."""
        if tail.attached and tail.replaced():
            self.cut_off(tail)
            return
        now = found.get(tail.key)
        tail.listed = now is not None
        if now is None:
            tail.rotated = True
            now = None if tail.attached else self._inodes.find(tail.path.parent, tail.key[1])
        if now is not None:
            tail.moved(*now)
        if tail.listed or tail.attached:
            return
        if not tail.changed:
            self.finished(tail)
        elif now is None:
            del self.tails[tail.key]
            self._lose(tail)

    def cut_off(self, tail: Tail) -> None:
        """Begin anew with a file that was cut off or written anew; its old rest may be in a copy."""
        tail.detach()
        del self.tails[tail.key]
        log.info("%s was cut off or written anew: it is read from its beginning", tail.path)
        self._lose(tail)

    def finished(self, tail: Tail) -> None:
        """Note that a file is read and will not grow."""
        tail.detach()
        tail.done = True
        del self.tails[tail.key]
        self._pass(tail)

    def open(self, tail: Tail) -> bool:
        """Open the file of a tail, if it is still there; else `look` will find out.

        Raises DamagedGzip, and OSError where there is no next time.
        """
        status = regular(tail.path)
        if status is None or (status.st_dev, status.st_ino) != tail.key:
            return False
        try:
            if not tail.stands_in(tail.path, unread=True):
                self.cut_off(tail)
                return False
            if tail.attach(tail.path) != tail.key:  # just now another came to its place
                tail.detach()
                return False
        except OSError as error:
            if not self._settings.follow:
                raise
            self.complain(tail.path, f"cannot be read: {error.strerror}; check its owner, group and mode")
            return False
        return True

    def _is_ours(self, path: Path) -> bool:
        folder, name = family(path)
        patterns = self._settings.paths
        return any(places.stands_for(pattern, each) for pattern in patterns for each in (path, folder / name))

    def _found(self) -> Found:
        """Return the files at the settings' paths, the oldest first."""
        found = []
        for pattern in self._settings.paths:
            files = [(path, status) for path in places.files(pattern) if (status := regular(path))]
            if not files and not self._settings.follow:
                raise SourceError(f"source.paths: there is no file {pattern}; check the path, and the rights on it")
            found += files
        found.sort(key=lambda each: each[1].st_mtime)
        # Of several names of a file it keeps the one that it had, else has its own before those of links: a link that
        # somebody makes must not pass it off as rotated, or as packed.
        known = {tail.path for tail in [*self._remembered, *self.tails.values()]}
        names: Found = {}
        for path, status in found:
            key = (status.st_dev, status.st_ino)
            if key not in names or _rank(path, known) < _rank(names[key][0], known):
                names[key] = (path, status)
        return names

    def _restore(self, found: Found) -> None:
        """Find the files that were read before."""
        remembered, self._remembered = self._remembered, []
        for tail in remembered:
            go_on = self._settings.follow and not tail.done and self._is_ours(tail.path)
            now = found.get(tail.key) or self._inodes.find(tail.path.parent, tail.key[1])
            if now and tail.goes_on_in(now[0], unread=True):
                key = (now[1].st_dev, now[1].st_ino)  # the device's number may be another after a restart
                if key not in self.tails and (key in found or go_on):
                    tail.key = key
                    tail.moved(*now)
                    self.tails[key] = tail
                    continue
            if go_on:
                self._lose(tail)
            else:
                self._pass(tail)

    def _meet(self, path: Path, status: os.stat_result) -> None:
        """Decide what a file is that has not been read under this inode."""
        if time.monotonic() < self._held.get(path, 0.0):
            return
        self._held.pop(path, None)
        if not status.st_size:
            return  # a copy that is being made begins like that
        begin = beginning(path)
        if self._settings.follow:
            own = family(path)
            for tail in [lost for lost, _ in self.lost] + self.past:
                if tail.family == own and tail.may_begin(begin) and tail.goes_on_in(path):
                    self._go_on(tail, path)
                    return
            # a time in the future is one of a clock that was set back since
            packing = path.suffix == ".gz" and abs(time.time() - status.st_mtime) < _PACKING_S
            kin = [tail for tail in self._kin.get(own, ())[-_COMPARED:] if tail.may_begin(begin)]
            if packing or any(self._copies(path, tail) for tail in kin):
                self._held[path] = time.monotonic() + _AGAIN_S
                return
        self._begin(path, (status.st_dev, status.st_ino), begin)

    def _copies(self, path: Path, tail: Tail) -> bool:
        """Return whether `path` is, or may become, a copy of what is being read."""
        if self.tails.get(tail.key) is not tail:
            return False
        if tail.rotated and tail.goes_on_in(path):
            return True  # the tail will be finished soon, and then goes on there
        status = regular(tail.path)
        if status is None or (status.st_dev, status.st_ino) != tail.key:
            return False
        try:
            # in this order: it may be copied and cut off just now
            return is_copy(path, tail.path) or (tail.attached and tail.replaced())
        except OSError:
            return False

    def _begin(self, path: Path, key: Key, begin: bytes) -> None:
        # Known by its first bytes from now on: it may be cut off, and its copy be found, before any is settled.
        tail = Tail(self._settings, self._counters, path, key, Mark.of(0, 0, begin))
        self.tails[key] = tail
        self._kin.setdefault(tail.family, []).append(tail)

    def _go_on(self, tail: Tail, path: Path) -> None:
        self.lost = [each for each in self.lost if each[0] is not tail]
        self.past = [each for each in self.past if each is not tail]
        tail.done = False
        log.info("%s goes on in %s at offset %d", tail.path, path, tail.progress.read.end)
        try:
            tail.key = tail.attach(path)
        except (OSError, DamagedGzip):  # gone again, or being written
            self._lose(tail)
            return
        tail.rotated |= family(path)[1] != path.name
        self.tails[tail.key] = tail

    def _lose(self, tail: Tail) -> None:
        if tail.known:
            self.lost.append((tail, time.monotonic() + SEARCH_S))

    def _pass(self, tail: Tail) -> None:
        self.past.append(tail)
        settled = [each for each in self.past if not each.unsettled_bytes]
        for each in settled[:-_PAST]:
            self.past.remove(each)

    def _search(self) -> None:
        """Look beside the old places for what has to be read on."""
        beside: dict[tuple[Path, str], list[tuple[Path, os.stat_result]]] = defaultdict(list)
        for folder in {tail.path.parent for tail, _ in self.lost}:
            for path, status in regular_files(folder):
                beside[family(path)].append((path, status))
        for tail, until in list(self.lost):
            for path, status in beside[tail.family]:
                if (status.st_dev, status.st_ino) not in self.tails and tail.goes_on_in(path):
                    self._go_on(tail, path)
                    break
            else:
                if time.monotonic() > until:
                    self.lost = [each for each in self.lost if each[0] is not tail]
                    tail.done = True
                    self._pass(tail)
                    log.warning(
                        "%s was removed, cut off or packed, and is not found under another name beside it: what it "
                        "held behind offset %d is not sent, if there was anything; if there is a copy, send that",
                        tail.path,
                        tail.progress.read.end,
                    )

    def _meet_missed(self, found: Found) -> None:
        """Meet files that came to one of our places, and were rotated away, between two looks."""
        since, paths = self._looked, [*self._expected, *(path for path, _ in found.values())]
        paths += [tail.path for tail in [*self.tails.values(), *(lost for lost, _ in self.lost)]]
        ours = {family(path) for path in paths}
        for folder in {folder for folder, _ in ours}:
            if not self._has_changed(folder) or since is None:
                continue
            for path, status in regular_files(folder):
                key = (status.st_dev, status.st_ino)
                new = key not in self.tails and key not in found and status.st_mtime > since - _CLOCK_SLACK_S
                if new and family(path) in ours:
                    self._meet(path, status)

    def _has_changed(self, folder: Path) -> bool:
        """Return whether files may have come to a folder, or gone, since this was last asked."""
        try:
            changed = folder.stat().st_mtime_ns
        except OSError:
            return False
        before = self._folders.get(folder)
        self._folders[folder] = changed
        # within a tick of the file system's clock it may change once more without notice
        return changed != before or time.time() - changed / 1e9 < _CLOCK_SLACK_S


def _rank(path: Path, known: set[Path]) -> tuple[bool, bool]:
    return path not in known, path.is_symlink()
