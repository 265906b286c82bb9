# SPDX-License-Identifier: Apache-2.0
"""Names of the two hosts, and commands on them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
INVENTORY = "tests/bundle/inventory"
PROJECT = "/srv/project"
NETWORK = "login-offline"
HOST = "login-offline"
CONTROLLER = "login-offline-controller"
SYSTEM = "bookworm-amd64"
WITH_CGROUP2 = REPOSITORY / "tools/testhost/with-cgroup2"


def podman(*words: str) -> str:
    """Return the output of a podman command that succeeds."""
    return subprocess.run([WITH_CGROUP2, "podman", *words], stdout=subprocess.PIPE, text=True, check=True).stdout


@dataclass(frozen=True)
class Machine:
    """A container with systemd; `state` is the folder of its ssh key."""

    name: str
    state: Path = Path()

    def try_run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the project's folder, if there is one; its output and errors come as one text."""
        script = f"cd {PROJECT} 2>/dev/null; {command}"
        argv = [WITH_CGROUP2, "podman", "exec", self.name, "bash", "-c", script]
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def run(self, command: str) -> str:
        """Return the output of a command that succeeds."""
        done = self.try_run(command)
        assert done.returncode == 0, f"{self.name}: {command}\n{done.stdout}"
        return done.stdout

    def unpack(self, folder: Path, names: bytes, target: str) -> None:
        """Copy the named files, each ended by a zero byte, from the folder of this machine to one of the container."""
        # What git still lists may have been deleted.
        there = b"".join(name + b"\0" for name in names.split(b"\0") if name and (folder / name.decode()).is_file())
        packed = subprocess.run(
            ["tar", "-c", "-C", folder, "--null", "-T", "-"], input=there, capture_output=True, check=True
        )
        unpack = f"mkdir -p {target} && tar -x --no-same-owner -C {target}"
        argv = [WITH_CGROUP2, "podman", "exec", "-i", self.name, "bash", "-c", unpack]
        subprocess.run(argv, input=packed.stdout, check=True)

    def deploy(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run site.yml on the controller; no terminal, no colours."""
        return self.try_run(f".venv/bin/ansible-playbook -i {INVENTORY} site.yml {' '.join(options)}")


@contextmanager
def flipped(path: Path) -> Iterator[None]:
    """Change one bit in the middle of a file, for as long as the block lasts."""

    def flip() -> None:
        with path.open("r+b") as stream:
            stream.seek(path.stat().st_size // 2)
            byte = stream.read(1)[0]
            stream.seek(-1, 1)
            stream.write(bytes([byte ^ 1]))

    flip()
    try:
        yield
    finally:
        flip()
