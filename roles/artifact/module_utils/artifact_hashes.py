# SPDX-License-Identifier: Apache-2.0
"""Hashes of files: computing them, reading published ones, and refusing what does not match."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path


class ArtifactError(Exception):
    """Says what went wrong with which file, and what to do next."""


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the file's hash in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def check(path: Path, expected: str, next_step: str) -> None:
    """Raise `ArtifactError` unless the file has the hash `expected`, written `algorithm:hexadecimal`."""
    algorithm, _, wanted = expected.partition(":")
    if algorithm not in ("sha256", "sha512") or not wanted:
        raise ArtifactError(f"checksum {expected!r} of {path.name}: expected sha256:HEX or sha512:HEX")
    found = digest(path, algorithm)
    if found != wanted.lower():
        raise ArtifactError(
            f"{path}: wrong {algorithm}, nothing was unpacked\n"
            f"  expected {wanted.lower()}\n  found    {found}\n  next: {next_step}"
        )


def parse_checksum(text: str, name: str) -> str | None:
    """Find the hash of the file `name` in a published checksum file.

    Three forms are in use: a bare hash, lines of sha256sum or sha512sum, and GnuPG's blocks of
    hexadecimal digits after the name, over several lines (some of Apache's files).
    Returns `algorithm:hexadecimal`, or None where the text has no hash of that file.
    """
    algorithms = {64: "sha256", 128: "sha512"}
    for line in text.splitlines():
        words = line.split()
        names_it = len(words) == 1 or (len(words) == 2 and Path(words[1].lstrip("*")).name == name)
        if names_it and len(words[0]) in algorithms and re.fullmatch("[0-9a-fA-F]+", words[0]):
            return f"{algorithms[len(words[0])]}:{words[0].lower()}"
    block = re.fullmatch(re.escape(name) + ":([0-9a-fA-F]+)", "".join(text.split()))
    if block and len(block[1]) in algorithms:
        return f"{algorithms[len(block[1])]}:{block[1].lower()}"
    return None


def read_lock(lock: Path) -> dict[str, str]:
    """Return file name and sha256 of each line of a lock file in sha256sum's form."""
    return {name: value for value, name in (line.split() for line in lock.read_text().splitlines() if line)}


def check_lock(folder: Path, lock: Path) -> None:
    """Raise `ArtifactError` unless the folder holds exactly the files of the lock, with their hashes."""
    command = f"(cd {folder} && sha256sum *) > {lock}"
    if not lock.is_file():
        raise ArtifactError(f"{lock}: no such lock file. next: inspect {folder}, then run {command}")
    wanted = read_lock(lock)
    found = {path.name: digest(path) for path in sorted(folder.iterdir())}
    problems = [f"missing: {name}" for name in sorted(wanted.keys() - found.keys())]
    problems += [f"not in the lock: {name}" for name in sorted(found.keys() - wanted.keys())]
    problems += [
        f"{name}: expected {wanted[name]}\n    found {found[name]}"
        for name in sorted(wanted.keys() & found.keys())
        if wanted[name] != found[name]
    ]
    if problems:
        raise ArtifactError(
            f"{folder}: differs from {lock}, nothing was packed\n  "
            + "\n  ".join(problems)
            + f"\n  next: find out why; only for a wanted new version run {command}"
        )


def record(path: Path) -> None:
    """Keep the sha256 of a checked archive beside it, for all later runs."""
    _beside(path).write_text(f"{digest(path)}  {path.name}\n")


def recorded(path: Path) -> str:
    """Return `sha256:hexadecimal` as kept by `record`."""
    beside = _beside(path)
    if not beside.is_file():
        raise ArtifactError(f"{path}: its record {beside.name} is missing. next: remove {path} and run again")
    return f"sha256:{read_lock(beside)[path.name]}"


def check_recorded(path: Path, next_step: str) -> None:
    """Raise `ArtifactError` unless the archive is the one that `record` saw.

    The file is only read if it was written, replaced or renamed since then: reading takes a second for each GB.
    """
    expected, beside = recorded(path), _beside(path)
    if path.stat().st_ctime_ns < beside.stat().st_mtime_ns:
        return
    check(path, expected, next_step)
    with suppress(OSError):  # a cache that may not be written, or is mounted read-only, is read each time
        beside.touch()


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
