# SPDX-License-Identifier: Apache-2.0
"""Published checksums and lock files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from ansible.module_utils.artifact_hashes import (
    ArtifactError,
    check,
    check_lock,
    check_recorded,
    parse_checksum,
    record,
)

SHA256, SHA512 = hashlib.sha256(b"x").hexdigest(), hashlib.sha512(b"x").hexdigest()
GROUPS = " ".join(SHA512[i : i + 8].upper() for i in range(0, 128, 8))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{SHA512}\n", f"sha512:{SHA512}"),
        (f"{SHA512}  a.tgz\n", f"sha512:{SHA512}"),
        (f"{SHA512} *dist/a.tgz\n", f"sha512:{SHA512}"),
        (f"{'0' * 64}  b.tgz\n{SHA256}  a.tgz\n", f"sha256:{SHA256}"),
        (f"a.tgz: {GROUPS[:60]}\n       {GROUPS[60:]}\n", f"sha512:{SHA512}"),
        (f"{SHA512}  b.tgz\n", None),
        (f"b.tgz: {GROUPS}\n", None),
        ("<html>not found</html>", None),
        ("", None),
    ],
)
def test_published_forms(text: str, expected: str | None) -> None:
    assert parse_checksum(text, "a.tgz") == expected


def test_check_shows_both_hashes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    check(path, f"sha512:{SHA512.upper()}", "")
    with pytest.raises(ArtifactError) as caught:
        check(path, f"sha256:{'0' * 64}", "fetch it again")
    assert all(part in str(caught.value) for part in (str(path), "0" * 64, SHA256, "fetch it again"))
    with pytest.raises(ArtifactError, match="sha256:HEX"):
        check(path, "md5:0", "")


def test_an_archive_is_read_again_only_if_it_was_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    record(path)
    beside = tmp_path / "a.sha256"
    younger = path.stat().st_ctime_ns + 1
    os.utime(beside, ns=(younger, younger))
    with monkeypatch.context() as patched:
        patched.setattr("ansible.module_utils.artifact_hashes.digest", lambda *_: pytest.fail("the archive was read"))
        check_recorded(path, "")
    os.utime(beside, ns=(0, 0))
    check_recorded(path, "")
    assert beside.stat().st_mtime_ns > 0  # as from now
    path.write_bytes(b"y")
    os.utime(beside, ns=(0, 0))
    with pytest.raises(ArtifactError, match="wrong sha256"):
        check_recorded(path, "")


@pytest.mark.parametrize(
    ("jars", "problem"),
    [
        ({"a.jar": b"x"}, ""),
        ({"a.jar": b"y"}, "a.jar: expected"),
        ({}, "missing: a.jar"),
        ({"a.jar": b"x", "b.jar": b"x"}, "not in the lock: b.jar"),
    ],
)
def test_lock(tmp_path: Path, jars: dict[str, bytes], problem: str) -> None:
    folder, lock = tmp_path / "jars", tmp_path / "jars.sha256"
    folder.mkdir()
    for name, content in jars.items():
        (folder / name).write_bytes(content)
    lock.write_text(f"{SHA256}  a.jar\n")
    if not problem:
        check_lock(folder, lock)
        return
    with pytest.raises(ArtifactError, match=problem):
        check_lock(folder, lock)


def test_missing_lock_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="sha256sum"):
        check_lock(tmp_path, tmp_path / "none.sha256")
