# SPDX-License-Identifier: Apache-2.0
"""Which names the settings' paths stand for; whatever names and folders somebody makes there."""

import glob
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

_DEEP = "**"


def files(pattern: str) -> list[Path]:
    """Return what is there at an absolute path of the settings, sorted; what cannot be listed has nothing.

    Like glob.glob, but that goes for ever through links that lead back, and fails at folders that are too deep.
    """
    parts = _parts(pattern)
    found = set()
    seen = {("/", 0)}
    todo = list(seen)
    while todo:
        place, done = todo.pop()
        if done == len(parts):
            found.add(place)
            continue
        for step in _steps(place, parts, done):
            if step not in seen:
                seen.add(step)
                todo.append(step)
    return sorted(map(Path, found))


def stands_for(pattern: str, path: Path) -> bool:
    """Return whether a path is one of those that `files` may find."""
    parts = _parts(pattern)
    states = {0}
    for name in path.parts[1:]:
        states |= {done + 1 for done in states if parts[done : done + 1] == [_DEEP]}
        states = {
            done if parts[done] == _DEEP else done + 1
            for done in states
            if done < len(parts) and _fits(name, parts[done])
        }
    return len(parts) in states


def _parts(pattern: str) -> list[str]:
    parts = [part for part in pattern.split("/") if part]
    return [*parts, "*"] if parts[-1:] == [_DEEP] else parts


def _steps(place: str, parts: list[str], done: int) -> Iterator[tuple[str, int]]:
    part = parts[done]
    if part == _DEEP:
        yield place, done + 1
    if not glob.has_magic(part):
        path = os.path.join(place, part)  # noqa: PTH118  (names of any bytes, many of them)
        if os.path.lexists(path):
            yield path, done + 1
        return
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if not _fits(entry.name, part):
                    continue
                if part != _DEEP:
                    yield entry.path, done + 1
                elif entry.is_dir(follow_symlinks=False):
                    yield entry.path, done
    except OSError:
        return


def _fits(name: str, part: str) -> bool:
    if name.startswith(".") and glob.has_magic(part) and not part.startswith("."):
        return False
    return part == _DEEP or fnmatchcase(name, part) if glob.has_magic(part) else name == part
