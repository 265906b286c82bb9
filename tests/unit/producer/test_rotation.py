# SPDX-License-Identifier: Apache-2.0
"""Files that rotate: renamed, copied and cut off, deleted, compressed, with restarts at every step."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from file_rig import Rig, packed
from login_producer.sources import watch

pytestmark = pytest.mark.usefixtures("no_waiting")


def cut_off(rig: Rig) -> None:
    shutil.copyfile(rig.log, rig.folder / "app.log.1")
    os.truncate(rig.log, 0)


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("way", ["rename", "rename and pack", "copy and cut off", "copy, cut off and pack"])
def test_the_rest_of_a_rotated_file_is_read(tmp_path: Path, pattern: str, running: bool, way: str) -> None:
    rig = Rig(tmp_path, pattern).start()
    rig.write("one\ntwo\n")
    rig.take()
    rig.acknowledge()
    if not running:
        rig.kill()
    rig.write("three\nunfinished")
    if way.startswith("rename"):
        rig.log.rename(rig.folder / "app.log.1")
    else:
        cut_off(rig)
    if way.endswith("pack"):
        packed(rig.folder / "app.log.1")
    rig.write("four\n")
    if not running:
        rig.start()
    rig.take()
    assert rig.documents() == Counter((b"one", b"two", b"three", b"unfinished", b"four"))
    rig.acknowledge()
    rig.restart(lambda: rig.write("five\n"))
    assert rig.values() == [b"five"]


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
def test_files_that_came_and_went_while_nobody_looked_are_read(tmp_path: Path, pattern: str) -> None:
    rig = Rig(tmp_path, pattern).start()
    rig.write("one\n")
    rig.take()
    rig.acknowledge()

    def days() -> None:
        for number in range(2, 6):
            rig.write(f"rest {number}\n")
            for age in range(number, 0, -1):
                for end in ("", ".gz"):
                    old = rig.folder / f"app.log.{age}{end}"
                    if old.exists():
                        old.rename(rig.folder / f"app.log.{age + 1}{end}")
            rig.log.rename(rig.folder / "app.log.1")
            if number % 2:
                packed(rig.folder / "app.log.1")
            rig.write(f"first {number}\n")

    rig.restart(days)
    rig.take()
    lines = [b"one", *(b"%b %d" % (what, number) for number in range(2, 6) for what in (b"rest", b"first"))]
    assert rig.documents() == Counter(lines)


def test_what_cannot_be_found_again_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SEARCH_S", -1)
    rig = Rig(tmp_path).start()
    rig.write("one\n")
    rig.take()
    rig.acknowledge()
    rig.kill()
    rig.write("gone\n")
    rig.log.unlink()
    rig.write("new\n")
    rig.start()
    assert rig.values() == [b"new"]
    assert "what it held behind offset 4 is not sent" in caplog.text
    rig.acknowledge()
    caplog.clear()
    rig.restart()
    rig.take()
    assert "is not sent" not in caplog.text


def test_a_deleted_file_is_read_to_its_end(tmp_path: Path) -> None:
    rig = Rig(tmp_path).start()
    rig.write("one\n")
    rig.take()
    rig.write("two\nthree")
    rig.log.unlink()
    rig.write("new\n")
    assert sorted(rig.values()) == [b"new", b"three", b"two"]


def test_a_file_with_the_inode_of_another_is_a_new_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path).start()
    rig.write("one\ntwo\n")
    rig.take()
    rig.acknowledge()
    rig.restart(lambda: rig.log.write_bytes(b"other\nlines\n"))
    assert rig.values() == [b"other", b"lines"]


def test_equal_lines_in_a_file_cut_off_are_other_events(tmp_path: Path) -> None:
    rig = Rig(tmp_path).start()
    for first in "abc":
        rig.write(f"{first}\nsame\nsame\n")
        rig.take()
        os.truncate(rig.log, 0)
        rig.take()
    assert rig.documents()[b"same"] == 6


class Writer:
    """Writes numbered lines, now and then torn or the same as the last, and rotates the file."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.rng = rig, rig.rng
        self.lines: list[bytes] = []
        self.torn = b""

    def write(self) -> None:
        line = b"line %d " % len(self.lines) + b"x" * self.rng.randint(0, 20)
        if self.torn or self.rng.random() < 0.8:
            data, self.torn = (self.torn or line) + b"\n", b""
            self.lines.append(data[:-1])
            self.rig.write(data)
        else:
            self.rig.write(line)
            self.torn = line
            self.rig.write(b"\n")
            self.lines.append(line)
            self.torn = b""

    def rotate(self) -> None:
        for age in range(9, 0, -1):
            for end in ("", ".gz"):
                old = self.rig.folder / f"app.log.{age}{end}"
                if old.exists():
                    old.rename(self.rig.folder / f"app.log.{age + 1}{end}")
        if not self.rig.log.exists():
            return
        if self.rng.random() < 0.5:
            self.rig.log.rename(self.rig.folder / "app.log.1")
        else:
            cut_off(self.rig)

    def pack(self) -> None:
        files = [path for path in self.rig.folder.iterdir() if path.name != "app.log" and path.suffix != ".gz"]
        if files:
            packed(self.rng.choice(files))


@pytest.mark.parametrize("pattern", ["app.log", "app.log*"])
@pytest.mark.parametrize("seed", range(25))
def test_each_line_is_one_document_whatever_happens(tmp_path: Path, pattern: str, seed: int) -> None:
    rig = Rig(tmp_path, pattern, seed=seed)
    writer = Writer(rig)
    rig.start()
    steps: list[tuple[int, Callable[[], object]]] = [
        (30, writer.write),
        (12, lambda: rig.take(rig.rng.choice((1, 5, 1000)))),
        (8, lambda: rig.acknowledge(rig.rng.random())),
        (4, writer.rotate),
        (2, writer.pack),
        (4, rig.restart),
    ]
    for _ in range(250):
        rig.rng.choices([step for _, step in steps], [weight for weight, _ in steps])[0]()
    for _ in range(10):
        rig.take()
    assert rig.documents() == Counter(writer.lines)
    rig.acknowledge()
    rig.restart()
    rig.take()
    assert rig.documents() == Counter(writer.lines)
