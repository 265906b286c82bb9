# SPDX-License-Identifier: Apache-2.0
"""What rotated files are called, and which files are copies of one another."""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

# auth.log.1, auth.log-20260301, auth.log.2.gz, auth.log.old; a name may hold line feeds
_ROTATED = re.compile(r"(.+?)(?:[._-](?:\d[\d._T:-]*|old))?(?:\.gz)?", re.DOTALL).fullmatch
_SAMPLE = 4096


def family(path: Path) -> tuple[Path, str]:
    """Return what a file has in common with those that it is rotated to: folder and name."""
    match = _ROTATED(path.name)
    assert match is not None  # noqa: S101  (any name matches; tells the type checker)
    return path.parent, match[1]


def regular_files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the regular files of a folder; none if there is no such folder."""
    try:
        paths = list(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if status := regular(path):
            yield path, status


def regular(path: Path) -> os.stat_result | None:
    """Return the state of a regular file; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


class Inodes:
    """Which names files have, each folder listed once."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[int, list[Path]]] = {}

    def find(self, folder: Path, inode: int) -> tuple[Path, os.stat_result] | None:
        """Return where a regular file is now, whatever its name; None: not in this folder."""
        if folder not in self._names:
            self._names[folder] = self._list(folder)
        # not by the device, whose number may be another after a restart of the host
        for path in self._names[folder].get(inode, ()):
            if status := regular(path):
                return path, status
        return None

    @staticmethod
    def _list(folder: Path) -> dict[int, list[Path]]:
        found = defaultdict(list)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    found[entry.inode()].append(Path(entry.path))
        except OSError:
            return {}
        return found


def is_copy(path: Path, of: Path) -> bool:
    """Return whether the file `path` begins, and ends, like the other at the same places. Raises OSError.

    Two files that begin with NULs alone are not taken for copies: of what is read twice, the ids are the same.
    """
    with path.open("rb") as one, of.open("rb") as other:
        size = one.seek(0, os.SEEK_END)
        if not 0 < size <= other.seek(0, os.SEEK_END):
            return False
        for place in (0, max(0, size - _SAMPLE)):
            one.seek(place)
            other.seek(place)
            sample = one.read(min(_SAMPLE, size))
            if sample != other.read(min(_SAMPLE, size)) or (not place and not sample.strip(b"\0")):
                return False
    return True
