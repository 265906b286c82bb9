# SPDX-License-Identifier: Apache-2.0
"""Where archives come from: each source, what is refused, and what a second run does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import artifact_archive
import pytest
from ansible.module_utils.artifact_hashes import ArtifactError
from artifact_kit import Play, Site, archive, flip

NAME = "kafka-1.0.tgz"

Ensure = Callable[..., dict[str, Any]]


def publish(folder: Path, name: str = NAME) -> str:
    """Put an archive and its checksum into the folder; return its sha256."""
    content = archive(folder / name, {"bin/run": "run", "libs/a.jar": "a" * 5000}).read_bytes()
    (folder / f"{name}.sha512").write_text(f"{hashlib.sha512(content).hexdigest()}  {name}\n")
    return hashlib.sha256(content).hexdigest()


def variables(tmp_path: Path, source: str, url: str = "", **more: Any) -> dict[str, Any]:
    entry = {"version": "1.0", "url": url, "file": "kafka-{version}.tgz"}
    return {
        "artifact_product": "kafka",
        "artifact_source": source,
        "artifact_products": {"kafka": {"upstream": entry, "local": entry}},
        "artifact_local_dir": str(tmp_path / "local"),
        "artifact_dest": str(tmp_path / "opt"),
        **more,
    }


@pytest.fixture
def ensure(tmp_path: Path) -> Ensure:
    """Return the module's own work as a function, without Ansible around it."""

    def call(source: str, url: str = "", check_mode: bool = False, **more: Any) -> dict[str, Any]:
        params = {
            "product": "kafka",
            "source": source,
            "spec": {"version": "1.0", "url": url, "file": "kafka-{version}.tgz"},
            "architecture": "x86_64",
            "cache_dir": str(tmp_path / "cache"),
            "files_dir": str(tmp_path),
            "local_dir": str(tmp_path / "local"),
            "bundle_dir": "",
            "base_url": "",
            "checksums": {},
            "python": "python3",
            **more,
        }
        return artifact_archive.ensure(artifact_archive.Recipe(params), check_mode)

    return call


def test_upstream_is_fetched_once(site: Site, ensure: Ensure) -> None:
    sha256 = publish(site.folder)
    first = ensure("upstream", site.url)
    assert (first["changed"], first["build"]) == (True, f"1.0-{sha256[:8]}")
    assert hashlib.sha256(Path(first["archive"]).read_bytes()).hexdigest() == sha256
    assert len(site.requests) == 2
    second = ensure("upstream", site.url)
    assert (second["changed"], second["build"], second["archive"]) == (
        False,
        first["build"],
        first["archive"],
    )
    assert len(site.requests) == 2


def test_upstream_flipped_byte(tmp_path: Path, play: Play, site: Site) -> None:
    publish(site.folder)
    published = (site.folder / f"{NAME}.sha512").read_text().split()[0]
    flip(site.folder / NAME)
    result = play("install", **variables(tmp_path, "upstream", site.url))
    assert result.returncode != 0
    assert published in result.text
    assert hashlib.sha512((site.folder / NAME).read_bytes()).hexdigest() in result.text
    assert not (tmp_path / "opt").exists()
    assert not list((tmp_path / "cache" / "archives").iterdir())


def test_flipped_byte_in_the_cache(site: Site, ensure: Ensure) -> None:
    sha256 = publish(site.folder)
    cached = Path(ensure("upstream", site.url)["archive"])
    flip(cached)
    with pytest.raises(ArtifactError) as caught:
        ensure("upstream", site.url)
    assert sha256 in str(caught.value)
    assert hashlib.sha256(cached.read_bytes()).hexdigest() in str(caught.value)
    assert f"remove {cached}" in str(caught.value)


def test_upstream_without_checksum(site: Site, ensure: Ensure) -> None:
    publish(site.folder)
    (site.folder / f"{NAME}.sha512").unlink()
    with pytest.raises(ArtifactError, match=r"404.*artifact_checksums"):
        ensure("upstream", site.url)
    assert site.requests == [f"/{NAME}.sha512 0"]


def test_broken_transfer_is_resumed(site: Site, ensure: Ensure) -> None:
    publish(site.folder)
    site.break_after = 150
    content = (site.folder / NAME).read_bytes()
    pin = {NAME: f"sha512:{hashlib.sha512(content).hexdigest()}"}
    with pytest.raises(ArtifactError, match=f"after 150 of {len(content)} bytes"):
        ensure("upstream", site.url, checksums=pin)
    site.break_after = None
    assert ensure("upstream", site.url, checksums=pin)["changed"] is True
    assert site.requests == [f"/{NAME} 0", f"/{NAME} 150"]


@pytest.mark.parametrize("site", [False], indirect=True)
def test_plain_http_needs_a_pinned_hash(site: Site, ensure: Ensure) -> None:
    sha256 = publish(site.folder)
    with pytest.raises(ArtifactError, match="only believed over https"):
        ensure("upstream", site.url)
    assert not site.requests
    assert ensure("upstream", site.url, checksums={NAME: f"sha256:{sha256}"})["changed"] is True


def test_mirror(site: Site, ensure: Ensure) -> None:
    publish(site.folder / "mirror")
    assert ensure("upstream", "https://127.0.0.1:1", base_url=f"{site.url}/mirror/")["changed"] is True


def test_local(tmp_path: Path, ensure: Ensure) -> None:
    sha256 = publish(tmp_path / "local")
    result = ensure("local")
    assert (result["changed"], result["build"]) == (False, f"1.0-{sha256[:8]}")
    flip(tmp_path / "local" / NAME)
    with pytest.raises(ArtifactError, match="wrong sha512"):
        ensure("local")


def test_local_without_checksum(tmp_path: Path, ensure: Ensure) -> None:
    sha256 = publish(tmp_path / "local")
    (tmp_path / "local" / f"{NAME}.sha512").unlink()
    with pytest.raises(ArtifactError, match=f"sha256sum {NAME} >> SHA256SUMS"):
        ensure("local")
    (tmp_path / "local" / "SHA256SUMS").write_text(f"{sha256}  {NAME}\n")
    assert ensure("local")["archive"] == str(tmp_path / "local" / NAME)


@pytest.mark.usefixtures("long")
def test_parts_are_packed_anew_when_they_change(tmp_path: Path, play: Play) -> None:
    publish(tmp_path / "local")
    wanted = variables(tmp_path, "local")
    entry = wanted["artifact_products"]["kafka"]["local"]
    entry["parts"] = [{"use": "publisher", "drop": ["bin/*"]}]
    first = play("install", **wanted)
    assert first.returncode == 0, first.text
    assert not (tmp_path / "opt" / "current" / "bin").exists()
    assert play("product", **wanted).changed == 0
    entry["parts"] = [{"use": "publisher", "drop": ["bin/*"]}, {"use": "files", "from": "kafka"}]
    second = play("install", **wanted)
    assert second.facts["build"] != first.facts["build"]
    assert (tmp_path / "opt" / "current" / "bin" / "kafka-run-class.sh").stat().st_mode & 0o777 == 0o755


def test_check_mode_with_a_cold_cache(tmp_path: Path, play: Play) -> None:
    result = play("install", "--check", **variables(tmp_path, "upstream", "https://127.0.0.1:1"))
    assert result.returncode == 0
    assert f"would fetch {NAME}" in result.text
    assert "would install kafka" in result.text
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "opt").exists()


@pytest.mark.parametrize("with_file", [False, True])
def test_product_that_is_in_no_registry(tmp_path: Path, play: Play, with_file: bool) -> None:
    (tmp_path / "local").mkdir()
    if with_file:
        publish(tmp_path / "local")
    result = play("install", **variables(tmp_path, "registry"))
    assert result.returncode == 0
    assert result.facts["available"] is with_file
    assert ("kafka is left out" in result.text) is not with_file
    assert (tmp_path / "opt").exists() is with_file


def test_the_role_refuses_to_run_by_itself(play: Play) -> None:
    result = play("")
    assert result.returncode != 0
    assert "The role artifact is private" in result.text
    assert "artifact_product" in play("product").text
