# SPDX-License-Identifier: Apache-2.0
"""`login-producer check`: every record of a file is shown with what becomes of it."""

import gzip
import json
import time
from pathlib import Path

import pytest
from login_producer.cli import main

NOW = int(time.time())
GOOD = json.dumps({"event_id": "e1", "user_id": "alice", "timestamp": NOW, "source_ip": "192.0.2.1"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "logins.json"


def test_good_records(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"\n{GOOD}\n")
    assert main(["check", "--format", "native", str(file)]) == 0
    line, total = capsys.readouterr().out.splitlines()
    assert line.startswith("2: event @timestamp=")
    assert "source.ip=192.0.2.1  user.id=alice" in line
    assert total == "1 events, 0 ignored, 0 unrecognised, 0 refused"


def test_refused_records_tell_why_and_are_safe_to_show(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"{GOOD}\n\x1b]0;x\n{{}}\n")
    assert main(["check", "--format", "native", str(file)]) == 1
    out = capsys.readouterr().out
    assert "2: refused not_json" in out
    assert "| \\x1b]0;x" in out
    assert "3: refused timestamp_missing: timestamp is absent or null | {}" in out
    assert out.endswith("1 events, 0 ignored, 0 unrecognised, 2 refused (not_json 1, timestamp_missing 1)\n")


def test_json_has_the_fields_and_nothing_else(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(f"{GOOD}\nx\n")
    assert main(["check", "--format", "native", "--json", str(file)]) == 1
    out, told = capsys.readouterr()
    good, bad = map(json.loads, out.splitlines())
    assert (good["line"], good["result"], good["user.id"], good["event.id"]) == (1, "event", "alice", "e1")
    assert (bad["line"], bad["result"], bad["reason"]) == (2, "refused", "not_json")
    assert told == "1 events, 0 ignored, 0 unrecognised, 1 refused (not_json 1)\n"


def test_what_is_no_login_is_ignored(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"eventType": "user.lifecycle.create"}\n')
    assert main(["check", "--format", "okta", str(file)]) == 0
    assert capsys.readouterr().out == "1: ignored\n0 events, 1 ignored, 0 unrecognised, 0 refused\n"


def test_what_is_not_known_is_neither_ignored_nor_passed_over(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"eventType": "user.session.of_a_new_version"}\n')
    assert main(["check", "--format", "okta", str(file)]) == 1
    out, told = capsys.readouterr()
    assert out.startswith("1: unrecognised eventType user.session.of_a_new_version | {")
    assert out.endswith("\n0 events, 0 ignored, 1 unrecognised, 0 refused\n")
    assert "neither as a login nor as none" in told


def test_packed_csv_with_rows_over_several_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "logins.csv.gz"
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW))
    file.write_bytes(gzip.compress(f'user_id,timestamp,reason\n"a\nb",{when},\nalice,{when},x\nbad\n'.encode()))
    assert main(["check", "--format", "native", "--layout", "csv", str(file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in lines[:-1]] == ["2:", "4:", "5:"]
    assert "user.id=a\\nb" in lines[0]
    assert "5: refused not_json" in lines[2]


def test_old_records_are_refused_as_the_consumer_would(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('{"user_id": "a", "timestamp": "2020-01-01T00:00:00Z"}\n')
    assert main(["check", "--format", "native", str(file)]) == 1
    assert main(["check", "--format", "native", "--max-age-days", "99999", str(file)]) == 0


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none", None, "cannot be read: No such file or directory"),
        ("x.gz", b"plain", "cannot be unpacked"),
        ("x.gz", gzip.compress(b"{}\n", mtime=0)[:-4], "is cut short"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["check", "--format", "native", str(tmp_path / name)]) == 2
    assert expected in capsys.readouterr().err


def test_an_unknown_format(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "x", str(file)]) == 2
    assert "--format: should be one of native, " in capsys.readouterr().err
