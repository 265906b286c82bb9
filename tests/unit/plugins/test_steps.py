# SPDX-License-Identifier: Apache-2.0
"""What runs show on the console and what they leave in the log, with the callback steps."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbook import command

STEPS = {"ANSIBLE_STDOUT_CALLBACK": "steps", "ANSIBLE_CALLBACKS_ENABLED": "steps"}
SECRET = "tell-nobody"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
# Nobody listens there.
AWAY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
NOISY = """\
import logging
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({})
logging.getLogger("kafka.conn").error("Connect attempt returned error 111")
module.exit_json(warnings=["a module warns"])
"""
FAILS = [{"name": "Fail within", "ansible.builtin.fail": {"msg": "taken care of"}}]
RESCUE = [{"name": "Go on", "ansible.builtin.debug": {"msg": "went on"}}]
GOOD: dict[str, Any] = {
    "tasks/main.yml": [
        {"ansible.builtin.command": "true", "tags": ["configure"], "when": False},
        {"ansible.builtin.import_tasks": "install.yml", "tags": ["install"]},
        {"ansible.builtin.include_tasks": {"file": "run.yml", "apply": {"tags": ["run"]}}, "tags": ["run"]},
    ],
    # Checked before each role, also before one that does nothing; no step.
    "meta/argument_specs.yml": {"argument_specs": {"main": {"options": {"folder": {"type": "str"}}}}},
    "tasks/install.yml": [
        {
            "name": "Try again",
            # It works from the second time on.
            "ansible.builtin.command": "sh -c 'mkdir {{ folder }}/tried && exit 1 || true'",
            "register": "tried",
            "until": "tried is success",
            "delay": 0,
        },
        {"noisy": None},
    ],
    "tasks/run.yml": [
        {"block": FAILS, "rescue": RESCUE},
        {"block": [{"ansible.builtin.import_tasks": "fails.yml"}], "rescue": RESCUE},
        {"block": [{"ansible.builtin.include_tasks": "fails.yml", "loop": [1, 2]}], "rescue": RESCUE},
        {"block": [{"block": FAILS, "always": RESCUE}], "rescue": RESCUE},
        {"name": "Ignore", "ansible.builtin.command": "false", "ignore_errors": True},
        {"name": "Hide", "ansible.builtin.command": "echo {{ secret }}", "no_log": True, "notify": "Handle"},
        {"name": "Tell", "ansible.builtin.debug": {"msg": ["line one", "line two"]}},
        {"name": "Tell of each", "ansible.builtin.debug": {"msg": "item {{ item }}"}, "loop": ["x", "y"]},
        {"name": "Tell a variable", "ansible.builtin.debug": {"var": "inventory_hostname"}},
        {"name": "Tell no secret", "ansible.builtin.debug": {"msg": "{{ secret }}"}, "no_log": True},
    ],
    "tasks/fails.yml": FAILS,
    "handlers/main.yml": [{"name": "Handle", "ansible.builtin.command": "true"}],
}
BAD: dict[str, Any] = {
    "tasks/main.yml": [
        {
            "name": "Loop",
            "ansible.builtin.command": "sh -c '{{ item }}'",
            "loop": ["true", "echo this is why; exit 3"],
            "when": "inventory_hostname == 'loop'",
        },
        {
            "name": "Hide",
            "ansible.builtin.command": "sh -c 'echo {{ secret }}; exit {{ item }}'",
            "loop": [3],
            "no_log": True,
            "when": "inventory_hostname == 'hidden'",
        },
        {
            "block": [{"ansible.builtin.command": "false"}],
            "rescue": [{"name": "Say why", "ansible.builtin.fail": {"msg": "first line\nlast line"}}],
            "when": "inventory_hostname == 'rescue'",
        },
        {"name": "Notify", "ansible.builtin.command": "true", "notify": "Handle"},
    ],
    "handlers/main.yml": [
        {"name": "Handle", "ansible.builtin.command": "false", "when": "inventory_hostname == 'handler'"}
    ],
}


class Rig:
    """A role of one's own, run through the callback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"

    def role(self, files: dict[str, Any]) -> None:
        for name, tasks in files.items():
            file = self.folder / "roles/thing" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(yaml.safe_dump(tasks))
        (self.folder / "library").mkdir()
        (self.folder / "library/noisy.py").write_text("#!/usr/bin/python\n" + NOISY)

    def run(self, hosts: dict[str, Any], **environment: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": LOCAL, "hosts": hosts}}))
        play = {"hosts": "all", "gather_facts": False, "vars": {"folder": str(self.folder), "secret": SECRET}}
        first = {**play, "name": "First of all", "tasks": [{"ansible.builtin.command": "true"}]}
        (self.folder / "play.yml").write_text(yaml.safe_dump([first, {**play, "name": "Second", "roles": ["thing"]}]))
        options = command(self.folder / "play.yml", self.folder / "hosts.yml")
        options["env"] |= environment or STEPS | {"ANSIBLE_LOG_PATH": str(self.log)}
        return subprocess.run(**options, capture_output=True, check=False)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def failures(console: str) -> dict[str, str]:
    """Return what the console tells of each host's failure."""
    parts = re.split(r"^FAILED \[(\w+)\] ", console.partition("\n\n  thing: ")[0], flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_a_run_in_which_nothing_is_wrong(rig: Rig) -> None:
    rig.role(GOOD)
    done = rig.run({"here": {}})
    assert done.returncode == 0, done.stdout + done.stderr
    shape = re.sub(r" +\d+\.\d s", " TIME", done.stdout)
    assert shape.splitlines() == [
        "  First of all TIME    1 changed",
        *(f"  thing: install{' ' * 28}", "  thing: install TIME    1 changed"),
        f"  thing: run{' ' * 32}",
        *["    went on"] * 5,
        *("    line one", "    line two", "    item x", "    item y"),
        *("    ok: [here] => ", "        inventory_hostname: here"),
        "  thing: run TIME    3 changed",
        "",
        "here                       : ok=19   changed=5    unreachable=0    failed=0    "
        "skipped=1    rescued=4    ignored=1   ",
        "",
    ]
    assert done.stderr.strip() == "[WARNING]: a module warns"
    log = rig.log.read_text()
    for detail in (
        "FAILED - RETRYING: [here]: Try again",
        "taken care of",
        "...ignoring",
        "RUNNING HANDLER [thing : Handle]",
    ):
        assert detail in log
    assert "Connect attempt returned error 111" in log
    assert SECRET not in log


def test_the_whole_of_what_fails_is_shown(rig: Rig) -> None:
    rig.role(BAD)
    done = rig.run({"loop": {}, "hidden": {}, "rescue": {}, "handler": {}, "away": AWAY, "well": {}})
    assert done.returncode == 4, done.stdout + done.stderr
    told = failures(done.stdout)
    assert list(told) == ["away", "loop", "hidden", "rescue", "handler"]
    assert "UNREACHABLE! => " in told["away"] and "Connection refused" in told["away"]
    assert (
        "failed: [loop] (item=echo this is why; exit 3) => " in told["loop"] and "stdout: this is why" in told["loop"]
    )
    assert "the output has been hidden" in told["hidden"]
    assert "first line\n        last line" in told["rescue"]
    assert "roles/thing/handlers/main.yml" in told["handler"]
    assert re.search(r"^  thing +\d+\.\d s    2 changed   FAILED$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^away +: ok=0 .* unreachable=1 ", done.stdout, re.MULTILINE)
    log = rig.log.read_text()
    assert "stdout: this is why" in log and "UNREACHABLE!" in log
    assert SECRET not in done.stdout + done.stderr + log


def test_what_fails_before_the_first_task_is_shown(rig: Rig) -> None:
    rig.role({"tasks/main.yml": [{"ansible.builtin.command": "true", "no_such_keyword": 1}]})
    done = rig.run({"here": {}})
    assert done.returncode == 4
    assert "no_such_keyword" in done.stderr


def test_without_a_log_it_does_not_run(rig: Rig) -> None:
    rig.role({"tasks/main.yml": [{"ansible.builtin.command": f"touch {rig.folder}/done"}]})
    done = rig.run({"here": {}}, **STEPS, ANSIBLE_LOG_PATH="/proc/no/log")
    assert done.returncode != 0 and not (rig.folder / "done").exists()
    assert "set ANSIBLE_LOG_PATH to a file" in done.stderr


def test_what_libraries_log_on_the_hosts_shows_in_no_other_run_either(rig: Rig) -> None:
    rig.role({"tasks/main.yml": [{"noisy": None}]})
    done = rig.run({"here": {}}, ANSIBLE_VERBOSITY="0")
    assert "TASK [thing : noisy]" in done.stdout and "a module warns" in done.stderr
    assert "Connect attempt" not in done.stdout + done.stderr
    assert "Connect attempt" in rig.run({"here": {}}, ANSIBLE_VERBOSITY="3").stderr
