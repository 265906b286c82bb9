# SPDX-License-Identifier: Apache-2.0
"""Files are replaced whole, or stay as they were."""

import os
from pathlib import Path

import pytest
from login_report.files import NotWritten, write


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "page", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "page").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "page").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotWritten, match="No space left on device; check that the folder"):
        write(tmp_path / "page", b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


def test_being_stopped_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "page", b"new")
    assert list(tmp_path.iterdir()) == []
