#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: take a service off a host: its units, files and user. Its data go only if that is said.

A user that owns kept data is kept as well: files without an owner would belong to whoever gets that number next.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.service_api import outcome

DOCUMENTATION = r"""
module: service_removal
short_description: Take a service off a host
description: [What is not there is no fault, so that a removal that was interrupted can be repeated.]
options:
  units:
    description: Unit files and instances, or patterns of them; stopped and disabled in this order, then removed.
    type: list
    elements: str
    default: []
  paths: {description: 'Files and folders, or patterns of them.', type: list, elements: str, default: []}
  data: {description: 'The same, removed only with remove_data.', type: list, elements: str, default: []}
  folders: {description: Folders that are removed if nothing is left in them., type: list, elements: str, default: []}
  users: {description: 'Users, removed unless data are kept.', type: list, elements: str, default: []}
  remove_data: {description: Whether the data go., type: bool, required: true}
"""

RETURN = r"""
changes: {description: 'What was removed, or would be; one line each.', type: list, elements: str, returned: success}
"""

SYSTEMD = Path("/etc/systemd/system")
# As role host describes each user; another one of the same name is not ours.
GECOS = "Login pipeline, "


def run(*command: str) -> str:
    """Return what a command prints. Raises CalledProcessError."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def found(pattern: str) -> list[Path]:
    """Return the paths of an absolute pattern."""
    return sorted(Path("/").glob(pattern.lstrip("/")))


class Removal:
    """The steps; each notes what it changes, and does so unless this is a check."""

    def __init__(self, check: bool) -> None:
        self._check = check
        self.changes: list[str] = []

    def units(self, patterns: list[str]) -> None:
        names = [name for pattern in patterns for name in self._known(pattern)]
        running = [name for name in names if self._state(name) not in ("inactive", "failed")]
        enabled = [name for name in names if self._links(name)]
        files = [
            path
            for pattern in patterns
            for path in sorted(SYSTEMD.glob(pattern)) + sorted(SYSTEMD.glob(f"{pattern}.d"))
        ]
        self.changes += [f"{name}: stopped" for name in running] + [f"{name}: disabled" for name in enabled]
        if not self._check:
            if running:
                run("systemctl", "stop", *running)
            if enabled:
                run("systemctl", "disable", *enabled)
        for path in files:
            self._remove(path)
        if not self._check and (files or running):
            run("systemctl", "daemon-reload")
            # what has failed would be listed for ever
            subprocess.run(["systemctl", "reset-failed", *names], check=False, capture_output=True)

    @staticmethod
    def _known(pattern: str) -> list[str]:
        listed = run("systemctl", "list-units", "--all", "--plain", "--no-legend", pattern).splitlines()
        loaded = {line.split()[0] for line in listed if line.split()[1] != "not-found"}
        files = {path.name for path in SYSTEMD.glob(pattern)} | {
            link.name for link in SYSTEMD.glob(f"*.wants/{pattern}")
        }
        # the file of a template is no unit
        return sorted(name for name in loaded | files if "@." not in name)

    @staticmethod
    def _state(name: str) -> str:
        return run("systemctl", "show", "--value", "--property=ActiveState", name).strip()

    @staticmethod
    def _links(name: str) -> list[Path]:
        return list(SYSTEMD.glob(f"*.wants/{name}"))

    def paths(self, patterns: list[str]) -> None:
        for pattern in patterns:
            for path in found(pattern):
                self._remove(path)

    def _remove(self, path: Path) -> None:
        if path.is_mount():  # the host's own, unlike what lies in it
            for inner in sorted(path.iterdir()):
                if inner.name != "lost+found":
                    self._remove(inner)
            return
        self.changes.append(f"{path}: removed")
        if self._check:
            return
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def folders(self, folders: list[str]) -> None:
        for folder in map(Path, folders):
            if folder.is_dir() and not any(folder.iterdir()):
                self._remove(folder)

    def users(self, names: list[str]) -> None:
        ours = {each.pw_name for each in pwd.getpwall() if each.pw_gecos.startswith(GECOS)}
        for name in names:
            if name in ours:
                self.changes.append(f"user {name}: removed")
                if not self._check:
                    run("userdel", name)


def refused(paths: list[str]) -> list[str]:
    """Return those of the paths that no service has for itself, such as /opt."""
    return [path for path in paths if not path.startswith("/") or len(Path(os.path.normpath(path)).parts) < 3]


def main() -> None:
    names: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "units": names,
            "paths": names,
            "data": names,
            "folders": names,
            "users": names,
            "remove_data": {"type": "bool", "required": True},
        },
        supports_check_mode=True,
    )
    told = module.params
    bad = refused(told["paths"] + told["data"] + told["folders"])
    if bad:
        module.fail_json(
            msg=f"nothing was removed: {', '.join(bad)} is no path of one service alone; check the settings"
        )
    removal = Removal(module.check_mode)
    try:
        removal.units(told["units"])
        removal.paths(told["paths"] + (told["data"] if told["remove_data"] else []))
        removal.folders(told["folders"])
        if told["remove_data"] or not any(found(pattern) for pattern in told["data"]):
            removal.users(told["users"])
    except subprocess.CalledProcessError as error:
        module.fail_json(msg=f"{' '.join(error.cmd)}: {error.stderr.strip()}")
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**outcome(removal.changes))


if __name__ == "__main__":
    main()
