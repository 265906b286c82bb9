# SPDX-License-Identifier: Apache-2.0
"""Files that are followed or read once: what is sent, what is passed over and said, and where a restart goes on."""

import gzip
import json
import os
import zlib
from collections import Counter
from pathlib import Path

import pytest
from file_rig import Rig, packed
from login_producer.sources import SourceError

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_lines_are_sent_as_they_come(tmp_path: Path) -> None:
    rig = Rig(tmp_path).start()
    assert rig.values() == []  # not there yet
    rig.write("one\n\n")
    assert rig.values() == [b"one"]
    rig.write("tw")
    assert rig.values() == []
    rig.write("o\r\nthree\n")
    assert rig.values() == [b"two", b"three"]


def test_headers_tell_what_the_consumer_has_to_know(tmp_path: Path) -> None:
    rig = Rig(tmp_path, timezone="Europe/Berlin")
    rig.write("old\n")
    os.utime(rig.log, (1_772_359_200.5, 1_772_359_200.5))
    rig.start()
    old = rig.take()[0]
    rig.write("new\n")
    new = rig.take()[0]
    common = {"login-format": b"native", "login-timezone": b"Europe/Berlin"}
    assert dict(old.headers or []) == common | {
        "login-id": old.event_id.encode(), "login-written-before": b"2026-03-01T10:00:01Z",
    }  # fmt: skip
    assert dict(new.headers or []) == common | {"login-id": new.event_id.encode()}
    assert new.key is None


def test_a_restart_goes_on_where_all_was_acknowledged(tmp_path: Path) -> None:
    rig = Rig(tmp_path).start()
    rig.write("one\ntwo\n")
    rig.take()
    rig.acknowledge()
    rig.write("three\n")
    first = rig.take()
    rig.restart(lambda: rig.write("four\n"))
    assert rig.values() == [b"three", b"four"]
    assert rig.sent[-2].event_id == first[0].event_id


def test_new_files_of_a_pattern_are_found(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "*.json").start()
    rig.write("a\n", "a.json")
    assert rig.values() == [b"a"]
    rig.write("b\n", "b.json")
    rig.write("c\n", "c.txt")
    assert rig.values() == [b"b"]


def test_too_long_a_line_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path).start()
    rig.write(b"one\n" + b"x" * (1 << 20) + b"x\ntwo\n")
    assert rig.values() == [b"one", b"two"]
    assert (rig.counters.generated, dict(rig.counters.failed)) == (1, {"too_large": 1})
    assert "app.log: the record of 1048577 bytes at offset 4 is too large" in caplog.text
    rig.acknowledge()
    rig.restart(lambda: rig.write("three\n"))
    assert rig.values() == [b"three"]


def test_csv_goes_on_behind_its_header(tmp_path: Path) -> None:
    rig = Rig(tmp_path, layout="csv").start()
    rig.write("\ufeffuser,when\nalice,1\n")
    rig.take()
    rig.acknowledge()
    rig.restart(lambda: rig.write('bob,"2\n'))
    assert rig.values() == []
    rig.restart(lambda: rig.write('3"\n'))
    assert [json.loads(value) for value in rig.values()] == [{"user": "bob", "when": "2\n3"}]


def test_csv_files_with_one_header_are_not_mixed_up(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "app.log*", layout="csv").start()
    rig.write("user\nalice\n")
    rig.take()
    rig.acknowledge()
    rig.log.rename(rig.folder / "app.log.1")
    rig.write("user\n")
    rig.take()
    rig.write("bob\n")
    assert [json.loads(value) for value in rig.values()] == [{"user": "bob"}]


def test_files_are_read_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "app.log*", follow=False)
    rig.write("one\ntwo")
    rig.write("old\n", "app.log.1")
    packed(rig.folder / "app.log.1")
    rig.start()
    assert sorted(rig.values()) == [b"old", b"one", b"two"]
    assert rig.source and rig.source.ended and rig.source.failure is None
    rig.acknowledge()
    rig.restart(lambda: rig.write("\nthree\n"))
    assert rig.values() == [b"three"]


def test_nothing_to_read_once_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        Rig(tmp_path, follow=False).start()


def test_of_a_truncated_gzip_file_all_is_sent_that_can_be_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "app.log.gz", follow=False)
    lines = [b"line %d %d" % (number, zlib.crc32(b"%d" % number)) for number in range(5000)]
    rig.write(gzip.compress(b"\n".join(lines) + b"\n")[:-2000], "app.log.gz")
    rig.start()
    found = rig.values()
    assert found == lines[: len(found)]
    assert len(found) > 3000
    assert rig.source and rig.source.ended
    assert "app.log.gz is cut short" in str(rig.source.failure)


def test_what_is_no_gzip_is_an_error(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "app.log.gz", follow=False)
    rig.write("plain\n", "app.log.gz")
    rig.start()
    assert rig.values() == []
    assert rig.source and "cannot be read on from offset 0" in str(rig.source.failure)


def test_gzip_files_are_followed_member_by_member(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "*.gz").start()
    data = gzip.compress(b"one\ntwo\n")
    rig.write(data[:15], "a.gz")
    rig.take()
    rig.write(data[15:] + gzip.compress(b"three\n"), "a.gz")
    rig.take()
    assert rig.documents() == Counter((b"one", b"two", b"three"))
    rig.acknowledge()
    rig.restart(lambda: rig.write(gzip.compress(b"four\n"), "a.gz"))
    assert rig.values() == [b"four"]


def test_a_file_that_may_not_be_read_is_said_and_read_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    rig.write("one\n")
    real = os.open
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    rig.start()
    assert rig.values() == []
    assert caplog.text.count("app.log cannot be read: Permission denied; check its owner, group and mode") == 1
    monkeypatch.setattr(os, "open", real)
    assert rig.values() == [b"one"]


def test_a_file_that_may_not_be_read_once_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path, follow=False)
    rig.write("one\n")
    monkeypatch.setattr(os, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    rig.start()
    assert rig.values() == []
    assert rig.source and "Permission denied" in str(rig.source.failure)


def test_a_place_without_a_file_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Rig(tmp_path, "ap.log").start()
    assert "ap.log yet, or its folder may not be listed: waiting for it" in caplog.text


def test_damaged_positions_cost_no_record(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(tmp_path).start()
    rig.write("one\n")
    rig.take()
    rig.acknowledge()
    rig.restart(lambda: [(tmp_path / "counters.file.json").write_text("{"), os.utime(rig.log)])
    rig.take()
    assert (len(rig.sent), rig.documents()) == (2, Counter([b"one"]))
    assert "is damaged" in caplog.text


def test_status_tells_what_is_behind(tmp_path: Path) -> None:
    rig = Rig(tmp_path).start()
    rig.write("one\ntwo\n")
    rig.take()
    assert rig.source
    assert rig.source.status() == {
        "type": "file", "lag_bytes": 8, "more_files": 0,
        "files": [{"path": str(rig.log), "offset": 0, "lag_bytes": 8}],
    }  # fmt: skip
    rig.acknowledge()
    assert rig.source.status()["lag_bytes"] == 0
