# SPDX-License-Identifier: Apache-2.0
"""Which file systems of this host are full: a service that cannot write often ends, and tells it its log alone."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MOUNTS = Path("/proc/self/mountinfo")
_MIB = 1 << 20
# To ask one of these may take for ever
_REMOTE = re.compile(r"nfs|cifs|smb|ceph|fuse|9p|afs|autofs")


class Full(NamedTuple):
    """A file system without room, by where it is mounted, in bytes; `files` says that it can take no more files."""

    folder: str
    free: int
    total: int
    files: bool

    def __str__(self) -> str:
        """What an operator is told."""
        left = "takes no more files" if self.files else f"has {self.free} of {self.total} bytes free"
        return f"{self.folder} on this host {left}: free space there, or mount a larger volume"


def full(mounts: Path = _MOUNTS) -> list[Full]:
    """Return the local file systems with less than 1 % free, at most 256 MiB, or without inodes; not read-only ones."""
    found: dict[str, Full] = {}
    for device, folder in _writable(mounts):
        try:
            told = os.statvfs(folder)
        except OSError:  # such as one that this service may not see
            continue
        free, total = told.f_bavail * told.f_frsize, told.f_blocks * told.f_frsize
        files = told.f_files > 0 and told.f_favail == 0
        # many mounts of a unit's namespace are one file system
        if device not in found and total and (files or free < min(total // 100, 256 * _MIB)):
            found[device] = Full(folder, free, total, files)
    return list(found.values())


def advice(host: str | None = None) -> str:
    """Return what there is to say of full disks here, "" if nothing, or if `host` is a name of another host."""
    return "; ".join(map(str, full())) if host is None or _is_here(host) else ""


def _writable(mounts: Path) -> Iterator[tuple[str, str]]:
    """Yield device and folder of each mount, the shortest folders first."""
    found = []
    for line in mounts.read_text().splitlines():
        mount, _, filesystem = line.partition(" - ")
        kind, _, options = filesystem.split(" ")[:3]
        # of the file system itself: systemd mounts most of it read-only for a service
        if "rw" in options.split(",") and not _REMOTE.match(kind):
            fields = mount.split(" ")
            found.append((fields[2], re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])))
    yield from sorted(found, key=lambda each: (len(each[1]), each))


def _is_here(host: str) -> bool:
    """Return whether an address of `host` is one of this machine."""
    try:
        infos = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, _, _, address in infos:
        with socket.socket(family, kind) as probe:
            try:
                probe.bind(address)
            except OSError:
                continue
            return True
    return False
