# SPDX-License-Identifier: Apache-2.0
"""A Python application from a locked wheel and a project of its own, without any package index."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from artifact_kit import Play

TAG = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def metadata(name: str, version: str, more: str = "") -> dict[str, str]:
    """Return the files that make a zip file a wheel."""
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"
    return {"METADATA": about, "WHEEL": TAG, "RECORD": ""}


# A build backend in a few lines, so that the test needs nothing from an index.
BACKEND = """
import pathlib, zipfile

META = %r

def build_wheel(folder, config_settings=None, metadata_directory=None):
    file = "app-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, file), "w") as wheel:
        wheel.write("app.py")
        for name, text in META.items():
            wheel.writestr(f"app-1.0.dist-info/{name}", text)
    pathlib.Path("build").mkdir()
    return file
"""


class App:
    """The application's folders, and the variables that install it."""

    def __init__(self, tmp_path: Path) -> None:
        self.index, self.project, self.lock = (
            tmp_path / "index",
            tmp_path / "app",
            tmp_path / "requirements.txt",
        )
        self.index.mkdir()
        self.project.mkdir()
        wheel = self.index / "dep-2.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as zipped:
            zipped.writestr("dep.py", "VALUE = 2\n")
            for name, text in metadata("dep", "2.0").items():
                zipped.writestr(f"dep-2.0.dist-info/{name}", text)
        self.lock.write_text(f"dep==2.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
        system = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        (self.project / "pyproject.toml").write_text(system)
        (self.project / "backend.py").write_text(BACKEND % metadata("app", "1.0", "Requires-Dist: dep\n"))
        (self.project / "app.py").write_text("import dep\nprint(dep.VALUE + 1)\n")
        self.env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index)}
        self.home = tmp_path / "opt" / "current"
        self.variables: dict[str, Any] = {
            "artifact_app": "app",
            "artifact_app_dest": str(tmp_path / "opt"),
            "artifact_app_requirements": str(self.lock),
            "artifact_app_projects": [str(self.project)],
            "artifact_app_system_python": sys.executable,
        }

    def run(self) -> str:
        python = self.home / "bin" / "python"
        return subprocess.run([python, "-m", "app"], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path)


def test_install_and_change(app: App, play: Play) -> None:
    before = sorted(app.project.rglob("*"))
    first = play("python_app", env=app.env, **app.variables)
    assert first.returncode == 0, first.text
    assert app.run() == "3\n"
    assert sorted(app.project.rglob("*")) == before
    assert (app.home / "bin" / "pip").stat().st_mode & 0o055 == 0o055
    module = next(app.home.glob("lib/python*/site-packages/dep.py"))
    assert module.stat().st_mode & 0o777 == 0o644

    second = play("python_app", env={"PIP_NO_INDEX": "1"}, **app.variables)
    assert (second.returncode, second.changed, second.facts["changed"]) == (0, 0, False)

    (app.project / "app.py").write_text("import dep\nprint(dep.VALUE + 2)\n")
    (app.project / "__pycache__").mkdir()
    third = play("python_app", env={"PIP_NO_INDEX": "1"}, **app.variables)  # the locked wheels are not fetched again
    assert third.facts["changed"] is True, third.text
    assert app.run() == "4\n"


def test_an_own_wheel_is_built_once(app: App, play: Play, tmp_path: Path) -> None:
    def built() -> list[int]:
        return [wheel.stat().st_mtime_ns for wheel in (tmp_path / "cache/wheels").glob("app-*/*.whl")]

    assert play("python_app", env=app.env, **app.variables).returncode == 0
    first = built()
    app.lock.write_text(app.lock.read_text() + "\n")
    second = play("python_app", env=app.env, **app.variables)
    assert second.facts["changed"] is True, second.text
    assert app.run() == "3\n"
    assert len(first) == 1 and built() == first


def test_what_a_link_leads_to_is_part_of_a_project(app: App, play: Play, tmp_path: Path) -> None:
    """As the file of the version, which several projects share."""
    shared = tmp_path / "shared.py"
    (app.project / "app.py").rename(shared)
    (app.project / "app.py").symlink_to("../shared.py")
    assert play("python_app", env=app.env, **app.variables).returncode == 0
    assert app.run() == "3\n"
    shared.write_text("import dep\nprint(dep.VALUE + 5)\n")
    changed = play("python_app", env=app.env, **app.variables)
    assert changed.facts["changed"] is True, changed.text
    assert app.run() == "7\n"


@pytest.mark.usefixtures("long")
def test_requirements_alone(app: App, play: Play) -> None:
    result = play("python_app", env=app.env, **{**app.variables, "artifact_app_projects": []})
    assert result.returncode == 0, result.text
    assert list(app.home.glob("lib/python*/site-packages/dep.py"))


def test_wrong_hash_is_refused(app: App, play: Play, tmp_path: Path) -> None:
    app.lock.write_text(f"dep==2.0 --hash=sha256:{'0' * 64}\n")
    result = play("python_app", env=app.env, **app.variables)
    assert result.returncode != 0
    assert "0" * 64 in result.text
    assert not (tmp_path / "opt").exists()


def test_check_mode_fetches_nothing(app: App, play: Play, tmp_path: Path) -> None:
    result = play("python_app", "--check", env={"PIP_NO_INDEX": "1"}, **app.variables)
    assert result.returncode == 0, result.text
    assert "would fetch the wheels" in result.text
    assert "would install app" in result.text
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "opt").exists()


def test_missing_project(app: App, play: Play, tmp_path: Path) -> None:
    result = play("python_app", env=app.env, **{**app.variables, "artifact_app_projects": [str(tmp_path / "no")]})
    assert result.returncode != 0
    assert "holds no pyproject.toml" in result.text
