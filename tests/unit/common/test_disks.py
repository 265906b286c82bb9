# SPDX-License-Identifier: Apache-2.0
"""A full disk of this host is named where a service of it does not answer."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from login_common import disks
from login_common.network import NetworkFault, connect

GIB = 1 << 30
MOUNTS = r"""
22 1 0:21 / /proc rw,relatime - proc proc rw
30 1 8:1 / / ro,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
31 1 8:2 / /var/lib/kafka rw - xfs /dev/sdb rw
32 1 8:2 /x /srv/bound ro - xfs /dev/sdb rw
33 1 8:3 / /with\040blank rw - ext4 /dev/sdc rw
34 1 7:0 / /snap ro - squashfs /dev/loop0 ro
35 1 0:9 / /mnt rw - nfs4 server:/x rw
36 1 8:4 / /hidden rw - ext4 /dev/sdd rw
"""
ROOM = {"f_bavail": 40 * GIB // 4096, "f_blocks": 100 * GIB // 4096, "f_files": 1000, "f_favail": 500}


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS.strip())
    return path


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let these folders differ from one with room; the others have some."""

    def made(**folders: dict[str, int]) -> None:
        by_path = {f"/{name.replace('_', '/')}": each for name, each in folders.items()}

        def statvfs(folder: str) -> Any:
            if folder == "/hidden":
                raise PermissionError
            assert folder not in ("/mnt", "/snap"), "a server that is away would be waited for"
            if folder == "/proc":
                return SimpleNamespace(f_bavail=0, f_blocks=0, f_frsize=4096, f_files=0, f_favail=0)
            return SimpleNamespace(f_frsize=4096, **ROOM | by_path.get(folder, {}))

        monkeypatch.setattr(os, "statvfs", statvfs)

    return made


def test_a_disk_with_room_is_not_named(host: Callable[..., None], mounts: Path) -> None:
    host()
    assert disks.full(mounts) == []


def test_a_full_one_is_named_once_with_its_folder_and_free_bytes(host: Callable[..., None], mounts: Path) -> None:
    host(**{"var_lib_kafka": {"f_bavail": 2}, "srv_bound": {"f_bavail": 2}})
    (told,) = disks.full(mounts)
    # of two mounts of one disk the shorter name
    assert str(told).startswith(f"/srv/bound on this host has 8192 of {100 * GIB} bytes free: free space there")


@pytest.mark.parametrize(
    ("free", "is_full"), [(256 * (1 << 20) // 4096, False), (256 * (1 << 20) // 4096 - 1, True), (0, True)]
)
def test_from_where_on_it_is_full(free: int, is_full: bool, host: Callable[..., None], mounts: Path) -> None:
    host(**{"with blank": {"f_bavail": free}})
    assert [each.folder for each in disks.full(mounts)] == (["/with blank"] if is_full else [])


def test_a_disk_without_inodes_is_full(host: Callable[..., None], mounts: Path) -> None:
    host(**{"": {"f_favail": 0}})
    assert "/ on this host takes no more files" in str(disks.full(mounts)[0])


def test_this_host_has_its_own_mounts() -> None:
    assert isinstance(disks.full(), list)


def test_who_does_not_answer_on_this_host_is_told_with_the_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "full", lambda: [disks.Full("/var/lib/kafka", 0, GIB, False)])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(
        NetworkFault, match=r"connection refused.*/var/lib/kafka on this host has 0 of 1073741824 bytes"
    ):
        connect("127.0.0.1", port)
    assert disks.advice("192.0.2.1") == "" and disks.advice("does-not-exist.invalid") == ""
    assert disks.advice("localhost") == disks.advice() != ""
