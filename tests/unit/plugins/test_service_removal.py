# SPDX-License-Identifier: Apache-2.0
"""What a removal takes away and what it leaves; with real services: tests/pipeline/test_uninstall.py."""

from pathlib import Path

import pytest
from service_removal import Removal, refused


def test_paths_of_nobody_alone_are_refused() -> None:
    wrong = ["/", "/opt", "/var/", "relative/path", "/var/../etc", "//opt"]
    assert refused([*wrong, "/opt/kafka", "/etc/kafka", "/srv/kafka/data"]) == wrong


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "data/deep/file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    return tmp_path


def test_folders_files_and_links_go(folder: Path) -> None:
    removal = Removal(check=False)
    removal.paths([f"{folder}/link", f"{folder}/no-such-*"])
    assert (folder / "data/deep/file").exists(), "a link was followed"
    removal.paths([f"{folder}/dat*"])
    assert list(folder.iterdir()) == []
    assert removal.changes == [f"{folder}/link: removed", f"{folder}/data: removed"]


def test_a_check_removes_nothing(folder: Path) -> None:
    removal = Removal(check=True)
    removal.paths([f"{folder}/*"])
    assert len(removal.changes) == 2 and (folder / "link").exists()


def test_a_folder_goes_when_it_is_empty(folder: Path) -> None:
    removal = Removal(check=False)
    removal.folders([f"{folder}/data/deep", f"{folder}/none"])
    assert removal.changes == []
    (folder / "data/deep/file").unlink()
    removal.folders([f"{folder}/data/deep"])
    assert removal.changes == [f"{folder}/data/deep: removed"]


def test_a_mounted_volume_is_emptied_and_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "data/lost+found").mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "data")
    removal = Removal(check=False)
    removal.paths([f"{folder}/data"])
    assert [path.name for path in (folder / "data").iterdir()] == ["lost+found"]
    assert removal.changes == [f"{folder}/data/deep: removed"]
    removal.paths([f"{folder}/data"])
    assert len(removal.changes) == 1
