# SPDX-License-Identifier: Apache-2.0
"""The checkpoint: one consumer at a time, its lineage, and the shape of what was counted so far."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from login_consumer.documents import SCHEMA, Topic, WindowKey
from login_consumer.progress import Offsets, Shape
from login_consumer.settings import Settings

_ASIDE = "%Y%m%dT%H%M%S.%f"
_FILE = "login-consumer.json"  # inside the checkpoint, so that both are lost or moved together


class CheckpointError(Exception):
    """The checkpoint cannot be used; the text says why and what to do. Nothing was changed."""


class Locked(CheckpointError):
    """Another process uses the checkpoint."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the checkpoint's lock; the system frees it when the process ends, however it ends.

    Raises Locked if another process holds it, CheckpointError if the directory cannot be made.
    """
    lock = directory.with_name(f"{directory.name}.lock")
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        file = lock.open("a+")
    except OSError as error:
        raise CheckpointError(f"{lock}: {error.strerror}; check checkpoint_dir and its owner") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Locked(
                f"another consumer (process {file.read().strip() or 'unknown'}) uses the checkpoint "
                f"{directory}; stop it first (systemctl stop login-consumer: nothing is lost meanwhile), "
                "or give this one its own checkpoint_dir"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def unfinished(directory: Path, command: str) -> Iterator[None]:
    """Leave a mark beside the checkpoint until the block has ended without an error: `command` is half done.

    It outlives the process and the host, and keeps the consumer from starting on what is half done.
    """
    mark = _mark(directory)
    write_durably(mark, command)
    yield
    mark.unlink()
    sync(mark.parent)


def refuse_unfinished(directory: Path, but: str = "") -> None:
    """Raise CheckpointError if another command than `but` was begun and is not done."""
    try:
        command = _mark(directory).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return
    if command != but:
        raise CheckpointError(
            f"'login-consumer {command}' was interrupted, so what Elasticsearch holds is half of it: run it once more, "
            "to its end, before anything else"
        )


def _mark(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.unfinished")


def shape_of(settings: Settings) -> Shape:
    """Return what decides how events are counted and where they are stored."""
    return {
        "events.period": settings.events.period,
        "metrics.window_seconds": settings.metrics.window_seconds,
        "metrics.keys": list(WindowKey._fields),
        "schema": SCHEMA,
    }


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says. All empty: a fresh one. With a `fault` nothing else counts."""

    fault: str = ""
    planned: int | None = None
    """The last batch that Spark planned."""
    committed: int | None = None
    """The last batch that it noted as done."""
    next: Offsets = field(default_factory=dict)
    """Where it goes on: the start of the planned batch if that was not committed, else its end."""
    ends: Offsets = field(default_factory=dict)
    """Where the planned batch ends."""
    lineage: str = ""
    topic_id: str = ""
    shape: Shape = field(default_factory=dict)
    follows: str = ""
    """The id of the progress document with which its lineage began, or, in older ones, after which; empty if none."""


def read(directory: Path, topic: str) -> Checkpoint:
    """Return the state of the checkpoint in `directory`. Raises CheckpointError if it is another topic's."""
    planned, committed = _newest(directory / "offsets"), _newest(directory / "commits")
    if planned is None:
        return Checkpoint()
    try:
        state = json.loads((directory / _FILE).read_text(encoding="utf-8"))
        if state["topic"] != topic:
            raise CheckpointError(
                f"kafka.topic was {state['topic']!r} and is now {topic!r}, but a checkpoint belongs to one topic: "
                "set it back. The windows in an Elasticsearch count the events of one topic alone, so another topic "
                "needs an Elasticsearch of its own, beside a checkpoint_dir of its own"
            )
        json.loads((directory / "metadata").read_text(encoding="utf-8"))
        end = planned_offsets(directory, planned, topic)
        if committed is not None:
            _log_lines(directory / "commits" / str(committed))
        start = planned_offsets(directory, planned - 1, topic) if planned else _initial_offsets(directory, topic)
        following = end if committed == planned else start | {p: 0 for p in end if p not in start}
        return Checkpoint(
            "",
            planned,
            committed,
            following,
            end,
            state["lineage"],
            state["topic_id"],
            state["shape"],
            state["follows"],
        )
    except (OSError, ValueError, KeyError) as error:
        # such as an empty file: Spark renames its files into place, but does not wait until they are on the disk
        return Checkpoint(fault=f"{type(error).__name__}: {error}", planned=planned)


def planned_offsets(directory: Path, batch: int, topic: str) -> Offsets:
    """Return where the batch ends. Raises OSError or ValueError if its file cannot be read."""
    return _offsets(_log_lines(directory / "offsets" / str(batch))[-1], topic)


def planned_at(directory: Path, batch: int) -> int | None:
    """Return when Spark planned the batch, in milliseconds since 1970, the same however often it is repeated.

    None if its file does not tell. Raises OSError or ValueError if it cannot be read.
    """
    moment = json.loads(_log_lines(directory / "offsets" / str(batch))[0]).get("batchTimestampMs")
    return moment if isinstance(moment, int) and moment > 0 else None


def _initial_offsets(directory: Path, topic: str) -> Offsets:
    # the file begins with a zero byte, for a Spark of old
    return _offsets((directory / "sources/0/0").read_text(encoding="utf-8").lstrip("\0").split("\n", 1)[1], topic)


def _log_lines(file: Path) -> list[str]:
    version, *lines = file.read_text(encoding="utf-8").rstrip("\n").split("\n")
    if not version.startswith("v") or not lines:
        raise ValueError(f"{file} is cut off")
    for line in lines:
        json.loads(line)
    return lines


def _offsets(line: str, topic: str) -> Offsets:
    return {int(partition): offset for partition, offset in json.loads(line)[topic].items()}


def _newest(directory: Path) -> int | None:
    return max((int(file.name) for file in directory.glob("*") if file.name.isdigit()), default=None)


def begin(directory: Path, lineage: str, topic: Topic, shape: Shape, follows: str) -> None:
    """Note what the batches of a fresh checkpoint will belong to."""
    directory.mkdir(exist_ok=True, mode=0o750)
    state = {"lineage": lineage, "topic": topic.name, "topic_id": topic.id, "shape": shape, "follows": follows}
    _write(directory, state)


def adopt(directory: Path, shape: Shape) -> None:
    """Note another shape in a checkpoint, if there is one."""
    if (directory / _FILE).exists():
        _write(directory, json.loads((directory / _FILE).read_text(encoding="utf-8")) | {"shape": shape})


def _write(directory: Path, state: dict[str, Any]) -> None:
    write_durably(directory / _FILE, json.dumps(state, indent=1))


def write_durably(file: Path, text: str) -> None:
    replacement = file.with_name(f"{file.name}.new")
    with replacement.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    replacement.replace(file)
    sync(file.parent)


def sync(directory: Path) -> None:
    """Have the names in a directory outlive a power cut."""
    number = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def move_aside(directory: Path) -> Path | None:
    """Rename the checkpoint out of the way, keeping it; return its new path, None if there is nothing in it."""
    if not directory.exists() or not any(directory.iterdir()):
        return None
    aside = directory.with_name(f"{directory.name}.{datetime.now(UTC):{_ASIDE}}")
    directory.rename(aside)
    return aside


def kept_aside(directory: Path) -> list[tuple[Path, datetime]]:
    """Return the checkpoints that `move_aside` has kept, and when it was; oldest first."""
    found = []
    for aside in sorted(directory.parent.glob(f"{directory.name}.*")):
        with suppress(ValueError):  # another name
            moment = datetime.strptime(aside.name.removeprefix(f"{directory.name}."), _ASIDE).replace(tzinfo=UTC)
            if aside.is_dir() and not aside.is_symlink():
                found.append((aside, moment))
    return found
