# SPDX-License-Identifier: Apache-2.0
"""Fetching files on the controller: by HTTP, by Maven and by pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.response import addinfourl
from xml.sax.saxutils import escape

from ansible.module_utils.artifact_hashes import ArtifactError, check, parse_checksum

MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
TIMEOUT_S = 60


def run(argv: Sequence[str | Path], next_step: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program and return its output; raise `ArtifactError` with the end of it if it fails."""
    done = subprocess.run(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **(env or {})},
        check=False,
    )
    if done.returncode:
        end = "\n  ".join(done.stdout.strip().splitlines()[-12:])
        raise ArtifactError(f"{Path(argv[0]).name} failed ({done.returncode}):\n  {end}\n  next: {next_step}")
    return done.stdout


def _open(url: str, start: int = 0) -> addinfourl:
    if not url.startswith(("https://", "http://")):
        raise ArtifactError(f"{url}: expected an address that begins with https:// or http://")
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310
    answer: addinfourl = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    return answer


def published_checksum(url: str) -> str:
    """Read the hash of the archive at `url` from the `.sha512` file beside it, over HTTPS only."""
    name = url.rsplit("/", 1)[-1]
    pin = f"pin the hash: artifact_checksums: {{{name}: 'sha512:...'}}"
    if not url.startswith("https://"):
        raise ArtifactError(f"{url}: a checksum is only believed over https. next: {pin}")
    try:
        with _open(url + ".sha512") as answer:
            text = answer.read(65536).decode("utf-8", "replace")
    except OSError as error:
        raise ArtifactError(f"{url}.sha512: {error}. next: check the address, or {pin}") from error
    found: str | None = parse_checksum(text, name)
    if found is None:
        raise ArtifactError(f"{url}.sha512: holds no hash of {name}. next: {pin}")
    return found


def download(url: str, target: Path, expected: str) -> None:
    """Bring `url` to `target`, which appears only whole and with the hash `expected`.

    A broken transfer stays as `target`.part and is taken up by the next call.
    """
    part = target.with_name(target.name + ".part")
    start = part.stat().st_size if part.exists() else 0
    try:
        with _open(url, start) as answer:
            resumed = answer.status == 206
            length = answer.headers["Content-Length"]
            with part.open("ab" if resumed else "wb") as stream:
                shutil.copyfileobj(answer, stream, 1 << 20)
        total = None if length is None else int(length) + (start if resumed else 0)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: nothing is left to send, the part is whole
            raise ArtifactError(f"{url}: {error}. next: check the version and the address") from error
        total = None
    except OSError as error:
        raise ArtifactError(f"{url}: {error}. next: run again (it resumes)") from error
    size = part.stat().st_size
    if total is not None and size != total:
        raise ArtifactError(f"{url}: ended after {size} of {total} bytes. next: run again (it resumes)")
    try:
        check(part, expected, "run again; if it stays so, the address or its checksum is wrong")
    except ArtifactError:
        part.unlink()
        raise
    part.rename(target)


def _maven(repository: Path, goal: str, *options: str) -> None:
    program = shutil.which("mvn")
    if program is None:
        raise ArtifactError("Maven is missing on the controller. next: apt-get install maven")
    # -C: refuse a file whose transfer checksum is wrong. The user's own repository stays as it is.
    run(
        [program, "-B", "-q", "-C", f"-Dmaven.repo.local={repository}", f"{MAVEN_PLUGIN}:{goal}", *options],
        "check that Maven reaches its repository (~/.m2/settings.xml)",
    )


def maven_archive(coordinates: str, repository: Path) -> Path:
    """Fetch one file, `group:artifact:version:type`, and return its path in the repository."""
    group, name, version, kind = coordinates.split(":")
    _maven(repository, "get", f"-Dartifact={coordinates}", "-Dtransitive=false")
    return repository.joinpath(*group.split("."), name, version, f"{name}-{version}.{kind}")


def maven_jars(coordinates: Sequence[str], transitive: bool, repository: Path, folder: Path) -> None:
    """Copy the jars `group:artifact:version` into the folder, if `transitive` with what they need."""
    alone = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    dependencies = "".join(
        "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>{}</dependency>".format(
            *escape(item).split(":"), "" if transitive else alone
        )
        for item in coordinates
    )
    folder.mkdir(parents=True)
    pom = folder.parent / "pom.xml"
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion>"
        "<groupId>local</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>\n"
    )
    target = f"-DoutputDirectory={folder}"
    _maven(repository, "copy-dependencies", f"-f={pom}", "-DincludeScope=runtime", target)


def pypi_sdist(requirement: str, sha256: str, python: str, folder: Path) -> Path:
    """Fetch the source package of `name==version`; pip refuses another hash before it runs anything of it."""
    folder.mkdir(parents=True)
    wanted = folder / "requirement.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n")
    target = folder / "download"
    pip = [python, "-m", "pip", "download", "-q", "--no-cache-dir", "--no-deps", "--no-binary", ":all:"]
    run([*pip, "--require-hashes", "-r", wanted, "-d", target], "check that pip reaches its index")
    return next(target.iterdir())
