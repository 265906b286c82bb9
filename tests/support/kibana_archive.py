# SPDX-License-Identifier: Apache-2.0
"""Archives that hold a stand-in for Kibana, as the role kibana takes them from a folder."""

from __future__ import annotations

import hashlib
import platform
import tarfile
from pathlib import Path

STAND_IN = Path(__file__).parent / "kibana_stand_in.py"
# What there is of it on a host, removed: the uninstallation would take its users as well.
REMOVE = """
systemctl disable --now kibana
rm -rf /etc/systemd/system/kibana.service /opt/kibana /etc/kibana /var/lib/kibana
systemctl daemon-reload
systemctl reset-failed
"""


def make_archive(folder: Path, version: str) -> None:
    """Make an archive of this version, with its sum beside it."""
    archive = folder / f"kibana-{version}-linux-{platform.machine()}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(STAND_IN, f"kibana-{version}/bin/kibana", filter=_executable)
    digest = hashlib.sha512(archive.read_bytes()).hexdigest()
    Path(f"{archive}.sha512").write_text(f"{digest}  {archive.name}\n")


def _executable(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode = 0o755
    return member
