# SPDX-License-Identifier: Apache-2.0
"""What is in the archive of the secrets; the run with a passphrase: tests/pipeline/test_restore.py."""

import io
import tarfile
from pathlib import Path

from encrypted_archive import pack


def test_files_folders_and_texts_come_back_as_they_were(tmp_path: Path) -> None:
    secrets, ca = tmp_path / "state/secrets.yml", tmp_path / "elsewhere/ca"
    secrets.parent.mkdir()
    secrets.write_text("a: b")
    secrets.chmod(0o600)
    ca.mkdir(parents=True)
    (ca / "ca.key").write_bytes(b"\x00key")
    with tarfile.open(fileobj=io.BytesIO(pack([secrets, ca], {"kafka.json": "{}"}))) as archive:
        files = {each.name: (each.mode, archive.extractfile(each)) for each in archive.getmembers() if each.isfile()}
        contents = {name: (mode, file.read() if file else b"") for name, (mode, file) in files.items()}
    key_mode = (ca / "ca.key").stat().st_mode & 0o777
    assert contents == {
        "secrets.yml": (0o600, b"a: b"),
        "ca/ca.key": (key_mode, b"\x00key"),
        "kafka.json": (0o600, b"{}"),
    }
