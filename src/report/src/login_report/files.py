# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all."""

import os
import tempfile
from pathlib import Path

_MODE = 0o640


class NotWritten(Exception):
    """A file could not be written. The text says which, why and what to do."""


def write(path: Path, content: bytes) -> None:
    """Write a file of mode 0640, so that a reader sees the old one or the whole new one. Raises NotWritten."""
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _MODE)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except OSError as error:
        raise NotWritten(
            f"{path} cannot be written: {error.strerror}; check that the folder {path.parent} is there, has space, "
            "and that this user may write to it"
        ) from None
    finally:
        if temporary is not None:  # there still, if it has not become the file
            Path(temporary).unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder unless it is there. Raises NotWritten."""
    try:
        path.mkdir(mode=0o750, exist_ok=True)
    except OSError as error:
        raise NotWritten(
            f"the folder {path} cannot be made: {error.strerror}; check that {path.parent} is a folder, "
            "and that this user may write to it"
        ) from None


def remove(path: Path) -> None:
    """Remove a file if it is there. Raises NotWritten."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritten(f"{path} cannot be removed: {error.strerror}; check that this user may write there") from None
