# SPDX-License-Identifier: Apache-2.0
"""The checkpoint: one consumer at a time, its lineage, and the shape of what was counted so far."""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from login_consumer.settings import Settings

_FILE = "login-consumer.json"  # inside the checkpoint, so that both are lost or moved together


class CheckpointError(Exception):
    """The checkpoint cannot be used; the text says why and what to do. Nothing was changed."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the checkpoint's lock; the system frees it when the process ends, however it ends.

    Raises CheckpointError if another process holds it, or the directory cannot be made.
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
            raise CheckpointError(
                f"another consumer (process {file.read().strip() or 'unknown'}) uses the checkpoint "
                f"{directory}; stop it first, or give this one its own checkpoint_dir"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def last_batch(directory: Path) -> int | None:
    """Return the number of the last batch that Spark planned, or None for a fresh checkpoint."""
    return max((int(file.name) for file in directory.glob("offsets/*") if file.name.isdigit()), default=None)


def lineage(settings: Settings) -> str:
    """Return the id of this checkpoint's row of batches; a fresh checkpoint gets a new one.

    Raises CheckpointError if the settings count or name things otherwise than the checkpoint's batches did.
    """
    file = settings.checkpoint_dir / _FILE
    shape = {
        "kafka.topic": settings.kafka.topic,
        "metrics.window_seconds": settings.metrics.window_seconds,
        "events.period": settings.events.period,
    }
    if last_batch(settings.checkpoint_dir) is None:
        # batches are numbered from 0 again, which the old lineage would take for replays
        state = {"lineage": str(uuid.uuid4()), "shape": shape}
        replacement = file.with_suffix(".new")
        replacement.write_text(json.dumps(state, indent=1), encoding="utf-8")
        replacement.replace(file)
        return str(state["lineage"])
    if not file.exists():
        raise CheckpointError(
            f"{file} is missing, so replays cannot be told from new batches; move "
            f"{settings.checkpoint_dir} away: the consumer then goes on after the last batch"
        )
    state = json.loads(file.read_text(encoding="utf-8"))
    changed = [
        f"{name} was {state['shape'].get(name)!r} and is now {value!r}"
        for name, value in shape.items()
        if state["shape"].get(name) != value
    ]
    if changed:
        raise CheckpointError(
            f"{'; '.join(changed)}: old and new documents would stand side by side. Set it back, "
            f"or delete the metrics of the time that both would cover and move {settings.checkpoint_dir} away"
        )
    return str(state["lineage"])
