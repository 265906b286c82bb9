# SPDX-License-Identifier: Apache-2.0
"""Which locks of runs count, and what is said to who comes second; two runs by commands: tests/local/test_runs.py."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.module_utils import run_lock
from ansible.module_utils.run_lock import Process, Record, find, keepers, take

ROOT = Path(__file__).parents[3]
# The module has the same name.
spec = importlib.util.spec_from_file_location("run_lock_action", ROOT / "plugins/action/run_lock.py")
assert spec and spec.loader
action: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(action)

HERE = find(os.getpid())
assert HERE
DEAD = HERE._replace(started=HERE.started - 1)


def record(process: Process, *held_by: Process) -> Record:
    about = {"user": "ann", "controller": "desk", "playbook": "site.yml", "since": "2026-03-01 10:00:00+00:00"}
    return {"process": process, **about, **({"keepers": held_by} if held_by else {})}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.lock"


OURS = record(HERE)


@pytest.mark.parametrize(
    ("content", "held"),
    [
        pytest.param(record(DEAD, HERE), True, id="another run, whose connection lives"),
        pytest.param(record(DEAD, DEAD, HERE), True, id="one of two processes lives"),
        pytest.param(record(HERE, HERE), False, id="this run"),
        pytest.param(record(DEAD, DEAD), False, id="its number is another process now"),
        pytest.param(record(DEAD, HERE._replace(boot="of yesterday")), False, id="before the boot"),
        pytest.param(record(DEAD, HERE._replace(namespace="pid:[1]")), False, id="of another container"),
        pytest.param(record(DEAD, HERE._replace(pid=2**30)), False, id="there is no such process"),
        pytest.param({}, False, id="an older layout"),
        pytest.param([], False, id="no mapping"),
        pytest.param({"keepers": [[1]]}, False, id="half a process"),
        pytest.param({"keepers": [HERE]}, False, id="held by nobody who is named"),
    ],
)
def test_who_holds_a_lock(path: Path, content: object, held: bool) -> None:
    path.write_text(json.dumps(content))
    holder = take(path, OURS, [HERE])
    assert (holder is not None) == held
    assert (json.loads(path.read_text()) == json.loads(json.dumps(OURS | {"keepers": [HERE]}))) == (not held)


def test_each_beginning_of_a_record_is_a_killed_run(path: Path) -> None:
    whole = json.dumps(record(DEAD, HERE))
    for length in range(len(whole)):
        path.write_text(whole[:length])
        assert take(path, OURS, [HERE]) is None, whole[:length]
    path.write_text(whole)
    assert take(path, OURS, [HERE])


def test_what_lives_on_of_a_run_that_is_over_is_no_hindrance(path: Path) -> None:
    path.write_text(json.dumps(record(DEAD, HERE)))
    assert take(path, OURS, [HERE], ended=[DEAD]) is None
    assert action.is_over(json.loads(json.dumps(record(DEAD, HERE))))
    for elsewhere in (HERE, DEAD._replace(boot="another machine"), DEAD._replace(namespace="pid:[1]")):
        assert not action.is_over(record(elsewhere, HERE)), "it cannot be known"


def test_a_lock_is_private_and_follows_no_link(path: Path, tmp_path: Path) -> None:
    take(path, OURS, [HERE])
    assert path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="symbolic link"):
        take(tmp_path / "link", OURS, [HERE])


def test_of_many_at_once_one_gets_it(path: Path) -> None:
    got = []

    def try_it(number: int) -> None:
        if take(path, record(HERE._replace(pid=number)), [HERE]) is None:
            got.append(number)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_process_that_was_killed_is_seen_before_it_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as child:
        assert child.stdout and child.stdout.readline()
        process = find(child.pid)
        assert process and process.lives() and abs(process.since() - HERE.since()) < 3600
        child.send_signal(signal.SIGKILL)
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not process.lives()


def test_the_way_of_a_run_to_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = find(os.getppid())
    assert parent and keepers(parent) == [HERE, parent], "on the controller: the run itself"
    assert keepers(DEAD)[0] == HERE, "elsewhere at least the process that is kept"
    told = Path.read_text
    status = f"Name:\tsshd-session\nPPid:\t{parent.pid}\n"
    monkeypatch.setattr(
        run_lock.Path, "read_text", lambda path, **how: status if path.name == "status" else told(path, **how)
    )
    assert keepers(DEAD) == [HERE, parent], "by ssh: the session"


def test_what_is_said_of_a_run() -> None:
    said = action.refusal(record(HERE, HERE), "the lock of es-1")
    for words in (
        "Nothing was changed",
        "the lock of es-1",
        "site.yml",
        f"process {HERE.pid} of ann on desk",
        "10:00:00",
    ):
        assert words in said
    assert said.endswith(f"(kill {HERE.pid}), then run this again.")


def test_a_run_is_its_process_and_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        action.context, "CLIARGS", {"args": (str(Path.cwd() / "site.yml"),), "extra_vars": ("password=hunter2",)}
    )
    run = action.this_run()
    assert run["process"] == HERE and run["playbook"] == "site.yml" and run["user"] and "hunter2" not in str(run)
    monkeypatch.setattr(action, "find", lambda pid: None)
    with pytest.raises(AnsibleActionFail, match="has ended"):
        action.this_run()
