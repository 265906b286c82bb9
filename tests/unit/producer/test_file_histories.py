# SPDX-License-Identifier: Apache-2.0
"""Whatever becomes of a log file, of its writer and of its reader: each record is sent once, or its loss is said.

LOGIN_FILE_HISTORIES sets how many histories are tried, LOGIN_FILE_HISTORY the first seed. One that fails is made
shorter, printed, and kept in build/file-histories.txt.
"""

import os
import traceback
from pathlib import Path
from typing import Any

import pytest
from file_history import PATTERNS, Step, World, history
from login_producer.sources import watch

pytestmark = pytest.mark.usefixtures("no_waiting")

COUNT = int(os.environ.get("LOGIN_FILE_HISTORIES", "20"))
FIRST = int(os.environ.get("LOGIN_FILE_HISTORY", "1"))
LENGTH = 70
KEPT = Path(__file__).parents[3] / "build/file-histories.txt"
TRIES = 400  # to make a history shorter


class Trial:
    """Runs histories, each in a folder of its own."""

    def __init__(self, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._caplog, self._number = folder, caplog, 0
        self._world: World | None = None
        real = os.open

        def opened(path: Any, *more: Any, **others: Any) -> int:
            if self._world and self._world.blind and str(path).startswith(str(self._world.rig.folder)):
                raise PermissionError(13, "Permission denied")
            return real(path, *more, **others)

        monkeypatch.setattr(os, "open", opened)
        monkeypatch.setattr(watch, "SEARCH_S", -1)

    def run(self, pattern: str, steps: list[Step]) -> str | None:
        """Return what is wrong after these steps."""
        self._number += 1
        self._caplog.clear()
        folder = self._folder / str(self._number)
        folder.mkdir()
        world = self._world = World(folder, pattern)
        try:
            for step in steps:
                world.do(step)
            return world.end(lambda: self._caplog.text)
        except Exception:
            return traceback.format_exc()
        finally:
            world.rig.kill()

    def shortened(self, pattern: str, steps: list[Step]) -> list[Step]:
        """Return fewer steps after which something is wrong, too."""
        size, tries = len(steps) // 2, TRIES
        while size and tries > 0:
            for at in range(0, len(steps), size):
                fewer = steps[:at] + steps[at + size :]
                tries -= 1
                if self.run(pattern, fewer):
                    steps = fewer
                    break
            else:
                size //= 2
        return steps


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_each_record_is_sent_once_or_its_loss_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    trial = Trial(tmp_path, caplog, monkeypatch)
    pattern, steps = PATTERNS[seed % len(PATTERNS)], history(seed, LENGTH)
    if trial.run(pattern, steps):
        steps = trial.shortened(pattern, steps)
        wrong = f"seed {seed}, paths {pattern}, {steps}: {trial.run(pattern, steps)}"
        KEPT.parent.mkdir(exist_ok=True)
        with KEPT.open("a") as file:
            file.write(wrong + "\n")
        pytest.fail(wrong)
