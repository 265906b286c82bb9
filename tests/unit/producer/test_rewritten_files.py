# SPDX-License-Identifier: Apache-2.0
"""Files that are written anew, and runs of NULs in them: whatever stands there now is sent, the NULs are not."""

import gzip
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from file_rig import Rig
from login_producer.sources import content
from login_producer.sources.content import CHUNK
from login_producer.sources.tail import Tail

pytestmark = pytest.mark.usefixtures("no_waiting")


def in_place(rig: Rig, data: bytes, offset: int = 0) -> None:
    with rig.log.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def truncated(rig: Rig, data: bytes) -> None:
    rig.log.write_bytes(data)


def with_the_old_time(rig: Rig, data: bytes) -> None:
    status = rig.log.stat()
    rig.log.write_bytes(data)
    os.utime(rig.log, ns=(status.st_atime_ns, status.st_mtime_ns))


def close(rig: Rig) -> Tail:
    """As the source does with the files that were written to least lately, where there are many."""
    assert rig.source
    [tail] = rig.source._watch.tails.values()
    tail.leave()
    return tail


REWRITES = (truncated, in_place, with_the_old_time)


@pytest.mark.parametrize("when", ["running", "closed", "at a restart"])
@pytest.mark.parametrize("rewrite", REWRITES)
@pytest.mark.parametrize("more", [b"", b"ever\n", b"six\nseven"])
def test_what_replaces_what_was_read_is_sent(
    tmp_path: Path, rewrite: Callable[[Rig, bytes], None], when: str, more: bytes
) -> None:
    rig = Rig(tmp_path).start()
    rig.write("one\ntwo\n")
    rig.take()
    rig.acknowledge()
    if when == "closed":
        close(rig)
    if when == "at a restart":
        rig.kill()
    rewrite(rig, b"six\nten\n" + more)
    if when == "at a restart":
        rig.start()
    rig.take()
    assert rig.documents() == Counter(b"one two six ten".split() + more.split(b"\n")[:-1])


def test_a_closed_file_that_was_rewritten_later_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "SETTLES_S", 0.01)
    rig = Rig(tmp_path).start()
    rig.write("one\n")
    rig.take()
    time.sleep(0.05)
    rig.take()
    assert not close(rig).changed
    with_the_old_time(rig, b"two\n")
    assert rig.values() == [b"two"]


def test_what_was_lost_by_a_rewrite_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("login_producer.sources.watch.SEARCH_S", -1)
    rig = Rig(tmp_path).start()
    rig.write("one\n")
    rig.take()
    rig.write("never read\n")
    truncated(rig, b"two\n")
    assert rig.values() == [b"two"]
    assert "what it held behind offset 4 is not sent, if there was anything" in caplog.text


SIZES = (1, 511, 512, CHUNK - 4, CHUNK, CHUNK + 1, 3_000_000)


@pytest.mark.parametrize("written", [False, True], ids=["sparse", "written"])
@pytest.mark.parametrize("size", SIZES)
def test_a_writer_goes_on_at_its_old_offset_after_a_truncation(tmp_path: Path, size: int, written: bool) -> None:
    rig = Rig(tmp_path).start()
    rig.write("one\n")
    rig.take()
    truncated(rig, bytes(size) if written else b"")
    in_place(rig, b"two\nthree\n", size)
    assert rig.values() == [b"two", b"three"]
    rig.acknowledge()
    rig.restart(lambda: rig.write(b"four\n"))
    assert rig.values() == [b"four"]
    assert (rig.counters.generated, dict(rig.counters.failed)) == (0, {})


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("before", "torn"), [(b"one\n", []), (b"one\ntor", [b"tor"])])
def test_blocks_that_a_crash_left_unwritten_are_passed_over(
    tmp_path: Path, size: int, before: bytes, torn: list[bytes], restart: bool
) -> None:
    rig = Rig(tmp_path).start()
    rig.write(before + bytes(size))
    rig.take()
    rig.acknowledge()
    if restart:
        rig.restart()
    rig.write("two\nthree\n")
    rig.take()
    glued = torn and size < 512  # may have been typed by somebody: it stays one record
    rest = [b"tor" + bytes(size) + b"two"] if glued else [*torn, b"two"]
    assert rig.documents() == Counter([b"one", *rest, b"three"])


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("written", [False, True], ids=["sparse", "written"])
@pytest.mark.parametrize("size", [600, 3_000_000, 10 * CHUNK * 16])
def test_a_file_that_was_allocated_in_advance_is_read_as_it_is_filled(
    tmp_path: Path, size: int, written: bool, restart: bool
) -> None:
    rig = Rig(tmp_path)
    rig.log.write_bytes(bytes(size) if written else b"")
    os.truncate(rig.log, size)
    rig.start()
    at = 0
    for part, found in ((b"one\ntw", [b"one"]), (b"o\n", [b"two"]), (b"three\nfour\n", [b"three", b"four"])):
        assert rig.values() == []
        in_place(rig, part, at)
        at += len(part)
        if restart:
            rig.restart()
        assert rig.values() == found
        rig.acknowledge()
    os.truncate(rig.log, at)  # as the writer does at its end
    rig.write("five\n")
    assert rig.values() == [b"five"]


def test_nuls_in_what_is_packed_and_read_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "app.log*", follow=False)
    rig.write(gzip.compress(bytes(700_000) + b"one\n" + bytes(300_000) + b"two\n" + bytes(600)), "app.log.gz")
    rig.write(bytes(5_000_000) + b"three\nfour" + bytes(6_000_000))
    rig.start()
    assert sorted(rig.values()) == [b"four", b"one", b"three", b"two"]
    assert rig.source and rig.source.ended and rig.source.failure is None


def test_ids_are_the_same_in_a_packed_copy(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "app.log*").start()
    data = bytes(6000) + b"one\n" + bytes(700) + b"two\n"
    rig.write(data)
    rig.take()
    rig.kill()
    (tmp_path / "counters.file.json").unlink(missing_ok=True)
    rig.write(gzip.compress(data), "app.log.1.gz")
    rig.log.unlink()
    rig.start().take()
    assert (len(rig.sent), rig.documents()) == (4, Counter([b"one", b"two"]))


def test_csv_goes_on_behind_nuls(tmp_path: Path) -> None:
    rig = Rig(tmp_path, layout="csv").start()
    rig.write(b'user\nalice\n"torn' + bytes(5000) + b"bob\n")
    assert rig.values() == [b'{"user":"alice"}', b'"torn', b'{"user":"bob"}']
    rig.acknowledge()
    rig.restart(lambda: rig.write("carol\n"))
    assert rig.values() == [b'{"user":"carol"}']
