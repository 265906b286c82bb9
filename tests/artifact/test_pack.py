# SPDX-License-Identifier: Apache-2.0
"""The same content gives the same bytes, and only wanted members are taken."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from ansible.module_utils.artifact_hashes import ArtifactError
from ansible.module_utils.artifact_pack import pack, place, unpack
from artifact_kit import archive


def test_same_content_same_bytes(tmp_path: Path) -> None:
    for name, mode, mtime in (("one", 0o700, 10), ("two", 0o755, 20)):
        files = ["bin/run", "lib/a"] if name == "one" else ["lib/a", "bin/run"]
        for file in files:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True)
            path.write_text(file)
            path.chmod(mode if file == "bin/run" else mode & 0o644)
            os.utime(path, (mtime, mtime))
        pack(tmp_path / name, tmp_path / f"{name}.tar", "top")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        members = {member.name: (member.mode, member.uid, member.uname) for member in tar}
    assert members["top/bin/run"] == (0o755, 0, "root")
    assert members["top/lib/a"] == (0o644, 0, "root")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p-1/deps/jars/a.jar", "jars/a.jar"),
        ("p-1/pyspark/x.py", "python/pyspark/x.py"),
        ("p-1/deps/data/x", None),
        ("p-1/setup.py", None),
        ("p-1/depsx/a", None),
        ("p-1/deps", None),
    ],
)
def test_place(name: str, expected: str | None) -> None:
    assert place(name, {"deps": "", "pyspark": "python/pyspark"}, ["data/*"]) == expected


@pytest.mark.parametrize("name", ["/etc/passwd", "top/../../etc/passwd"])
def test_members_cannot_leave_the_tree(name: str) -> None:
    with pytest.raises(ArtifactError, match="outside"):
        place(name, {"": ""}, [])


def test_wrong_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="none of the folders"):
        unpack(archive(tmp_path / "a.tgz", {"a": "1"}), tmp_path / "tree", {"other": ""}, [])


@pytest.mark.parametrize(("target", "good"), [("a", True), ("../../secret", False)])
def test_links(tmp_path: Path, target: str, good: bool) -> None:
    path = archive(tmp_path / "a.tgz", {"a": "1"})
    with tarfile.open(tmp_path / "b.tar", "w") as tar, tarfile.open(path) as old:
        tar.addfile(old.getmember("top/a"), old.extractfile("top/a"))
        link = tarfile.TarInfo("top/link")
        link.type, link.linkname = tarfile.SYMTYPE, target
        tar.addfile(link)
    if good:
        unpack(tmp_path / "b.tar", tmp_path / "tree", {"": ""}, [])
        assert (tmp_path / "tree" / "link").read_text() == "1"
    else:
        with pytest.raises(ArtifactError, match="outside"):
            unpack(tmp_path / "b.tar", tmp_path / "tree", {"": ""}, [])
