# SPDX-License-Identifier: Apache-2.0
"""What is wrong with files, in few lines: there may be any number of them."""

import logging
import time
from pathlib import Path

log = logging.getLogger(__name__)

_EVERY_S = 60.0
_MOST = 20


class Complaints:
    """Says what is wrong with each file once a minute, of 20 files at most, and how many more there are."""

    def __init__(self) -> None:
        self._files: set[Path] = set()
        self._next = 0.0

    def __call__(self, path: Path, text: str) -> None:
        """Say what is wrong with a file."""
        now = time.monotonic()
        if now >= self._next:
            if len(self._files) > _MOST:
                log.error("%d more files could not be read in the last minute", len(self._files) - _MOST)
            self._files.clear()
            self._next = now + _EVERY_S
        if path not in self._files:
            self._files.add(path)
            if len(self._files) <= _MOST:
                log.error("%s %s", path, text)
