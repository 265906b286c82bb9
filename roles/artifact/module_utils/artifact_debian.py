# SPDX-License-Identifier: Apache-2.0
"""A cut-out of Debian's archive: some packages with all that they need, and Debian's own signed lists of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from ansible.module_utils.artifact_fetch import run
from ansible.module_utils.artifact_hashes import ArtifactError, digest

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Suites by archive; a mirror's address may differ, its folders do not.
SUITES = {"debian": ("{release}", "{release}-updates"), "debian-security": ("{release}-security",)}
# Archives by what their signed lists call themselves
ARCHIVES = {"Debian": "debian", "Debian-Security": "debian-security"}


@dataclass(frozen=True)
class Debian:
    """Which release and architecture (Debian's word, such as amd64), and the address of each archive."""

    release: str
    architecture: str
    mirrors: Mapping[str, str]

    def sources(self, addresses: Mapping[str, str], options: str = "") -> str:
        """Return a sources.list with the archives at these addresses."""
        return "".join(
            f"deb [signed-by={KEYRING}{options}] {addresses[archive]} {suite.format(release=self.release)} main\n"
            for archive, suites in SUITES.items()
            for suite in suites
        )


def mirrors_with(given: Mapping[str, str]) -> dict[str, str]:
    """Return the address of each archive: the given ones, else those that this machine's own apt uses."""
    if SUITES.keys() <= given.keys():
        return dict(given)
    form = "$(LABEL)|$(REPO_URI)"
    told = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], "set artifact_debian_mirrors")
    return own_mirrors(told.splitlines()) | dict(given)


def own_mirrors(lines: Sequence[str]) -> dict[str, str]:
    """Return the archives that apt's sources name; `lines` are label|address of each list that it has."""
    found = {}
    for label, address in (line.split("|", 1) for line in lines):
        if label in ARCHIVES:
            found.setdefault(ARCHIVES[label], address)
    if missing := SUITES.keys() - found.keys():
        raise ArtifactError(
            f"apt of this machine has no list of {', '.join(sorted(missing))}. next: run 'apt-get update', or set the "
            "addresses in artifact_debian_mirrors"
        )
    return found


def apt_conf(folder: Path, architecture: str) -> str:
    """Return an apt.conf that reads and writes below the folder only, and nothing of the machine's own sources."""
    settings = {
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Architecture": architecture,
        "Acquire::Languages": "none",
        "APT::Install-Recommends": "false",
    }
    return "".join(f'{name} "{value}";\n' for name, value in settings.items()) + (
        f'#clear APT::Architectures;\nAPT::Architectures {{ "{architecture}"; }};\n'
    )


def collect(debian: Debian, packages: Sequence[str], work: Path, tree: Path, target: Path) -> None:
    """Put the packages, all that they need and Debian's lists into `tree`, to be unpacked as `target` on a host.

    What a host has already does not count: the closure holds for a host of any state. `work` keeps what was
    downloaded. apt checks Debian's signature here, and once more on the host.
    """
    for folder in ("lists/partial", "cache/archives/partial", "nothing/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "status").touch()
    (work / "sources.list").write_text(debian.sources(debian.mirrors))
    config = work / "apt.conf"
    config.write_text(
        apt_conf(work, debian.architecture) + f'Dir::State "{work}";\nDir::State::status "{work / "status"}";\n'
        'APT::Sandbox::User "";\nAcquire::Retries "3";\n'
    )
    env = {"APT_CONFIG": str(config), "LC_ALL": "C"}
    reach = "check that apt reaches Debian's archive; artifact_debian_mirrors sets other addresses"
    run(["apt-get", "-qq", "update", "--error-on=any"], reach, env)
    install = ["apt-get", "-qq", "--yes", "install"]
    wanted = f"correct host_packages; these are not in Debian {debian.release}, or do not fit together"
    # What is downloaded already would not be told.
    told = run([*install, "--print-uris", f"-oDir::Cache::archives={work / 'nothing'}", *packages], wanted, env)
    run([*install, "--download-only", *packages], reach, env)

    tree.mkdir(parents=True)
    local = {archive: f"file:{target / archive}" for archive in SUITES}
    # by-hash: the cut-out has plain names. check-valid-until: it is to be of use for longer than a week.
    (tree / "sources.list").write_text(debian.sources(local, " by-hash=no check-valid-until=no"))
    (tree / "apt.conf").write_text(apt_conf(target, debian.architecture))
    for folder in ("lists/partial", "cache/archives/partial"):
        (tree / folder).mkdir(parents=True)
    copy_lists(debian, work, tree, env)
    for uri, name in re.findall(r"^'([^']+)' (\S+) ", told, re.MULTILINE):
        place = tree / inner_path(debian, uri)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(work / "cache/archives" / name, place)


def inner_path(debian: Debian, uri: str) -> str:
    """Return where a file of Debian's archive lies in the cut-out."""
    for archive, address in debian.mirrors.items():
        base = address.rstrip("/") + "/"
        if uri.startswith(base):
            return f"{archive}/{unquote(uri.removeprefix(base))}"
    raise ArtifactError(f"{uri} comes from none of {', '.join(debian.mirrors.values())}")


def copy_lists(debian: Debian, work: Path, tree: Path, env: Mapping[str, str]) -> None:
    """Put each suite's signed InRelease and the Packages.xz that it names into the cut-out."""
    form = "$(REPO_URI)|$(RELEASE)|$(METAKEY)|$(FILENAME)"
    told = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"], "run again", env)
    for line in told.splitlines():
        uri, suite, key, name = line.split("|")
        place = tree / inner_path(debian, uri) / "dists" / suite
        (place / key).parent.mkdir(parents=True)
        beside = Path(name)
        signed = beside.with_name(beside.name.rpartition(key.replace("/", "_"))[0] + "InRelease")
        shutil.copyfile(signed, place / "InRelease")
        listed = re.search(rf"^ ([0-9a-f]{{64}}) +[0-9]+ {key}\.xz$", signed.read_text(), re.MULTILINE)
        if listed is None:
            raise ArtifactError(f"{signed} names no {key}.xz. next: correct artifact_debian_mirrors")
        # apt keeps the lists in another form, and Debian's signature is on this one.
        kept = work / f"{suite}.xz"
        if not kept.exists() or digest(kept) != listed[1]:
            address = f"{uri}dists/{suite}/{key}.xz"
            run(["/usr/lib/apt/apt-helper", "download-file", address, kept, f"SHA256:{listed[1]}"], "run again", env)
        shutil.copyfile(kept, place / f"{key}.xz")
