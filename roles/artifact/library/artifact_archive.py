#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Makes sure that a product's archive lies in the cache of the controller, checked."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.artifact_bundle import bundled
from ansible.module_utils.artifact_fetch import (
    download,
    maven_archive,
    maven_jars,
    published_checksum,
    pypi_sdist,
)
from ansible.module_utils.artifact_hashes import (
    ArtifactError,
    check,
    check_lock,
    check_recorded,
    digest,
    parse_checksum,
    read_lock,
    record,
    recorded,
)
from ansible.module_utils.artifact_pack import pack, unpack
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: artifact_archive
short_description: Makes sure that a product's archive lies in the controller's cache
description:
  - Fetches, checks and, where the source has parts, packs the archive once.
  - Later runs only check its hash, if it was touched since.
  - In check mode it only says what it would fetch.
options:
  product: {type: str, required: true, description: Name of the product.}
  source: {type: str, required: true, choices: [upstream, registry, local], description: Where it comes from.}
  spec: {type: dict, required: true, description: "The product's and source's entry in vars/main.yml."}
  architecture: {type: str, default: x86_64, description: "The hosts' architecture."}
  cache_dir: {type: path, required: true, description: "Everything that is kept, below archives/."}
  files_dir: {type: path, required: true, description: Folder of the locks and of our own files.}
  local_dir: {type: str, default: "", description: "Folder of the source local."}
  bundle_dir: {type: str, default: "", description: "Bundle that the finished archive is taken from."}
  base_url: {type: str, default: "", description: "Used in place of the publisher's address."}
  checksums: {type: dict, default: {}, description: "Pinned hashes by file name."}
  python: {type: path, required: true, description: Interpreter whose pip is used.}
author: The login data pipeline
"""
RETURN = """
archive: {type: str, returned: always, description: Path on the controller; empty if pending.}
version: {type: str, returned: always, description: Version of the product.}
build: {type: str, returned: always, description: "Version and digits of its sha256, or -pending."}
msg: {type: str, returned: always, description: What was done.}
"""


class Recipe:
    """One product from one source: where its files are and how they become one archive."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self.spec = params["spec"]
        self.version = str(self.spec["version"])
        self.cache = Path(params["cache_dir"])
        self.files = Path(params["files_dir"])
        self.local = Path(params["local_dir"]) if params["local_dir"] else None
        self.parts = self.spec.get("parts", [])
        self.work = self.cache / "work" / f"{params['product']}-{params['source']}"

    def fill(self, text: str) -> str:
        return text.replace("{version}", self.version).replace("{architecture}", self.params["architecture"])

    @property
    def publisher_path(self) -> Path:
        """The publisher's archive in the local folder or the cache."""
        name = self.fill(self.spec["file"])
        if self.params["source"] == "local":
            if self.local is None:
                raise ArtifactError(f"artifact_local_dir is not set. next: name the folder that holds {name}")
            return self.local / name
        return self.cache / "archives" / name

    @property
    def path(self) -> Path:
        """The finished archive."""
        if not self.parts:
            return self.publisher_path
        name = f"{self.params['product']}-{self.version}-{self.params['source']}-{self.key()}.tar"
        return self.cache / "archives" / name

    @property
    def in_place(self) -> bool:
        """A local archive without parts is used where it lies."""
        return self.params["source"] == "local" and not self.parts

    def key(self) -> str:
        """Return eight digits that change with all that goes into the archive: it is then packed anew."""
        state = hashlib.sha256(json.dumps([self.spec, self.params["architecture"]], sort_keys=True).encode())
        for part in self.parts:
            if part["use"] == "publisher" and self.params["source"] == "local":
                state.update(self.expected_local().encode())
            elif part["use"] == "maven_jars" and (self.files / part["lock"]).is_file():
                state.update((self.files / part["lock"]).read_bytes())
            elif part["use"] == "files":
                for path in sorted((self.files / part["from"]).rglob("*")):
                    if path.is_file():
                        state.update(f"{path.relative_to(self.files)}\0".encode() + path.read_bytes())
        return state.hexdigest()[:8]

    def publisher(self) -> Path:
        """Return the publisher's archive, fetched if needed and checked."""
        path = self.publisher_path
        pinned = self.params["checksums"].get(path.name)
        if self.params["source"] == "local":
            check(path, self.expected_local(), "copy the file anew, or correct its checksum")
            return path
        if not path.exists():
            url = f"{self.fill(self.params['base_url'] or self.spec['url']).rstrip('/')}/{path.name}"
            download(url, path, pinned or published_checksum(url))
            record(path)
        next_step = f"remove {path} and run again"
        if pinned:
            check(path, pinned, next_step)
        else:
            check_recorded(path, next_step)
        return path

    def expected_local(self) -> str:
        """Return the hash of the archive in the local folder: pinned, or from a file beside it."""
        path = self.publisher_path
        if not path.is_file():
            raise ArtifactError(f"{path}: no such file. next: put it there, or change artifact_source")
        pinned: str | None = self.params["checksums"].get(path.name)
        if pinned:
            return pinned
        for beside in (path.with_name(path.name + ".sha512"), path.with_name("SHA256SUMS")):
            found: str | None = parse_checksum(beside.read_text(), path.name) if beside.is_file() else None
            if found:
                return found
        raise ArtifactError(
            f"{path}: has no checksum. next: put the publisher's {path.name}.sha512 beside it, or, once you "
            f"trust the file, run (cd {path.parent} && sha256sum {path.name} >> SHA256SUMS)"
        )

    def archive(self) -> str:
        """Make sure that the archive is there and checked; return its sha256."""
        path = self.path
        if not self.parts:
            self.publisher()
        elif not path.exists():
            self.build()
            record(path)
        else:
            check_recorded(path, f"remove {path} and run again")
        sha256: str = digest(path) if self.in_place else recorded(path).partition(":")[2]
        return sha256

    def build(self) -> None:
        """Put the parts together; the tree stays for a look if something fails."""
        shutil.rmtree(self.work, ignore_errors=True)
        tree = self.work / "tree"
        tree.mkdir(parents=True)
        repository = self.cache / "maven"
        for number, part in enumerate(self.parts):
            folder = self.work / str(number)
            folders, drop = part.get("map", {"": ""}), part.get("drop", [])
            if part["use"] == "publisher":
                unpack(self.publisher(), tree, folders, drop)
            elif part["use"] == "maven_jars":
                jars = self.jars(part, repository, folder)
                if "name" in part:
                    (jar,) = jars.iterdir()
                    jar.rename(jars / part["name"])
                shutil.copytree(jars, tree / part["into"], dirs_exist_ok=True)
            elif part["use"] == "maven_archive":
                path = maven_archive(part["coordinates"], repository)
                check(path, f"sha256:{part['sha256']}", f"remove {path.parent} and run again")
                unpack(path, tree, folders, drop)
                shutil.rmtree(path.parent)  # large, and of no use once the archive is packed
            elif part["use"] == "pypi":
                path = pypi_sdist(part["requirement"], part["sha256"], self.params["python"], folder)
                unpack(path, tree, folders, drop)
            elif part["use"] == "files":
                shutil.copytree(self.files / part["from"], tree, dirs_exist_ok=True)
            else:
                raise ArtifactError(f"vars/main.yml: unknown part {part['use']!r}")
        pack(tree, self.path, f"{self.params['product']}-{self.version}")
        shutil.rmtree(self.work)

    def jars(self, part: dict[str, Any], repository: Path, folder: Path) -> Path:
        """Return a folder with the jars of the part's lock, from the local folder if all are there."""
        lock = self.files / part["lock"]
        jars = folder / "jars"
        if self.local and lock.is_file() and all((self.local / name).is_file() for name in read_lock(lock)):
            jars.mkdir(parents=True)
            for name in read_lock(lock):
                shutil.copy(self.local / name, jars)
        else:
            maven_jars(part["coordinates"], part["transitive"], repository, jars)
        check_lock(jars, lock)
        return jars


def ensure(recipe: Recipe, check_mode: bool) -> dict[str, Any]:
    """Bring the archive into the cache if it is not there, and return the module's result."""
    path = recipe.path
    if recipe.params["bundle_dir"]:
        found = bundled(Path(recipe.params["bundle_dir"]), f"archives/{path.name}")
        build = f"{recipe.version}-{digest(found)[:8]}"
        message = f"{found} is there and checked"
        return {"changed": False, "version": recipe.version, "archive": str(found), "build": build, "msg": message}
    missing = not path.exists() and not recipe.in_place
    result = {"changed": missing, "version": recipe.version, "archive": str(path)}
    if missing and check_mode:
        message = f"would fetch {path.name} ({recipe.params['source']}) into {path.parent}"
        return {**result, "archive": "", "build": f"{recipe.version}-pending", "msg": message}
    if not missing:
        sha256 = recipe.archive()
        return {**result, "build": f"{recipe.version}-{sha256[:8]}", "msg": f"{path} is there and checked"}
    started = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    with (recipe.cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs may share the cache
        sha256 = recipe.archive()
    size, seconds = path.stat().st_size / 1e6, time.monotonic() - started
    message = f"{path}: {size:.0f} MB in {seconds:.0f} s"
    return {**result, "build": f"{recipe.version}-{sha256[:8]}", "msg": message}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "product": {"type": "str", "required": True},
            "source": {"type": "str", "required": True, "choices": ["upstream", "registry", "local"]},
            "spec": {"type": "dict", "required": True},
            "architecture": {"type": "str", "default": "x86_64"},
            "cache_dir": {"type": "path", "required": True},
            "files_dir": {"type": "path", "required": True},
            "local_dir": {"type": "str", "default": ""},
            "bundle_dir": {"type": "str", "default": ""},
            "base_url": {"type": "str", "default": ""},
            "checksums": {"type": "dict", "default": {}},
            "python": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**ensure(Recipe(module.params), module.check_mode))
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
