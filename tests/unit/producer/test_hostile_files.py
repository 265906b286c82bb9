# SPDX-License-Identifier: Apache-2.0
"""Whoever may make files in a folder that is followed does not silence it: any names, any kind, any number."""

import os
import resource
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from file_rig import Rig
from login_producer.sources import places

pytestmark = pytest.mark.usefixtures("no_waiting")

NAMES = (
    b"a\nb.log", b"app.log\n.1", b"app.log.1\n", b"\n", b"\xff\xfe.log", b"app.log.\xff", b"-rf.log", b"$(id).log",
    b"[a].log", b"*.log", b"**", b"?", b"\\.log", b" .log", b"\r\x1b[31m.log", b".gz", b"..gz", b".log.gz",
    b"app.log.1.gz", b"app.log.old.gz", b"1", b"~", b".hidden.log", b"x" * 251 + b".log",
    "\u202e\U0001f600.log".encode(),
)  # fmt: skip


@pytest.mark.parametrize("pattern", ["app.log", "*", "*.log*", "**/app.log"])
def test_names_of_any_bytes(tmp_path: Path, pattern: str) -> None:
    rig = Rig(tmp_path, pattern).start()
    rig.write("one\n")
    rig.take()
    for number, name in enumerate(NAMES):
        Path(os.fsdecode(os.fsencode(rig.folder) + b"/" + name)).write_bytes(b"of %d\n" % number)
    rig.write("two\n")
    assert b"two" in rig.values()
    rig.acknowledge()
    rig.restart(lambda: rig.write("three\n"))
    assert b"three" in rig.values()


def test_a_name_with_line_feeds_is_read_as_any_other(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "*.log").start()
    rig.write("one\n", "a\nb.log")
    assert rig.values() == [b"one"]
    rig.acknowledge()
    rig.restart(lambda: rig.write("two\n", "a\nb.log"))
    assert rig.values() == [b"two"]


def links_that_lead_back(folder: Path) -> None:
    for name in "abc":
        (folder / name).symlink_to(".")


def deep_folders(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1050):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def odd_kinds(folder: Path) -> None:
    os.mkfifo(folder / "0.log")
    (folder / "1.log").mkdir()
    (folder / "2.log").symlink_to("2.log")
    (folder / "3.log").symlink_to("nowhere")
    (folder / "4.log").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "5.log"))


def other_names_of_it(folder: Path) -> None:
    (folder / "0.gz").symlink_to("app.log")
    (folder / "app.log.1").symlink_to("app.log")
    (folder / "z.gz").symlink_to("app.log")


def damaged_gzip(folder: Path) -> None:
    (folder / "0.log.gz").write_bytes(b"\x1f\x8b\x08\0 no gzip")


def impossible_times(folder: Path) -> None:
    for number, seconds in enumerate((-(1 << 31), 1 << 33, (1 << 62) // 10**9 * 2)):
        file = folder / f"{number}.log"
        file.write_text(f"of {seconds}\n")
        os.utime(file, (seconds, seconds))


def endless_nuls(folder: Path) -> None:
    (folder / "0.log").touch()
    os.truncate(folder / "0.log", 1 << 42)


@pytest.mark.parametrize(
    "hostile",
    [
        links_that_lead_back, deep_folders, odd_kinds, other_names_of_it, damaged_gzip, impossible_times, endless_nuls,
    ],
)  # fmt: skip
def test_files_of_any_kind(tmp_path: Path, hostile: Callable[[Path], None]) -> None:
    rig = Rig(tmp_path, "*", "**/*.log").start()
    rig.write("one\n")
    rig.take()
    rig.acknowledge()
    hostile(rig.folder)
    rig.write("two\n")
    assert b"two" in rig.values()
    rig.acknowledge()
    rig.restart(lambda: rig.write("three\n"))
    assert b"three" in rig.values()
    assert b"one" not in [event.value for event in rig.sent[1:]]
    rig.kill()
    subprocess.run(["rm", "-rf", rig.folder], check=True)  # pytest itself fails at deep folders


@pytest.fixture
def few_open_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    already = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (already + 450, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_open_files")
@pytest.mark.parametrize("name", ["{}.log", "app.log.{}"])
def test_any_number_of_files(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path, "*")
    for number in range(500):
        rig.write(f"of {number}\n", name.format(number))
    rig.write("one\n")
    rig.start()
    assert len(set(rig.values())) == 501
    rig.acknowledge()
    rig.restart(lambda: rig.write("two\n"))
    assert rig.values() == [b"two"]
    assert "cannot be read" not in caplog.text
    rig.kill()


def test_any_number_of_files_that_cannot_be_read_is_said_in_few_lines(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(tmp_path, "*")
    for number in range(100):
        rig.write("plain\n", f"{number}.gz")
    rig.write("one\n")
    rig.start()
    assert rig.values() == [b"one"]
    assert caplog.text.count("cannot be read") == 20


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/a/*.log", "/a/x\n.log", True), ("/a/*.log", "/a/b/x.log", False), ("/a/*", "/a/.x", False),
        ("/a/.*", "/a/.x", True), ("/a/**/x", "/a/x", True), ("/a/**/x", "/a/b/c/d/x", True),
        ("/a/**/x", "/a/.b/x", False), ("/a/**", "/a/b/c", True), ("/a/[*]", "/a/*", True), ("/a/[*]", "/a/b", False),
        ("/a/b", "/a/b", True), ("/a/**/b/**/c", "/a/1/b/2/3/c", True), ("/a/**/b/**/c", "/a/1/2/c", False),
    ],
)  # fmt: skip
def test_a_pattern_stands_for_what_it_finds(tmp_path: Path, pattern: str, path: str, fits: bool) -> None:
    assert places.stands_for(pattern, Path(path)) is fits
    there = Path(f"{tmp_path}{path}")
    there.parent.mkdir(parents=True)
    there.touch()
    assert (there in places.files(f"{tmp_path}{pattern}")) is fits
