# SPDX-License-Identifier: Apache-2.0
"""Action plugin: files of the controller in one archive that only the vault password of the run opens.

Arguments: ``dest`` (the archive, a tar.gz inside an Ansible Vault, mode 0600), ``paths`` (files and folders, each kept
under its own name), ``texts`` (mapping of a name in the archive to its text). Nothing is written in plain on the way.
"""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import VaultLib
from ansible.plugins.action import ActionBase


def pack(paths: list[Path], texts: dict[str, str]) -> bytes:
    """Return the archive. Raises OSError."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path in paths:
            archive.add(path, arcname=path.name)
        for name, text in texts.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o600
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):  # Ansible's signature
        super().run(tmp, task_vars)
        args = self._task.args
        dest = Path(args["dest"]).expanduser()
        vault = VaultLib(self._loader._vault.secrets if self._loader._vault else None)
        if not vault.secrets:
            raise AnsibleActionFail(
                f"no vault password was given, and the secrets are not written in plain to {dest.parent}: "
                "add --ask-vault-pass or --vault-password-file to the command"
            )
        if not dest.parent.is_dir():
            raise AnsibleActionFail(f"there is no folder {dest.parent} on this machine: make it, or name another one")
        if not self._task.check_mode:
            try:
                packed = pack([Path(path) for path in args["paths"]], args.get("texts") or {})
                self._write(dest, vault.encrypt(packed))
            except OSError as error:
                raise AnsibleActionFail(f"the archive was not written: {error}") from error
        return {"changed": True, "dest": str(dest)}

    @staticmethod
    def _write(dest: Path, content: bytes) -> None:
        # A new file beside it, then a rename: an interrupted run leaves no half of an archive.
        handle, temporary = tempfile.mkstemp(dir=dest.parent)  # mode 0600
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(dest)
