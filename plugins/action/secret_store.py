# SPDX-License-Identifier: Apache-2.0
"""Action plugin: the deployment's secrets, generated once and kept in one file on the controller.

Arguments: ``path`` (file, YAML mapping of name to string), ``generate`` (list of names to create when they
are missing), ``values`` (mapping of names to set; used for secrets that a service issues, such as API keys).
Returns the mapping as ``secrets``; the result is never logged.

The file may be an Ansible Vault: it is read with the vault secrets of the run and written back encrypted
with the same ones. A plain file is kept at mode 0600 and refused when others can read it.
"""

from __future__ import annotations

import os
import secrets
import string
import tempfile
from pathlib import Path

import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import VaultLib, is_encrypted
from ansible.parsing.yaml.dumper import AnsibleDumper
from ansible.plugins.action import ActionBase

ALPHABET = string.ascii_letters + string.digits
LENGTH = 32  # 190 bits; long enough for FIPS hosts, which want 14 characters at least


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):  # Ansible's signature
        super().run(tmp, task_vars)
        args = self._task.args
        path = Path(args["path"]).expanduser()
        vault = VaultLib(self._loader._vault.secrets if self._loader._vault else None)
        stored, encrypted = self._read(path, vault)
        wanted = {**stored, **{k: str(v) for k, v in (args.get("values") or {}).items()}}
        for name in args.get("generate") or []:
            wanted.setdefault(name, "".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))
        changed = wanted != stored
        if changed and not self._task.check_mode:
            self._write(path, wanted, vault if encrypted else None)
        return {
            "changed": changed,
            "secrets": wanted,
            "_ansible_no_log": True,
        }

    @staticmethod
    def _read(path: Path, vault: VaultLib) -> tuple[dict[str, str], bool]:
        if not path.exists():
            return {}, False
        data = path.read_bytes()
        encrypted = is_encrypted(data)
        if encrypted:
            if not vault.secrets:
                raise AnsibleActionFail(
                    f"{path} is an Ansible Vault and no vault password was given: "
                    "add --ask-vault-pass or --vault-password-file to the command"
                )
            data = vault.decrypt(data)
        elif path.stat().st_mode & 0o077:
            raise AnsibleActionFail(f"{path} holds secrets and others can read it: run chmod 600 {path}")
        content = yaml.safe_load(data) or {}
        if not isinstance(content, dict):
            raise AnsibleActionFail(f"{path} must be a YAML mapping of names to secrets")
        return {str(k): str(v) for k, v in content.items()}, encrypted

    @staticmethod
    def _write(path: Path, content: dict[str, str], vault: VaultLib | None) -> None:
        # Ansible's dumper knows Ansible's own string type, in which task arguments arrive.
        data = yaml.dump(content, Dumper=AnsibleDumper, sort_keys=True).encode()
        if vault:
            data = vault.encrypt(data)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A new file beside it, then a rename: an interrupted run leaves the old or the new file, never half of one.
        handle, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(path)
