#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Packs an application's locked wheels and its own into one archive in the cache of the controller."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ansible.module_utils.artifact_bundle import pip_environment
from ansible.module_utils.artifact_fetch import run
from ansible.module_utils.artifact_hashes import ArtifactError, check_recorded, record
from ansible.module_utils.artifact_pack import EPOCH, pack
from ansible.module_utils.artifact_pip import key, locked_wheels
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: artifact_wheels
short_description: Packs an application's wheels into one archive in the controller's cache
description:
  - Downloads the wheels of a hash-locked requirements file for the host's Python, and builds own ones.
  - Both stay in the cache, an own wheel until its sources change.
  - The source folders stay untouched. In check mode it only says what it would do.
options:
  app: {type: str, required: true, description: Name of the application.}
  requirements: {type: path, required: true, description: Requirements file with a hash for each wheel.}
  projects: {type: list, elements: path, default: [], description: Folders with a pyproject.toml.}
  cache_dir: {type: path, required: true, description: "All that is kept, below archives/ and wheels/."}
  bundle_dir: {type: str, default: "", description: "Bundle that all is taken from, in place of the index."}
  python: {type: path, required: true, description: Interpreter whose pip is used.}
  target_python: {type: str, required: true, description: "The host's Python, such as 3.11."}
  target_architecture: {type: str, required: true, description: "The host's architecture, such as x86_64."}
author: The login data pipeline
"""
RETURN = """
archive: {type: str, returned: always, description: Path on the controller; empty if pending.}
build: {type: str, returned: always, description: Changes with the lock, the sources and the host's Python.}
msg: {type: str, returned: always, description: What was done.}
"""

# What a build writes into a source folder, and what is no part of the package.
LITTER = ("__pycache__", "*.egg-info", "build", "dist", ".*", "*.pyc")


def sources(project: Path) -> Iterator[Path]:
    """Yield the project's files, sorted, without litter."""
    for path in sorted(project.rglob("*")):
        inner = path.relative_to(project)
        litter = any(fnmatch(word, pattern) for word in inner.parts for pattern in LITTER)
        if path.is_file() and not litter:
            yield path


def own_wheel(project: Path, cache: Path, python: str, target: tuple[str, str], env: dict[str, str]) -> Path:
    """Return a folder of the cache with the project's wheel, which appears whole.

    A build takes seconds, applications share projects, and a change mostly touches one of them. It is made from a copy,
    so that nothing is left in the source folder.
    """
    inner = [(str(path.relative_to(project)), path) for path in sources(project)]
    folder = cache / "wheels" / f"{project.name}-{key(inner, *target)}"
    if folder.is_dir():
        return folder
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    copy = part / project.name
    for name, path in inner:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy / name)
    pip = [python, "-m", "pip", "wheel", "-q", "--no-deps", "--no-cache-dir", "-w", part, copy]
    run(pip, "build the project by hand to see more", {"SOURCE_DATE_EPOCH": str(EPOCH), **env})
    shutil.rmtree(copy)
    part.rename(folder)
    return folder


def ensure(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the archive into the cache if it is not there, and return the module's result."""
    cache, lock = Path(params["cache_dir"]), Path(params["requirements"])
    for project in map(Path, params["projects"]):
        if not (project / "pyproject.toml").is_file():
            raise ArtifactError(f"{project}: holds no pyproject.toml. next: correct artifact_app_projects")
    target = (params["target_python"], params["target_architecture"])
    own = [
        (f"{project.name}/{path.relative_to(project)}", path)
        for project in map(Path, params["projects"])
        for path in sources(project)
    ]
    build = key([("lock", lock), *own], *target)
    archive = cache / "archives" / f"{params['app']}-{build}.tar"
    result = {"changed": not archive.exists(), "archive": str(archive), "build": build}
    if archive.exists():
        check_recorded(archive, f"remove {archive} and run again")
        return {**result, "msg": f"{archive} is there and checked"}
    if check_mode:
        return {**result, "archive": "", "msg": f"would fetch the wheels of {lock} and pack {archive.name}"}
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)  # two runs may share the cache
        env = pip_environment(Path(params["bundle_dir"]), target) if params["bundle_dir"] else {}
        locked = locked_wheels(lock, cache, params["python"], target, env)
        work = cache / "work" / params["app"]
        shutil.rmtree(work, ignore_errors=True)
        tree = work / "tree"
        tree.mkdir(parents=True)
        shutil.copytree(locked, tree / "locked", copy_function=os.link)
        for project in map(Path, params["projects"]):
            wheel = own_wheel(project, cache, params["python"], target, env)
            shutil.copytree(wheel, tree / "own", copy_function=os.link, dirs_exist_ok=True)
        shutil.copyfile(lock, tree / "requirements.txt")
        pack(tree, archive, params["app"])
        record(archive)
        shutil.rmtree(work)
    return {**result, "msg": f"packed {archive}"}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "app": {"type": "str", "required": True},
            "requirements": {"type": "path", "required": True},
            "projects": {"type": "list", "elements": "path", "default": []},
            "cache_dir": {"type": "path", "required": True},
            "bundle_dir": {"type": "str", "default": ""},
            "python": {"type": "path", "required": True},
            "target_python": {"type": "str", "required": True},
            "target_architecture": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**ensure(module.params, module.check_mode))
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
