# SPDX-License-Identifier: Apache-2.0
"""What lands on the host: modes, the current link, earlier builds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

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


def test_each_of_two_products_in_a_play_is_told_by_its_own_build(tmp_path: Path, play: Play) -> None:
    first = release(tmp_path, "1.0")
    second = release(tmp_path, "1.1") | {"artifact_dest": str(tmp_path / "second")}
    first["artifact_checksums"] |= second["artifact_checksums"]
    play("install", before=[first], **second)
    again = play("install", before=[first], **second)
    assert (again.returncode, again.changed) == (0, 0), again.text


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
