# SPDX-License-Identifier: Apache-2.0
"""What lands on the host: modes, the current link, earlier builds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from artifact_kit import Play, archive


def release(tmp_path: Path, version: str) -> dict[str, Any]:
    """Publish a version in the local folder; return the variables that install it."""
    name = f"kafka-{version}.tgz"
    content = archive(tmp_path / "local" / name, {"bin/run": "run", "libs/a.jar": version}).read_bytes()
    sums = {name: f"sha256:{hashlib.sha256(content).hexdigest()}"}
    return {
        "artifact_product": "kafka",
        "artifact_source": "local",
        "artifact_products": {"kafka": {"upstream": {}, "local": {"version": version, "file": name}}},
        "artifact_local_dir": str(tmp_path / "local"),
        "artifact_dest": str(tmp_path / "opt"),
        "artifact_checksums": sums,
    }


def test_modes_do_not_depend_on_umask_or_archive(tmp_path: Path, play: Play) -> None:
    result = play("install", **release(tmp_path, "1.0"))
    assert result.returncode == 0, result.text
    assert result.facts["changed"] is True
    home = Path(result.facts["home"])
    assert home == tmp_path / "opt" / "current"
    modes = {name: (home / name).stat().st_mode & 0o777 for name in ("bin", "bin/run", "libs/a.jar")}
    assert modes == {"bin": 0o755, "bin/run": 0o755, "libs/a.jar": 0o644}
    assert (home / "bin/run").stat().st_uid == 0
    assert (tmp_path / "opt").stat().st_mode & 0o777 == 0o755


def test_second_run_changes_nothing(tmp_path: Path, play: Play) -> None:
    wanted = release(tmp_path, "1.0")
    play("install", **wanted)
    for options in ([], ["--check"]):
        result = play("install", *options, **wanted)
        assert (result.returncode, result.changed) == (0, 0)
        assert result.facts["changed"] is False


def test_the_callers_handler_is_notified_of_a_new_build_only(tmp_path: Path, play: Play) -> None:
    wanted = release(tmp_path, "1.0") | {"artifact_notify": ["Told"]}
    told = ["the handler was notified" in play("install", *options, **wanted).text for options in (["--check"], [], [])]
    assert told == [True, True, False]


@pytest.mark.usefixtures("long")
def test_each_of_two_products_in_a_play_is_told_by_its_own_build(tmp_path: Path, play: Play) -> None:
    first = release(tmp_path, "1.0")
    second = release(tmp_path, "1.1") | {"artifact_dest": str(tmp_path / "second")}
    first["artifact_checksums"] |= second["artifact_checksums"]
    play("install", before=[first], **second)
    again = play("install", before=[first], **second)
    assert (again.returncode, again.changed) == (0, 0), again.text


@pytest.mark.usefixtures("long")
def test_the_build_before_stays(tmp_path: Path, play: Play) -> None:
    for version in ("1.0", "1.1", "1.2"):
        assert play("install", **release(tmp_path, version)).returncode == 0
    builds = {path.name.split("-")[0] for path in (tmp_path / "opt").iterdir()}
    assert builds == {"current", "1.1", "1.2"}
    assert (tmp_path / "opt" / "current" / "libs" / "a.jar").read_text() == "1.2"
    back = play("install", **release(tmp_path, "1.1"))
    assert back.facts["changed"] is True
    assert (tmp_path / "opt" / "current" / "libs" / "a.jar").read_text() == "1.1"


def test_an_interrupted_build_is_made_anew(tmp_path: Path, play: Play) -> None:
    wanted = release(tmp_path, "1.0")
    build = play("install", "--check", **wanted).facts["build"]
    (tmp_path / "opt" / ".unpacked").mkdir(parents=True)
    (tmp_path / "opt" / build).mkdir()
    (tmp_path / "opt" / build / "half").touch()
    assert play("install", **wanted).returncode == 0
    assert {path.name for path in (tmp_path / "opt" / "current").iterdir()} == {"bin", "libs", ".complete"}
    assert {path.name for path in (tmp_path / "opt").iterdir()} == {"current", build}


@pytest.mark.usefixtures("long")
def test_a_staged_build_lies_beside_the_one_in_use(tmp_path: Path, play: Play) -> None:
    assert play("install", **release(tmp_path, "1.0")).returncode == 0
    new = release(tmp_path, "1.1")
    staged = play("stage", "--check", **new)
    assert "would unpack kafka 1.1" in staged.text
    assert len(list((tmp_path / "opt").iterdir())) == 2
    staged = play("stage", **new)
    assert staged.returncode == 0, staged.text
    assert (tmp_path / "opt" / "current" / "libs" / "a.jar").read_text() == "1.0"
    assert play("stage", **new).changed == 0
    (tmp_path / "local" / "kafka-1.1.tgz").touch()
    installed = play("install", **new)
    assert (installed.facts["changed"], installed.changed) == (True, 1), installed.text
    assert (tmp_path / "opt" / "current" / "libs" / "a.jar").read_text() == "1.1"


@pytest.mark.parametrize(("wanted", "allowed"), [("8.19.13", True), ("8.16.6", False), ("8.17.0", True)])
def test_a_step_is_told_or_refused(tmp_path: Path, play: Play, wanted: str, allowed: bool) -> None:
    installed = tmp_path / "opt/8.17.0-0123abcd"
    installed.mkdir(parents=True)
    (tmp_path / "opt/current").symlink_to(installed.name)
    (tmp_path / "data").mkdir()
    product = {"local": {"version": wanted, "file": "x"}}
    variables = {
        "artifact_product": "elasticsearch",
        "artifact_products": {"elasticsearch": {"upstream": {**product["local"]}, **product}},
        "artifact_source": "local",
        "artifact_dest": str(tmp_path / "opt"),
    }
    told = play("step", **variables, artifact_data=str(tmp_path / "data"))
    assert (told.returncode == 0, told.changed) == (allowed, 0), told.text
    assert allowed or f"elasticsearch 8.17.0 -> {wanted} is refused: {tmp_path}/data was written by 8.17.0" in told.text
    # Without data there is nothing that another version could not read.
    assert play("step", **variables, artifact_data=str(tmp_path / "none")).returncode == 0
