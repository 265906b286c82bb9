# SPDX-License-Identifier: Apache-2.0
"""Files that others read while they are written."""

from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write a file that readers see either old or new, and that everybody may read. Raises OSError."""
    new = path.with_suffix(".new")
    new.write_text(text + "\n")
    new.chmod(0o644)
    new.replace(path)
