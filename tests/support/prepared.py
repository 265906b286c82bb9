# SPDX-License-Identifier: Apache-2.0
"""The prepared host: one that the pipeline was deployed to, kept as an image, from which tests boot hosts of their own.

The image is named for the hash of all that it was deployed from, so that an outdated one is never found. Its secrets
lie beside the downloads, in a folder of the same name.

    prepared.py hash                   print the hash of now
    prepared.py keep CONTAINER FOLDER HASH
                                       keep a deployed host; FOLDER has its state/, HASH is of before the deployment
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playbook import ROOT, run_playbook

TESTHOST = ROOT / "tools/testhost/testhost"
WITH_CGROUP2 = ROOT / "tools/testhost/with-cgroup2"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "login-pipeline/prepared"
IMAGES = "localhost/login-prepared"
SCENARIO = ROOT / "molecule/default/inventory"
NAME = "login-test"
"""The host's name in the inventory of that scenario."""
MAKING = "making"
SSH_PORTS = 2270
# What no deployment reads. All else counts, so that nothing has to be remembered when a deployment reads more.
UNREAD = (
    ".ci/",
    ".editorconfig",
    ".github/",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/",
    "molecule/",
    "tests/",
    "tools/test",
    "tools/run_tests.py",
    "LICENSE",
    "Makefile",
    "README.md",
)
READ = "molecule/default/"


class NotKept(Exception):
    """Why a host is not kept as an image."""


def hash_of_sources() -> str:
    """Return the hash of all that a host is deployed from: files, Python packages, and the week.

    What Debian serves changes from day to day and is no file here: no image lasts for more than a week.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    digest = hashlib.sha256()
    for name in sorted(name for name in set(listed) if name and not _unread(name)):
        path = ROOT / name
        if path.is_symlink():
            content = str(path.readlink()).encode()
        elif path.is_file():
            content = path.read_bytes()
        else:
            continue  # removed, and git has not been told yet
        executable = os.access(path, os.X_OK)
        digest.update(json.dumps([name, executable, hashlib.sha256(content).hexdigest()]).encode())
    packages = sorted(f"{each.name}=={each.version}" for each in importlib.metadata.distributions())
    week = datetime.now(UTC).isocalendar()[:2]
    digest.update(json.dumps([packages, sys.version, week]).encode())
    return digest.hexdigest()[:16]


def _unread(name: str) -> bool:
    if name.startswith(READ):
        return False
    return any(name == each or (each.endswith("/") and name.startswith(each)) for each in UNREAD)


def exists(sources: str) -> bool:
    """Return whether a host of these sources was kept."""
    found = subprocess.run([WITH_CGROUP2, "podman", "image", "exists", f"{IMAGES}:{sources}"], check=False)
    return found.returncode == 0 and (CACHE / sources).is_dir()


def keep(container: str, folder: Path, sources: str) -> None:
    """Keep a deployed host, whose secrets are in `folder`/state, as the image of these sources. It is booted again.

    Raises NotKept if the sources are others by now.
    """
    if (now := hash_of_sources()) != sources:
        raise NotKept(
            f"{container} is not kept for other tests: files were changed while it was deployed ({sources} -> {now}). "
            "Run the tests again when nothing changes."
        )
    subprocess.run([TESTHOST, "keep", container, f"{IMAGES}:{sources}"], check=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=CACHE, prefix="part-"))
    shutil.copytree(folder / "state", part / "state")
    shutil.rmtree(CACHE / sources, ignore_errors=True)
    part.rename(CACHE / sources)
    _forget_others(sources)


def _forget_others(sources: str) -> None:
    """Remove older images and their secrets. One that a running host was booted from stays until the next time."""
    command = [WITH_CGROUP2, "podman", "images", "--format", "{{.Tag}}", "--filter", f"reference={IMAGES}"]
    tags = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    for tag in tags:
        if tag != sources:
            subprocess.run([WITH_CGROUP2, "podman", "rmi", f"{IMAGES}:{tag}"], capture_output=True, check=False)
    # one that was made again has left its first form without a name
    prune = [WITH_CGROUP2, "podman", "image", "prune", "--force", "--filter", "label=testhost=kept"]
    subprocess.run(prune, capture_output=True, check=True)
    for other in CACHE.iterdir():
        if other.is_dir() and other.name != sources:
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def prepared_host(worker: int, folder: Path) -> Iterator[Path]:
    """Boot a host of the image, which is made if there is none; give the inventory, which is written to `folder`.

    Hosts of different workers run side by side. Raises NotKept with what the deployment printed if that failed.
    """
    with _one_at_a_time():
        sources = hash_of_sources()
        if not exists(sources):
            _make(sources, folder / MAKING)
        shutil.copytree(CACHE / sources / "state", folder / "state")
    with _booted(f"login-prepared-{worker}", SSH_PORTS + worker, folder, f"{IMAGES}:{sources}") as inventory:
        yield inventory


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(sources: str, folder: Path) -> None:
    folder.mkdir()
    with _booted(f"login-prepared-{MAKING}", SSH_PORTS - 1, folder) as inventory:
        run = run_playbook(ROOT / "site.yml", inventory)
        if run.returncode != 0:
            raise NotKept(f"the host for the tests could not be deployed:\n{run.output}")
        keep(f"login-prepared-{MAKING}", folder, sources)


@contextmanager
def _booted(container: str, port: int, folder: Path, image: str = "") -> Iterator[Path]:
    """Boot a host, a bare one without an image, that the scenario's inventory calls NAME; give the inventory."""
    subprocess.run([TESTHOST, "down", container], check=True)  # what an interrupted run may have left
    environment = {
        "TESTHOST_IMAGE": image,
        "TESTHOST_HOSTNAME": NAME,
        "TESTHOST_SSH_PORT": str(port),
        "TESTHOST_SHORT_LIVED": "" if image else "1",
    }
    try:
        subprocess.run([TESTHOST, "up", container, folder / "ssh"], env={**os.environ, **environment}, check=True)
        yield _inventory(container, port, folder)
    finally:
        subprocess.run([TESTHOST, "down", container], check=True)


def _inventory(container: str, port: int, folder: Path) -> Path:
    """Write the scenario's inventory with another port, ssh key and folder of secrets; return where it is."""
    inventory = folder / "inventory"
    every, own = inventory / "group_vars/all", inventory / "host_vars"
    every.mkdir(parents=True)
    own.mkdir()
    (inventory / "hosts.yml").symlink_to(SCENARIO / "hosts.yml")
    (every / "1-scenario.yml").symlink_to(SCENARIO / "group_vars/all.yml")
    (every / "2-state.yml").write_text(json.dumps({"pipeline_state_dir": str(folder / "state")}))
    connection = {
        "ansible_port": port,
        "ansible_ssh_private_key_file": str(folder / "ssh/id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder}/ssh/known_hosts -o IdentitiesOnly=yes",
        "testhost_container": container,
    }
    (own / f"{NAME}.yml").write_text(json.dumps(connection))
    return inventory


def main(arguments: list[str]) -> int:
    match arguments:
        case ["hash"]:
            print(hash_of_sources())
        case ["keep", container, folder, sources]:
            try:
                with _one_at_a_time():
                    keep(container, Path(folder), sources)
            except NotKept as why:
                print(why, file=sys.stderr)
                return 1
        case _:
            print(__doc__, file=sys.stderr)
            return 64
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
