# SPDX-License-Identifier: Apache-2.0
"""A file source that a test starts, kills and lets Kafka acknowledge at random."""

import gzip
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from login_producer.counters import Counters
from login_producer.settings import FileSettings
from login_producer.sources import Event
from login_producer.sources.files import FileSource


class Rig:
    """All starts of one source, with what they have sent."""

    def __init__(self, folder: Path, *patterns: str, seed: int = 1, **settings: object) -> None:
        paths = tuple(str(folder / "logs" / pattern) for pattern in patterns or ("app.log",))
        values = {"type": "file", "format": "native", "paths": paths} | settings
        self.settings = FileSettings.model_validate(values)
        self.folder = folder / "logs"
        self.folder.mkdir(exist_ok=True)
        self.log = self.folder / "app.log"
        self._positions = folder / "counters.file.json"
        self.rng = random.Random(seed)
        self.counters = Counters()
        self.sent: list[Event] = []
        self._open: list[Event] = []
        self.source: FileSource | None = None

    def start(self) -> "Rig":
        self.source = FileSource(self.settings, self._positions, self.counters)
        return self

    def take(self, most: int = 1000) -> list[Event]:
        """Take what there is, in some looks."""
        assert self.source
        taken: list[Event] = []
        for _ in range(5):
            taken += self.source.take(most)
        self.sent += taken
        self._open += taken
        return taken

    def values(self) -> list[bytes]:
        return [event.value for event in self.take()]

    def acknowledge(self, share: float = 1.0) -> None:
        """Settle some of what is open, in any order, and note how far that is."""
        assert self.source
        for event in self.rng.sample(self._open, round(share * len(self._open))):
            assert event.receipt
            event.receipt.signed = True
            self._open.remove(event)
        self.source.save()

    def kill(self) -> None:
        """End without noting anything."""
        if self.source:
            self.source.close()
        self.source = None
        self._open.clear()

    def restart(self, between: Callable[[], object] = lambda: None) -> "Rig":
        self.kill()
        between()
        return self.start()

    def write(self, text: str | bytes, name: str = "app.log") -> None:
        with (self.folder / name).open("ab") as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def documents(self) -> Counter[bytes]:
        """What is in the store in the end: each id once."""
        return Counter({event.event_id: event.value for event in self.sent}.values())


def packed(path: Path) -> None:
    """As gzip does it: a new file beside it with the same time, then the old one is gone."""
    with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb") as out:
        shutil.copyfileobj(plain, out)
    status = path.stat()
    os.utime(f"{path}.gz", ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
