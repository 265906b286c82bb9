# SPDX-License-Identifier: Apache-2.0
"""Action plugin: the deployment's secrets, kept in one file on the controller.

Arguments: ``path`` (file, YAML mapping of name to string), ``generate`` (names to create when they are missing),
``given`` (mapping: the user's own values), ``draw`` (names to replace by new values), ``issued`` (mapping: what a
service has issued, such as API keys), ``forget`` (bool: the values that were replaced are used nowhere any more).
Returns ``secrets``, the mapping as it is wanted, and ``replaced``, by name the values that a service may still have
instead, newest first; the result is never logged.

A value that is replaced stays in the file, below ``replaced``, until ``forget``: it is what opens the service for the
new one, and a run that was interrupted in between can go on. What a service issues is dropped instead of drawn.

The file may be an Ansible Vault: it is read with the vault secrets of the run and written back encrypted with the one
that has opened it, under the same vault id. A plain file is kept at mode 0600 and refused when others can read it.
"""

from __future__ import annotations

import os
import re
import secrets
import string
import tempfile
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import VaultLib, is_encrypted, parse_vaulttext_envelope
from ansible.parsing.yaml.dumper import AnsibleDumper
from ansible.plugins.action import ActionBase

ALPHABET = string.ascii_letters + string.digits
LENGTH = 32  # 190 bits; long enough for FIPS hosts, which want 14 characters at least
SHORTEST = 8
REPLACED = "replaced"
# Not passwords but keys, in files whose programs would take apart what looks like a variable or an escape.
KEYS, KEY = re.compile(r"spark_secret|pseudonym_key|kibana_\w+_key"), re.compile(r"[A-Za-z0-9_-]{32,}")
LINES = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of characters, separators of lines and paragraphs


@dataclass
class Content:
    """The secrets by name, and those that services may have instead, newest first."""

    secrets: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, list[str]] = field(default_factory=dict)

    def generate(self, name: str) -> None:
        """Make a secret that is missing."""
        self.secrets.setdefault(name, new_secret())

    def give(self, name: str, value: str) -> None:
        """Let a secret be this one."""
        if self.secrets.get(name, value) != value:
            self._keep(name)
        self.secrets[name] = value
        if value in self.replaced.get(name, []):
            self.replaced[name].remove(value)

    def draw(self, name: str, here: bool) -> None:
        """Replace a secret, here or by the service that issues it; one that is being replaced already stays."""
        if name in self.replaced:
            return
        self._keep(name)
        if here:
            self.secrets[name] = new_secret()

    def _keep(self, name: str) -> None:
        self.replaced.setdefault(name, []).insert(0, self.secrets.pop(name))


def new_secret() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def fault(name: str, value: object, given: bool = False) -> str:
    """Return what is wrong with a secret, nothing if it can be used. The text never holds the secret."""
    if not isinstance(value, str):
        return f"{name} is no text: put it into quotes"
    if any(unicodedata.category(sign) in LINES for sign in value):
        return f"{name} holds a line break or another control character: a secret is one line of text"
    if given and KEYS.fullmatch(name) and not KEY.fullmatch(value):
        return f"{name} has to be 32 or more letters, digits, dashes and underscores: it is a key, not a password"
    if given and len(value) < SHORTEST:
        return f"{name} has {len(value)} characters, {SHORTEST} are needed at least"
    return ""


def parse(text: bytes, path: Path) -> Content:
    """Read the content of a store. Raises AnsibleActionFail."""
    found = yaml.safe_load(text) or {}
    replaced = found.pop(REPLACED, {}) if isinstance(found, dict) else None
    if not isinstance(replaced, dict) or not all(isinstance(values, list) for values in replaced.values()):
        raise AnsibleActionFail(f"{path} must be a YAML mapping of names to secrets")
    pairs = [*found.items(), *((name, value) for name, values in replaced.items() for value in values)]
    faults = [told for name, value in pairs if (told := fault(name, value))]
    if faults:
        raise AnsibleActionFail("\n".join(f"{path}: {each}" for each in faults))
    return Content(found, replaced)


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:  # Ansible's signature
        super().run(tmp, task_vars)
        args = self._task.args
        path = Path(args["path"]).expanduser()
        generate, given = args.get("generate") or [], args.get("given") or {}
        check_given(given, generate)
        store = Store(path, self._loader._vault.secrets if self._loader._vault else None)
        content, before = parse(store.text, path), parse(store.text, path)
        for name in generate:
            content.generate(name)
        for name, value in given.items():
            content.give(str(name), str(value))
        for name in args.get("draw") or []:
            content.draw(name, name in generate)
        content.secrets |= {name: str(value) for name, value in (args.get("issued") or {}).items()}
        if args.get("forget"):
            content.replaced.clear()
        changed = content != before
        if changed and not self._task.check_mode:
            store.write(content)
        return {
            "changed": changed,
            "secrets": content.secrets,
            "replaced": content.replaced,
            "_ansible_no_log": True,
        }


def check_given(given: dict[str, object], known: list[str]) -> None:
    """Raise AnsibleActionFail if the user's values cannot be used."""
    faults = [told for name, value in given.items() if name in known and (told := fault(name, value, given=True))]
    unknown = ", ".join(sorted(str(name) for name in given if name not in known))
    if unknown:
        faults.append(f"{unknown} cannot be given; these can: {', '.join(sorted(known))}")
    if faults:
        raise AnsibleActionFail("pipeline_given_secrets cannot be used, nothing was changed.\n- " + "\n- ".join(faults))


class Store:
    """The file. A missing one is empty."""

    def __init__(self, path: Path, vault_secrets: Any) -> None:
        """Read it. Raises AnsibleActionFail, or AnsibleError if the vault cannot be opened."""
        self._path, self._vault = path, VaultLib(vault_secrets)
        self._vault_id: str | None = None
        self._vault_secret: Any = None
        self.text = path.read_bytes() if path.exists() else b""
        if is_encrypted(self.text):
            if not vault_secrets:
                raise AnsibleActionFail(
                    f"{path} is an Ansible Vault and no vault password was given: "
                    "add --ask-vault-pass or --vault-password-file to the command"
                )
            self._vault_id = parse_vaulttext_envelope(self.text)[3]
            self.text, _, self._vault_secret = self._vault.decrypt_and_get_vault_id(self.text)
        elif self.text and path.stat().st_mode & 0o077:
            raise AnsibleActionFail(f"{path} holds secrets and others can read it: run chmod 600 {path}")

    def write(self, content: Content) -> None:
        """Write it, encrypted if it was."""
        told = content.secrets | ({REPLACED: content.replaced} if content.replaced else {})
        # Ansible's dumper knows Ansible's own string type, in which task arguments arrive.
        data = yaml.dump(told, Dumper=AnsibleDumper, sort_keys=True).encode()
        if self._vault_secret:
            # A vault id of its own only if the file had one: without, the header says "default".
            named = None if self._vault_id == "default" else self._vault_id
            data = self._vault.encrypt(data, self._vault_secret, named)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A new file beside it, then a rename: an interrupted run leaves the old or the new file, never half of one.
        handle, temporary = tempfile.mkstemp(dir=self._path.parent)  # mode 0600
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).replace(self._path)
