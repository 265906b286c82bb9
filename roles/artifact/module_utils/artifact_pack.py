# SPDX-License-Identifier: Apache-2.0
"""Unpacking parts into one tree, and packing the tree so that the same content gives the same bytes."""

from __future__ import annotations

import fnmatch
import shutil
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from ansible.module_utils.artifact_hashes import ArtifactError

# Any fixed time will do; zip files, and so wheels, cannot hold one before 1980.
EPOCH = 315532800


def place(name: str, folders: Mapping[str, str], drop: Sequence[str]) -> str | None:
    """Return where the member `name` of an archive goes in the tree, or None if it is not wanted.

    The first folder of the name is cut off. `folders` maps what follows to its place; "" stands for all.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ArtifactError(f"archive member {name!r} points outside. next: do not use that archive")
    inner = PurePosixPath(*path.parts[1:])
    for source, target in folders.items():
        if inner.is_relative_to(source) and inner != PurePosixPath(source):
            placed = str(PurePosixPath(target) / inner.relative_to(source))
            return None if any(fnmatch.fnmatchcase(placed, pattern) for pattern in drop) else placed
    return None


def _members(archive: Path) -> Iterator[tuple[str, bool, IO[bytes] | str]]:
    """Yield name, executable or not, and content of each file; of a symbolic link where it points."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir():
                    with zipped.open(info) as stream:
                        yield info.filename, bool(info.external_attr >> 16 & 0o100), stream
        return
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, bool(member.mode & 0o100), content
            elif member.issym():
                yield member.name, False, member.linkname
            elif not member.isdir():
                raise ArtifactError(f"{archive}: {member.name} cannot be repacked: no file, no link")


def unpack(archive: Path, tree: Path, folders: Mapping[str, str], drop: Sequence[str]) -> None:
    """Add the wanted files of a zip or tar archive to the tree; see `place`."""
    count = 0
    for name, executable, content in _members(archive):
        placed = place(name, folders, drop)
        if placed is None:
            continue
        target = tree / placed
        target.parent.mkdir(parents=True, exist_ok=True)
        count += 1
        if isinstance(content, str):
            if not (target.parent / content).resolve().is_relative_to(tree.resolve()):
                raise ArtifactError(f"{archive}: link {name} points outside. next: do not use that archive")
            target.symlink_to(content)
            continue
        with target.open("wb") as stream:
            shutil.copyfileobj(content, stream, 1 << 20)
        target.chmod(0o755 if executable else 0o644)
    if not count:
        raise ArtifactError(f"{archive}: none of the folders {sorted(folders)} is in it. next: correct `map`")


def pack(tree: Path, archive: Path, top: str) -> None:
    """Write the tree as a tar below the folder `top`; names sorted, time, owner and modes fixed.

    It is not compressed, because nearly all of it is jars and wheels, which are compressed already.
    """

    def fixed(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mtime = EPOCH
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    part = archive.with_name(archive.name + ".part")
    with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in [tree, *sorted(tree.rglob("*"))]:
            name = PurePosixPath(top, path.relative_to(tree).as_posix())
            tar.add(path, str(name), recursive=False, filter=fixed)
    part.replace(archive)
