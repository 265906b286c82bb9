#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Puts what one system needs of PyPI and of Debian into a bundle that is being made."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.artifact_debian import Debian, collect, mirrors_with
from ansible.module_utils.artifact_hashes import ArtifactError
from ansible.module_utils.artifact_pack import pack
from ansible.module_utils.artifact_pip import locked_wheels
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: artifact_bundle_part
short_description: Puts the wheels and Debian packages of one system into a bundle that is being made
description:
  - Downloads to the cache, then copies, so that a bundle is quickly made again.
options:
  bundle_dir: {type: path, required: true, description: Folder of the bundle.}
  cache_dir: {type: path, required: true, description: "All that is kept, below wheels/ and debian/."}
  python: {type: path, required: true, description: Interpreter whose pip is used.}
  requirements: {type: list, elements: path, default: [], description: Requirements files with a hash for each wheel.}
  target_python: {type: str, required: true, description: "The system's Python, such as 3.11."}
  target_architecture: {type: str, required: true, description: "The system's architecture, such as x86_64."}
  release: {type: str, required: true, description: "The system's Debian release, such as bookworm."}
  debian_architecture: {type: str, required: true, description: "Debian's word for the architecture, such as amd64."}
  debian_packages: {type: list, elements: str, default: [], description: Packages that are taken with all they need.}
  debian_mirrors:
    type: dict
    default: {}
    description: Addresses of debian and debian-security, where they are not those of this machine's own apt.
  debian_dir: {type: path, required: true, description: Folder into which a host unpacks the packages.}
author: The login data pipeline
"""
RETURN = """
msg: {type: str, returned: always, description: What was put into the bundle.}
"""


def wheels(params: dict[str, Any]) -> str:
    """Copy the wheels of all requirements into one folder of the bundle."""
    target = (params["target_python"], params["target_architecture"])
    folder = Path(params["bundle_dir"], "wheels", "-".join(target))
    folder.mkdir(parents=True, exist_ok=True)
    for lock in params["requirements"]:
        found = locked_wheels(Path(lock), Path(params["cache_dir"]), params["python"], target)
        shutil.copytree(found, folder, dirs_exist_ok=True)
    return f"{len(list(folder.iterdir()))} wheels for Python {params['target_python']}"


def debian_packages(params: dict[str, Any]) -> str:
    """Pack the Debian packages into one archive of the bundle."""
    system = f"{params['release']}-{params['debian_architecture']}"
    debian = Debian(params["release"], params["debian_architecture"], mirrors_with(params["debian_mirrors"]))
    work = Path(params["cache_dir"], "debian", system)
    target, tree = Path(params["debian_dir"]), work / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    collect(debian, params["debian_packages"], work, tree, target)
    count = len(list(tree.rglob("*.deb")))
    archives = Path(params["bundle_dir"], "archives")
    archives.mkdir(exist_ok=True)
    pack(tree, archives / f"debian-{system}.tar", target.name)
    shutil.rmtree(tree)
    return f"{count} packages of Debian {params['release']}"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "bundle_dir": {"type": "path", "required": True},
            "cache_dir": {"type": "path", "required": True},
            "python": {"type": "path", "required": True},
            "requirements": {"type": "list", "elements": "path", "default": []},
            "target_python": {"type": "str", "required": True},
            "target_architecture": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "debian_architecture": {"type": "str", "required": True},
            "debian_packages": {"type": "list", "elements": "str", "default": []},
            "debian_mirrors": {"type": "dict", "default": {}},
            "debian_dir": {"type": "path", "required": True},
        },
    )
    try:
        cache = Path(module.params["cache_dir"])
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)  # two runs may share the cache
            told = [wheels(module.params), debian_packages(module.params)]
        module.exit_json(changed=True, msg=", ".join(told))
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
