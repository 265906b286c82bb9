# SPDX-License-Identifier: Apache-2.0
"""The wheels of a hash-locked requirements file, for the Python of another machine."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from ansible.module_utils.artifact_fetch import run

# pip takes none of the older tags in by itself. glibc 2.36 is that of the oldest supported Debian.
GLIBC_MINORS = (36, 35, 34, 31, 28, 27, 26, 24, 17, 12, 5)

# Run by Ansible's own Python, since that of the module may have no library for it.
JUDGE = """
import json, sys
from packaging.markers import Marker
markers, environment = json.loads(sys.argv[1])
print(json.dumps([Marker(marker).evaluate(environment) for marker in markers]))
"""


def key(files: list[tuple[str, Path]], *words: str) -> str:
    """Return eight digits that change with the words, and with the files' names and content."""
    state = hashlib.sha256("\0".join(words).encode())
    for name, path in files:
        state.update(f"\0{name}\0".encode() + path.read_bytes())
    return state.hexdigest()[:8]


def for_python(lock: str, version: str, python: str) -> str:
    """Return the requirements of a lock file that hold for a Python such as 3.11, without their markers.

    pip would judge the markers by the Python that runs it.
    """
    requirements = [re.match(r"([^;\\]*);?([^\\]*)(.*)", each, re.DOTALL) for each in re.split(r"(?<!\\)\n", lock)]
    parts = [match.groups() for match in requirements if match]
    markers = [marker.strip() or "python_version > '0'" for _, marker, _ in parts]
    question = json.dumps([markers, {"python_version": version, "python_full_version": f"{version}.0"}])
    holds = json.loads(run([python, "-c", JUDGE, question], "run 'make setup' again"))
    return "\n".join(name + hashes for (name, _, hashes), keep in zip(parts, holds, strict=True) if keep)


def locked_wheels(
    requirements: Path, cache: Path, python: str, target: tuple[str, str], env: Mapping[str, str] | None = None
) -> Path:
    """Return a folder of the cache with the wheels of the lock file, which appears whole.

    `target` is Python's version and the architecture of the machine they are for, such as ("3.11", "x86_64").
    """
    version, machine = target
    folder = cache / "wheels" / key([("lock", requirements)], *target)
    if folder.is_dir():
        return folder
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    wanted = part.with_name(part.name + ".txt")
    wanted.write_text(for_python(requirements.read_text(), version, python))
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS]
    platforms += [f"--platform=manylinux{name}_{machine}" for name in ("2014", "2010", "1")]
    abis = [f"--abi={abi}" for abi in (f"cp{version.replace('.', '')}", "abi3", "none")]
    pip = [python, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes", "-r", wanted, "-d", part]
    run(
        [*pip, "--only-binary=:all:", f"--python-version={version}", "--implementation=cp", *abis, *platforms],
        f"check that pip reaches its index; each requirement needs a wheel for Python {version} on {machine}",
        env,
    )
    wanted.unlink()
    part.rename(folder)
    return folder
