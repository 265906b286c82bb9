# SPDX-License-Identifier: Apache-2.0
"""A random history of a log file and of the source that follows it, beside a model of what has to arrive."""

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from file_rig import Rig, packed
from login_producer.sources.content import Mark, holds

PATTERNS = ("app.log", "app.log*", "*")
BLOCK = 512  # NULs that a crash leaves at least
LOST = "is not sent, if there was anything"
_ODD = (b"a\nb.log", b"\xff.log", b"app.log\n.1", b".gz", b"-x", b"[*].log", b"app.log.\n")
_HARD_LINKS = ("zz", "app.log.y")  # not before app.log: a file belongs to the first name that it is found under

Step = tuple[str, int]
"""What happens, and the seed of its chances."""


def history(seed: int, length: int) -> list[Step]:
    """Return a history at random."""
    rng = random.Random(seed)
    steps = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=length)
    return [(step, rng.randrange(1 << 30)) for step in steps]


class World:
    """Does the steps, and knows which records were written."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self.rig, self._pattern = Rig(folder, pattern), pattern
        self._positions = folder / "counters.file.json"
        self.written: Counter[bytes] = Counter()
        self.may_be_lost: set[bytes] = set()
        """What the source had no chance to read, as its file was destroyed; that has to be said."""
        self.unseen: set[bytes] = set()
        """The same, of what came and went while the source did not look: it leaves no trace."""
        self.blind = False
        self._files: dict[int, list[bytes]] = {}  # by inode, what stands there
        self._torn = self._rest = b""  # of the line that is being written
        self._at: int | None = None  # where a writer goes on that does not append
        self._number = 0
        self._rng = self.rig.rng
        self.rig.start()

    def do(self, step: Step) -> None:
        """Do one step of a history."""
        name, seed = step
        self._rng = self.rig.rng = random.Random(seed)
        getattr(self, f"_{name}")()

    def end(self, log: Callable[[], str]) -> str | None:
        """Let the source read all; return what is wrong."""
        self._see()
        self._write()
        for _ in range(8):
            self.rig.take()
        self.rig.acknowledge()
        self.rig.restart()
        for _ in range(3):
            self.rig.take()
        documents = self.rig.documents()
        missing, surplus = self.written - documents, documents - self.written
        if surplus:
            return f"not written so: {surplus}"
        if silent := set(missing) - self.may_be_lost - self.unseen:
            return f"not sent: {silent}"
        if set(missing) & self.may_be_lost and LOST not in log():
            return f"not sent, and not said: {set(missing) & self.may_be_lost}"
        return None

    # --- the writer

    def _line(self, length: int = 0) -> bytes:
        self._number += 1
        return (b"line %d " % self._number).ljust(length, b"x")

    def _put(self, data: bytes) -> None:
        if self._at is None:
            self.rig.write(data)
            return
        with self.rig.log.open("r+b") as file:
            file.seek(self._at)
            file.write(data)
        self._at += len(data)
        if self._at >= self.rig.log.stat().st_size:
            self._at = None

    def _note(self, line: bytes) -> None:
        self.written[line] += 1
        self._files.setdefault(self.rig.log.stat().st_ino, []).append(line)

    def _write(self) -> None:
        line = self._torn or self._line(self._rng.choice((0, 0, 30, 5000)))
        self._put((b"" if self._torn else line) + self._rest + b"\n")
        self._note(line + self._rest)
        self._torn = self._rest = b""

    def _write_half(self) -> None:
        if not self._torn:
            self._torn, self._rest = self._line(), b"and the rest"
            self._put(self._torn)

    def _finished(self) -> bool:
        """Finish the line; return whether there is a file."""
        if self._torn:
            self._write()
        self._at = None
        return self.rig.log.exists()

    def _crash_of_the_writer(self) -> None:
        if not self.rig.log.exists():
            return
        if self._torn:
            self._note(self._torn)  # it is a record of its own, if not a whole one
        self._torn = self._rest = b""
        end = self._at if self._at is not None else self.rig.log.stat().st_size
        os.truncate(self.rig.log, end + self._rng.choice((BLOCK, 5000, 300_000)))
        self._at = None

    def _reserve(self) -> None:
        if self._at is None and self.rig.log.exists():
            self._at = self.rig.log.stat().st_size
            os.truncate(self.rig.log, self._at + self._rng.choice((100, 9000, 300_000)))

    def _shift(self) -> None:
        self._remove_links()
        for age in range(9, 0, -1):
            for end in ("", ".gz"):
                old = self.rig.folder / f"app.log.{age}{end}"
                if old.exists():
                    old.rename(self.rig.folder / f"app.log.{age + 1}{end}")

    def _rename(self) -> None:
        if self._finished():
            self._shift()
            self.rig.log.rename(self.rig.folder / "app.log.1")

    def _copy_and_truncate(self) -> None:
        if self._finished():
            self._copy()

    def _copy_and_refill(self) -> None:
        if self._finished():
            end = self.rig.log.stat().st_size
            self._copy()
            os.truncate(self.rig.log, end)
            self._at = None
            self._write()

    def _copy(self) -> None:
        self._shift()
        shutil.copyfile(self.rig.log, self.rig.folder / "app.log.1")
        os.truncate(self.rig.log, 0)
        self._files.pop(self.rig.log.stat().st_ino, None)

    def _rewrite(self) -> None:
        """To just the same size."""
        if self._finished() and 20 <= (size := self.rig.log.stat().st_size) < 20_000:
            self._destroyed()
            line = self._line(size - 1)
            self.rig.log.write_bytes(line + b"\n")
            self._note(line)

    def _truncate(self) -> None:
        if self._finished():
            self._destroyed()
            os.truncate(self.rig.log, 0)

    def _delete(self) -> None:
        if self._finished():
            self._remove_links()
            self._destroyed()
            self.rig.log.unlink()

    def _remove_links(self) -> None:
        for name in _HARD_LINKS:  # else the file goes on under a name that has nothing to do with its old one
            (self.rig.folder / name).unlink(missing_ok=True)

    def _destroyed(self) -> None:
        inode = self.rig.log.stat().st_ino
        lines = self._files.pop(inode, [])
        try:
            noted = json.loads(self._positions.read_text())["files"]
        except FileNotFoundError:
            noted = []
        blind, self.blind = self.blind, False
        known = any(
            entry["key"][1] == inode and entry["first"][2] and holds(self.rig.log, Mark(*entry["first"]))
            for entry in noted
        )
        self.blind = blind
        (self.may_be_lost if known else self.unseen).update(lines)

    def _pack(self) -> None:
        files = [file for file in self.rig.folder.glob("app.log.*") if file.name[8:].isdigit() and file.is_file()]
        if files:
            packed(self._rng.choice(sorted(files)))

    # --- somebody else

    def _link(self) -> None:
        name = self.rig.folder / self._rng.choice(("0.gz", "z.gz", "z", "app.log.link", "app.log-link.gz"))
        if self.rig.log.exists() and not os.path.lexists(name):
            name.symlink_to("app.log")

    def _hard_link(self) -> None:
        name = self.rig.folder / self._rng.choice(_HARD_LINKS)
        if self.rig.log.exists() and not name.exists():
            name.hardlink_to(self.rig.log)

    def _odd_name(self) -> None:
        name = self._rng.choice(_ODD)
        line = self._line()
        with Path(os.fsdecode(os.fsencode(self.rig.folder) + b"/" + name)).open("ab") as file:
            file.write(line + b"\n")
        if fnmatchcase(os.fsdecode(name), self._pattern) and not name.startswith(b"."):
            self.written[line] += 1

    # --- the reader

    def _take(self) -> None:
        self.rig.take(self._rng.choice((1, 5, 1000)))

    def _acknowledge(self) -> None:
        self.rig.acknowledge(self._rng.random())

    def _restart(self) -> None:
        self.rig.restart()

    def _hide(self) -> None:
        self.blind = True

    def _see(self) -> None:
        self.blind = False


_WEIGHTS = {
    "write": 30, "write_half": 6, "take": 20, "acknowledge": 9, "restart": 5, "rename": 3, "copy_and_truncate": 3,
    "copy_and_refill": 3, "rewrite": 3, "truncate": 1, "delete": 1, "pack": 3, "crash_of_the_writer": 2, "reserve": 3,
    "link": 1, "hard_link": 1, "odd_name": 2, "hide": 1, "see": 3,
}  # fmt: skip
