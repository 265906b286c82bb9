# SPDX-License-Identifier: Apache-2.0
"""The log of this host from systemd's journal, by way of the command journalctl."""

import json
import logging
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from login_common.files import replace_file
from login_common.text import printable

from login_producer.counters import Counters, keep_damaged
from login_producer.settings import JournalSettings
from login_producer.sources import Event, Source, SourceError
from login_producer.sources.cutting import MAX_RECORD, Lines
from login_producer.sources.entry import FIELDS, TRANSPORTS, Entry, id_of
from login_producer.sources.progress import Progress
from login_producer.sources.records import with_id, wrapper
from login_producer.sources.taking import take

log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_AGAIN_S = 1.0  # between the end of journalctl and its next start
_AT_ONCE_S = 5.0  # a run that is no shorter is none that failed
_MAX_FAILURES = 5  # in a row
_WARN_EVERY_S = 60.0
_QUIET_S = 600.0  # without a single entry: so long may journalctl search in a large journal
_OVERLAP_S = 60


class JournalSource(Source):
    """The trusted entries of the known programs, from the last one that Kafka acknowledged."""

    repeats = True

    def __init__(self, settings: JournalSettings, positions: Path, counters: Counters) -> None:
        """Go on where the file `positions` says, else at `settings.since`."""
        self._settings, self._positions, self._counters = settings, positions, counters
        cursor, self._since = self._load()
        self._progress = Progress(cursor)  # of cursors; "" is before the first entry
        self._headers = wrapper(settings.format, None)
        self._last_time: str | None = None
        self._quiet_since = time.monotonic()
        self._next_warning, self._not_warned = 0.0, 0
        self._journalctl: _Journalctl | None = None
        self._events = self._read()

    def take(self, most: int) -> Sequence[Event]:
        """Return the entries that there are now, at most so many. Raises SourceError."""
        events, self.ended = take(self._events, most)
        return events

    def save(self) -> None:
        """Write the cursor. Raises OSError."""
        cursor = self._progress.settled
        if not cursor and time.monotonic() - self._quiet_since > _QUIET_S:
            self._since = f"@{int(time.time()) - _OVERLAP_S}"
        replace_file(self._positions, json.dumps({"cursor": cursor, "since": self._since}))

    def status(self) -> dict[str, Any]:
        """Return how far it is."""
        return {
            "type": "journal",
            "last_entry": self._last_time,
            "cursor": self._progress.settled or None,
            "untrusted": self._counters.untrusted,
        }

    def close(self) -> None:
        """End journalctl."""
        if self._journalctl:
            self._journalctl.close()

    def _load(self) -> tuple[str, str]:
        """Return the cursor to go on after, or "", and the time to begin at without one."""
        try:
            content = json.loads(self._positions.read_text())
            return str(content["cursor"]), str(content["since"])
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, KeyError) as error:
            keep_damaged(
                self._positions,
                error,
                "the whole journal is read again; what was sent before has the same ids, and counts as duplicates",
            )
            return "", "@0"
        since, now = self._settings.since, time.time()
        # A time, so that a restart before the first entry does not begin later.
        started = {"now": now, "boot": now - time.clock_gettime(time.CLOCK_BOOTTIME)}.get(since)
        return "", since if started is None else f"@{int(started)}"

    def _read(self) -> Iterator[Event | None]:
        failures = 0
        while True:
            began = time.monotonic()
            yield from self._one_run()
            failures = failures + 1 if time.monotonic() - began < _AT_ONCE_S else 0
            if failures == _MAX_FAILURES:
                raise SourceError(f"journalctl ends again and again: {self._told()}; try: {self._command()}")
            log.warning("journalctl has ended: %s; it is started again after the last entry", self._told())
            again = time.monotonic() + _AGAIN_S
            while time.monotonic() < again:
                yield None

    def _one_run(self) -> Iterator[Event | None]:
        """Yield what one journalctl gives until it ends."""
        resume = self._progress.read
        self._journalctl = journalctl = _Journalctl(self._arguments())
        lines = Lines()
        while (data := journalctl.read()) != b"":
            self._check_access()
            if data is None:
                yield None
                continue
            for piece in lines.feed(data):
                try:
                    entry = Entry(piece.raw or b"")
                except ValueError as error:
                    log.error("journalctl gave %d bytes that are no entry: %s", piece.end - piece.start, error)
                    continue
                if resume:
                    # Entries may be gone: journalctl then begins with the next one and says nothing.
                    known, resume = entry.id == id_of(resume), ""
                    if known:
                        continue
                    self._warn_of_gap(entry)
                yield from self._send(entry)
        journalctl.close()
        self._check_access()

    def _send(self, entry: Entry) -> Iterator[Event]:
        self._last_time = entry.time.isoformat(timespec="milliseconds")
        if why := entry.distrust:
            self._warn_of_distrust(entry, why)
        else:
            line = entry.line()
            if len(line) <= MAX_RECORD:
                receipt = self._progress.taken(entry.cursor)
                yield Event(entry.id, None, line, with_id(self._headers, entry.id), receipt)
                return
            self._counters.generated += 1
            self._counters.failed["too_large"] += 1
            log.warning("the journal entry %s of %d bytes is too large, and not sent", entry.cursor, len(line))
        self._progress.passed(entry.cursor)

    def _warn_of_distrust(self, entry: Entry, why: str) -> None:
        self._counters.untrusted += 1
        now = time.monotonic()
        if now < self._next_warning:
            self._not_warned += 1
            return
        log.warning(
            "a journal entry is not trusted, and not sent: %s (journalctl --cursor='%s'); %d more before it",
            printable(why),
            entry.cursor,
            self._not_warned,
        )
        self._next_warning, self._not_warned = now + _WARN_EVERY_S, 0

    def _warn_of_gap(self, entry: Entry) -> None:
        log.warning(
            "the journal no longer has the entry to go on after: others before %s may have been removed unread, unless "
            "only source.identifiers was changed; let journald keep more (SystemMaxUse in journald.conf)",
            entry.time.isoformat(timespec="seconds"),
        )

    def _arguments(self) -> list[str]:
        # With --after-cursor, some versions skip an entry if the cursor's own is gone or is not among the matches.
        cursor = self._progress.read
        start = f"--cursor={cursor}" if cursor else f"--since={self._since}"
        matches = [f"SYSLOG_IDENTIFIER={name}" for name in self._settings.identifiers]
        matches += [f"_TRANSPORT={name}" for name in TRANSPORTS]
        options = [
            "--follow",
            "--no-tail",
            "--all",
            "--no-pager",
            "--output=json",
            f"--output-fields={','.join(FIELDS)}",
        ]
        return ["journalctl", *options, start, *matches]

    def _command(self) -> str:
        return " ".join(self._arguments())

    def _told(self) -> str:
        return self._journalctl.told if self._journalctl else ""

    def _check_access(self) -> None:
        told = self._told()
        if "insufficient permissions" in told or "not seeing messages from other users" in told:
            raise SourceError(
                "the journal may not be read by this user: make it a member of the group systemd-journal "
                "(usermod --append --groups systemd-journal USER), and start again"
            )
        if "Failed to parse timestamp" in told:
            raise SourceError('source.since: journalctl takes no such time; give "now", "boot" or as in "-1 day"')
        if "Failed to seek to cursor" in told:
            raise SourceError(f"{self._positions}: journalctl takes no such cursor; remove the file to begin anew")


class _Journalctl:
    """The running command, read without waiting."""

    def __init__(self, command: list[str]) -> None:
        """Start it. Raises SourceError."""
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | {"LC_ALL": "C", "SYSTEMD_COLORS": "0"},
            )
        except OSError as error:
            raise SourceError(f"journalctl cannot be started: {error.strerror}; is this a host with systemd?") from None
        assert self._process.stdout and self._process.stderr  # noqa: S101  (as asked for; tells the type checker)
        self._out, self._err = self._process.stdout.fileno(), self._process.stderr.fileno()
        os.set_blocking(self._out, False)
        os.set_blocking(self._err, False)
        self.told = ""
        """What it wrote to standard error."""

    def read(self) -> bytes | None:
        """Return what it has written; None is nothing now, b"" is its end."""
        self.told += (_available(self._err) or b"").decode(errors="replace")
        self.told = self.told[-1000:]
        return _available(self._out)

    def close(self) -> None:
        """Kill it, if it still runs. It has the signals blocked that would end it, as we have."""
        out, err = self._process.stdout, self._process.stderr
        assert out and err  # noqa: S101  (as above)
        if out.closed:
            return
        self._process.kill()
        self._process.wait()
        self.told += (_available(self._err) or b"").decode(errors="replace")
        self.told = self.told.strip() or f"exit code {self._process.returncode}"
        out.close()
        err.close()


def _available(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return None
