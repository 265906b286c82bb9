# SPDX-License-Identifier: Apache-2.0
"""A bundle: a folder with all that is downloaded, for places without a registry. SHA256SUMS names its files."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.artifact_hashes import ArtifactError, check, read_lock

MANIFEST = "SHA256SUMS"
RENEW = "run 'make bundle' with this version of the project and the same settings, and bring the new bundle"


def contents(bundle: Path) -> dict[str, str]:
    """Return the sha256 of each file of the bundle, by its name below the bundle's folder."""
    manifest = bundle / MANIFEST
    if not manifest.is_file():
        raise ArtifactError(f"{manifest}: no such file. next: correct artifact_bundle_dir, or run 'make bundle'")
    return read_lock(manifest)


def bundled(bundle: Path, name: str) -> Path:
    """Return the path of a file of the bundle, checked against the manifest."""
    wanted = contents(bundle)
    path = bundle / name
    if name not in wanted or not path.is_file():
        beside = ", ".join(sorted(other for other in wanted if Path(other).parent == Path(name).parent)) or "nothing"
        raise ArtifactError(f"{path} is not in the bundle; there is {beside}. next: {RENEW}")
    check(path, f"sha256:{wanted[name]}", "copy the bundle anew")
    return path


def pip_environment(bundle: Path, target: tuple[str, str]) -> dict[str, str]:
    """Return what makes pip take all from the bundle's wheels for a Python and an architecture, after checking them."""
    folder = f"wheels/{'-'.join(target)}"
    names = [name for name in contents(bundle) if Path(name).parent == Path(folder)]
    if not names:
        raise ArtifactError(f"{bundle / folder} is not in the bundle. next: {RENEW}")
    for name in names:
        bundled(bundle, name)
    # An address, since pip parts the variable at blanks.
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": (bundle / folder).resolve().as_uri()}
