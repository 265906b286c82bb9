# SPDX-License-Identifier: Apache-2.0
"""Files below the services' folders that belong to others: found at one look, and given to the service."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

import pytest
import yaml
from preflight_tasks import ROOT, Host, Preflight

LOOK = "pipeline: Give the service what is its own"
OTHERS = "Look for files of other users below {{ pipeline_owned.folders | join(', ') }}"
GIVE = "Give them to {{ pipeline_owned.user }}"
# Only root gives files away.
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Folder:
    """A service's folder with some files, and the tasks that look at it for a user."""

    def __init__(self, path: Path, user: str, **more: str) -> None:
        self.path, self._user = path, user
        (path / "data" / "topic-0").mkdir(parents=True, exist_ok=True)
        (path / "data" / "topic-0" / "00.log").touch()
        owned = {"user": user, "folders": [str(path), str(path / "not there")], **more}
        play = [{"hosts": "all", "tasks": [_include(owned)]}]
        self._playbook = path.parent / f"{user}{len(more)}.yml"
        self._playbook.write_text(yaml.safe_dump(play))

    def run(self) -> tuple[bool, str]:
        """Do both tasks; return whether a change was told, and the path that the look has found."""
        preflight = Preflight(Host(), self._playbook)
        looked, given = preflight.do(f"pipeline: {OTHERS}"), preflight.do(f"pipeline: {GIVE}")
        assert looked.refusals == given.refusals == []
        assert not any(each["changed"] for each in given.results)
        assert given.evaluated == (looked.results[0]["stdout"] != "")
        return looked.results[0]["changed"], looked.results[0]["stdout"]

    def owners(self) -> dict[str, str]:
        every = [self.path, *self.path.rglob("*")]
        return {str(each.relative_to(self.path)): pwd.getpwuid(each.lstat().st_uid).pw_name for each in every}


def _include(owned: object) -> dict[str, object]:
    role = {"name": "pipeline", "tasks_from": "owners"}
    return {"name": "Own", "ansible.builtin.include_role": role, "vars": {"pipeline_owned": owned}}


def test_what_belongs_to_the_service_is_left_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "kafka", pwd.getpwuid(os.geteuid()).pw_name)
    before = {path: path.lstat().st_ctime_ns for path in tmp_path.rglob("*")}
    assert folder.run() == (False, "")
    assert {path: path.lstat().st_ctime_ns for path in tmp_path.rglob("*")} == before


@as_root
@pytest.mark.parametrize("strange", ["data", "data/topic-0", "data/topic-0/00.log"])
def test_a_file_of_another_user_is_given_to_the_service(tmp_path: Path, strange: str) -> None:
    folder = Folder(tmp_path / "kafka", "nobody")
    nobody, daemon = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("daemon").pw_uid
    for path in (folder.path, *folder.path.rglob("*")):
        os.chown(path, nobody, -1)
    os.chown(folder.path / strange, daemon, -1)
    assert folder.run() == (True, str(folder.path / strange))
    assert set(folder.owners().values()) == {"nobody"}
    assert folder.run() == (False, "")


@as_root
def test_links_are_not_followed_and_what_is_not_the_services_stays(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "kibana", "nobody", **{"except": "login-dashboards.json"})
    outside = tmp_path / "outside"
    outside.touch()
    (folder.path / "link").symlink_to(outside)
    (folder.path / "lost+found").mkdir()
    (folder.path / "lost+found" / "#1").touch()
    (folder.path / "login-dashboards.json").touch()
    assert folder.run()[0]
    of_root = {name for name, owner in folder.owners().items() if owner == "root"}
    assert of_root == {"lost+found", "lost+found/#1", "login-dashboards.json"}
    assert outside.owner() == "root"
    assert folder.run() == (False, "")


UNITS = {path: path.read_text() for path in sorted(ROOT.glob("roles/*/templates/*.service.j2"))}


def _writable() -> list[tuple[str, str, str]]:
    """Return role, user and folder of all that services write to, without /run and backups, which hosts share."""
    found = []
    for path, text in UNITS.items():
        user = re.search(r"^User=(.+)$", text, re.M)
        assert user, path
        folders = [f"/var/lib/{name}" for name in re.findall(r"^StateDirectory=(.+)$", text, re.M)]
        for line in re.findall(r"^ReadWritePaths=([^-].*)$", text, re.M):
            folders += re.findall(r"\{\{.+?\}\}|[^ ]+", line)
        found += [(path.parts[-3], user[1], folder) for folder in folders]
    return found


@pytest.mark.parametrize(("role", "user", "folder"), _writable())
def test_all_that_a_service_writes_to_is_looked_at(role: str, user: str, folder: str) -> None:
    # the backups' jobs are on the consumer's host, and keep what they found with its state
    owner = {"backup": "spark_consumer"}.get(role, role)
    tasks = "\n".join(path.read_text() for path in (ROOT / "roles" / owner / "tasks").glob("*.yml"))
    told = re.findall(r"pipeline_owned:\n +user: (.+)\n +folders: ((?:.+\n)+)", tasks)
    assert [each for each, _ in told] == [user]
    assert folder.replace("{{ name }}", "login-producer-") in told[0][1].replace("}}/data", "}}")


def test_the_units_that_are_looked_at() -> None:
    assert len(UNITS) == 10 and len(_writable()) == 11
