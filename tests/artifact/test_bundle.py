# SPDX-License-Identifier: Apache-2.0
"""What a bundle gives, what is refused, and the pure parts of making one. tests/bundle deploys from a real one."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import artifact_archive
import pytest
import yaml
from ansible.module_utils.artifact_bundle import bundled, pip_environment
from ansible.module_utils.artifact_debian import SUITES, Debian, apt_conf, inner_path, mirrors_with, own_mirrors
from ansible.module_utils.artifact_hashes import ArtifactError
from ansible.module_utils.artifact_pip import for_python
from artifact_kit import Play, archive, flip
from test_python_app import App

REPOSITORY = Path(__file__).parents[2]
NAME = "archives/kafka-1.0.tgz"
MIRRORS = {"debian": "http://mirror/debian", "debian-security": "http://mirror/debian-security/"}


def seal(bundle: Path) -> Path:
    """Write the manifest as tools/bundle does."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.parent != bundle)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(bundle)}\n" for path in files]
    (bundle / "SHA256SUMS").write_text("".join(sums))
    return bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with one archive."""
    archive(tmp_path / "bundle" / NAME, {"bin/run": "run"})
    return seal(tmp_path / "bundle")


@pytest.fixture
def ensure(tmp_path: Path, bundle: Path) -> Callable[..., dict[str, Any]]:
    """Return the work of the module artifact_archive with that bundle as a function."""

    def call(version: str = "1.0") -> dict[str, Any]:
        params = {
            "product": "kafka",
            "source": "upstream",
            "spec": {"version": version, "url": "https://127.0.0.1:1", "file": "kafka-{version}.tgz"},
            "architecture": "x86_64",
            "cache_dir": str(tmp_path / "cache"),
            "files_dir": str(tmp_path),
            "local_dir": "",
            "bundle_dir": str(bundle),
            "base_url": "",
            "checksums": {},
            "python": "python3",
        }
        return artifact_archive.ensure(artifact_archive.Recipe(params), False)

    return call


def test_an_archive_of_the_bundle(bundle: Path, tmp_path: Path, ensure: Callable[..., dict[str, Any]]) -> None:
    sha256 = hashlib.sha256((bundle / NAME).read_bytes()).hexdigest()
    found = ensure()
    assert (found["changed"], found["archive"], found["build"]) == (False, str(bundle / NAME), f"1.0-{sha256[:8]}")
    assert not (tmp_path / "cache").exists()


def test_a_flipped_bit_is_told_with_both_hashes(bundle: Path, ensure: Callable[..., dict[str, Any]]) -> None:
    made = hashlib.sha256((bundle / NAME).read_bytes()).hexdigest()
    flip(bundle / NAME)
    with pytest.raises(
        ArtifactError, match=f"(?s)nothing was unpacked.*expected {made}.*copy the bundle anew"
    ) as caught:
        ensure()
    assert hashlib.sha256((bundle / NAME).read_bytes()).hexdigest() in str(caught.value)


def test_what_the_bundle_does_not_hold(bundle: Path, ensure: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ArtifactError, match=r"kafka-2\.0\.tgz is not in the bundle; there is archives/kafka-1\.0\.tgz"):
        ensure("2.0")
    with pytest.raises(ArtifactError, match=r"wheels/3\.11-x86_64 is not in the bundle"):
        pip_environment(bundle, ("3.11", "x86_64"))
    (bundle / NAME).unlink()
    with pytest.raises(ArtifactError, match="is not in the bundle"):
        bundled(bundle, NAME)


def test_preflight_looks_at_all_of_it(bundle: Path, tmp_path: Path, play: Play) -> None:
    none = play("preflight", artifact_bundle_dir=str(tmp_path / "none"))
    assert none.returncode != 0
    assert "SHA256SUMS: no such file. next: correct artifact_bundle_dir" in none.text
    flip(bundle / NAME)
    wrong = play("preflight", artifact_bundle_dir=str(bundle))
    assert wrong.returncode != 0
    assert "nothing was unpacked" in wrong.text
    assert play("preflight").returncode == 0


@pytest.mark.usefixtures("long")
def test_an_application_from_the_bundle(tmp_path: Path, play: Play) -> None:
    app = App(tmp_path)
    bundle = tmp_path / "a bundle"
    target = (f"{sys.version_info[0]}.{sys.version_info[1]}", platform.machine())
    (bundle / "wheels").mkdir(parents=True)
    app.index.rename(bundle / "wheels" / "-".join(target))
    seal(bundle)
    nowhere = {"PIP_INDEX_URL": "https://127.0.0.1:1", "PIP_RETRIES": "0"}
    result = play("python_app", env=nowhere, **app.variables, artifact_bundle_dir=str(bundle))
    assert result.returncode == 0, result.text
    assert app.run() == "3\n"


def test_only_what_holds_for_the_hosts_python() -> None:
    lock = (
        "a==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n"
        "b==1 ; python_full_version < '3.12' \\\n    --hash=sha256:ba\n"
        "b==2 ; python_full_version >= '3.12' \\\n    --hash=sha256:bb\n"
    )
    a = "a==1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n"
    assert for_python(lock, "3.11", sys.executable) == f"{a}b==1 \\\n    --hash=sha256:ba\n"
    assert for_python(lock, "3.13", sys.executable) == f"{a}b==2 \\\n    --hash=sha256:bb\n"


def test_sources_of_a_cut_out() -> None:
    debian = Debian("trixie", "amd64", MIRRORS)
    lines = debian.sources({name: f"file:/here/{name}" for name in SUITES}, " by-hash=no").splitlines()
    options = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg by-hash=no]"
    assert lines == [
        f"deb {options} file:/here/debian trixie main",
        f"deb {options} file:/here/debian trixie-updates main",
        f"deb {options} file:/here/debian-security trixie-security main",
    ]
    # Debian's signature is what makes them trustworthy.
    assert not re.search("trusted|allow", debian.sources(MIRRORS) + apt_conf(Path("/here"), "amd64"))


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("http://mirror/debian/pool/main/g/gcc/libgcc_1%2b2_amd64.deb", "debian/pool/main/g/gcc/libgcc_1+2_amd64.deb"),
        ("http://mirror/debian-security/pool/updates/main/a.deb", "debian-security/pool/updates/main/a.deb"),
        ("http://mirror/debian-security/", "debian-security/"),
    ],
)
def test_places_in_a_cut_out(uri: str, place: str) -> None:
    assert inner_path(Debian("bookworm", "amd64", MIRRORS), uri) == place


def test_debian_comes_from_where_apt_gets_it() -> None:
    other = ["Other|http://other/debian/", "Debian|http://mirror/debian", "Debian|http://second/debian"]
    assert own_mirrors([*other, "Debian-Security|http://mirror/debian-security/"]) == MIRRORS
    with pytest.raises(ArtifactError, match=r"no list of debian-security. next: run 'apt-get update', or set"):
        own_mirrors(other)
    assert mirrors_with(MIRRORS) == MIRRORS  # without asking apt


def test_a_file_of_elsewhere_is_refused() -> None:
    with pytest.raises(ArtifactError, match="comes from none of"):
        inner_path(Debian("bookworm", "amd64", MIRRORS), "http://other/debian/a.deb")


def test_what_builds_the_packages_is_locked() -> None:
    wanted = [line for line in (REPOSITORY / "requirements/build.in").read_text().splitlines() if line[0] != "#"]
    for project in REPOSITORY.glob("src/*/pyproject.toml"):
        assert tomllib.loads(project.read_text())["build-system"]["requires"] == wanted, project


def test_setup_unpacks_where_the_role_does() -> None:
    private = yaml.safe_load((REPOSITORY / "roles/artifact/vars/main.yml").read_text())
    assert f"\nunpacked={private['__artifact_debian_dir']}\n" in (REPOSITORY / "tools/setup").read_text()
