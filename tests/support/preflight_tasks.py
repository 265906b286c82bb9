# SPDX-License-Identifier: Apache-2.0
"""Single tasks of the preflight, done in this process by Ansible's own engine: a case costs some milliseconds.

The hosts of an inventory are made up, with their settings, their facts and what earlier tasks have found on them; then
one task is done for one of them. The tasks, the includes on the way to them, and the roles' defaults and variables are
the repository's; conditions, loops and which variable wins are Ansible's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible import context
from ansible._internal._task import TaskContext
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.playbook.helpers import load_list_of_blocks
from ansible.playbook.included_file import IncludedFile
from ansible.playbook.play import Play
from ansible.playbook.play_context import PlayContext
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task import Task
from ansible.plugins import loader as plugins
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

ROOT = Path(__file__).parents[2]
PREFLIGHT = ROOT / "playbooks/preflight.yml"
# It is not there: this is only where it would be.
INVENTORY = str(ROOT / "inventory/made-up/hosts.yml")
NAME = "login-1"
GROUPS = ("kafka", "elasticsearch", "consumers", "producers")

FACTS = {
    "distribution": "Debian",
    "distribution_version": "12.8",
    "distribution_major_version": "12",
    "distribution_release": "bookworm",
    "architecture": "x86_64",
    "service_mgr": "systemd",
    "fips": False,
    "memtotal_mb": 8000,
    "all_ipv4_addresses": ["192.0.2.1"],
    "hostname": NAME,
    "fqdn": NAME,
}
# What role host keeps of a host's state; `now` is what its clock is ahead of ours
STATE: dict[str, Any] = {
    "uid": 0,
    "now": 0,
    "map_count": 262144,
    "map_count_writable": True,
    "user_namespaces": True,
    "listening": [],
    "active": [],
    "apt_lists": 1,
    "free": {"/opt": 100_000, "/var/lib": 100_000},
}
MISSING = {"stat": {"exists": False}}
# What the tasks before find on a host on which there is nothing
FOUND: dict[str, Any] = {
    "__kafka_meta": {},
    "__kafka_agent_installed": MISSING,
    "__elasticsearch_state_dir": MISSING,
    "__elasticsearch_writer": {"stdout": ""},
    "__metrics_installed": [],
    "__pipeline_kibana_available": True,
    "__spark_consumer_geoip": {"results": []},
    "__spark_consumer_worker_geoip": {"results": []},
}


@dataclass(frozen=True)
class Host:
    """A host of the inventory: on top of the default ones its settings, its facts and what tasks have found on it."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = GROUPS
    facts: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    # The other hosts by name, and those of them that a run leaves out by --limit
    others: Mapping[str, Host] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What came of a task, each item of its loop by itself; also of an include on its way that was skipped."""

    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def evaluated(self) -> bool:
        """Whether the task had something to decide."""
        return any(not result.get("skipped") for result in self.results)

    @property
    def refusals(self) -> list[str]:
        """The messages, with all white space made single blanks."""
        return [" ".join(result["msg"].split()) for result in self.results if result.get("failed")]

    @property
    def conditions(self) -> list[str]:
        """The conditions of assertions that did not hold."""
        return [str(result["assertion"]) for result in self.results if "assertion" in result]


@cache
def _loader() -> DataLoader:
    """What reads the repository's files, each once."""
    plugins.init_plugin_loader()
    # what ansible-playbook would have been called with
    context.CLIARGS = ImmutableDict(
        inventory=(INVENTORY,), check=False, diff=False, tags=["all"], skip_tags=[], connection="local", forks=1
    )
    return DataLoader()


@contextmanager
def vault_secrets(*secrets: tuple[str, VaultSecret]) -> Iterator[None]:
    """Give what is done inside passwords of vaults, each with its id."""
    _loader().set_vault_secrets(list(secrets))
    try:
        yield
    finally:
        _loader().set_vault_secrets([])


class Nobody:
    """Who is told of single items during a run: nobody here."""

    def send_callback(self, *_: object, **__: object) -> None: ...


class Preflight:
    """A playbook that is about to be run, for one host of an inventory."""

    def __init__(self, host: Host, playbook: Path = PREFLIGHT) -> None:
        self._loader = _loader()
        hosts = {NAME: host, **host.others}
        self._inventory = InventoryManager(self._loader, sources=[INVENTORY], parse=False)
        self._variables = VariableManager(self._loader, self._inventory)
        self._variables._hostvars = HostVars(self._inventory, self._variables, self._loader)
        for name, each in hosts.items():
            self._add(name, each)
        self._inventory.reconcile_inventory()
        if host.left_out:
            self._inventory.subset(",".join(name for name in hosts if name not in host.left_out))
        self._host = self._inventory.get_host(NAME)
        self._play, self._top = _first_play(playbook)

    def _add(self, name: str, host: Host) -> None:
        self._inventory.add_host(name)
        for group in host.groups:
            self._inventory.add_group(group)
            self._inventory.add_host(name, group)
        own = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "inventory_dir": str(Path(INVENTORY).parent),
            **host.settings,
        }
        for setting, value in own.items():
            self._inventory._inventory.set_variable(name, setting, value)
        facts = {**FACTS, **host.facts}
        self._variables.set_host_facts(name, {f"ansible_{fact}": value for fact, value in facts.items()})
        state = {**STATE, **host.state}
        state["now"] += int(time.time())
        self._variables.set_nonpersistent_facts(name, {**FOUND, "__pipeline_host": state, **host.found})

    def do(self, path: str) -> Outcome:
        """Do the task that a path leads to: "its name" in the playbook, "role: its name" in a role that this includes.

        "name > name" leads on through further includes. What a task registers and what facts it sets are kept.
        """
        outcome = Outcome()
        for task in self._at(path, outcome):
            self._do(task, outcome)
        return outcome

    def read(self, path: str, variable: str) -> Any:
        """Return what a variable is for the task that a path leads to."""
        (task,) = self._at(path, Outcome())
        variables = self._variables.get_vars(play=self._play, host=self._host, task=task)
        return Templar(self._loader, variables).evaluate_expression(trust_as_template(variable))

    def _at(self, path: str, outcome: Outcome) -> Iterator[Task]:
        """Yield the task of a path, several times if an include on its way has a loop, never if one is skipped."""
        names = path.split(" > ")
        role, _, names[0] = names[0].rpartition(": ")
        parts = self._of_role(role) if role else [self._top]
        for tasks in parts:
            if task := next((task for task in tasks if task.name == names[0]), None):
                yield from self._below(task, names[1:], outcome)
                return
        raise LookupError(f"there is no task {path} on this host's way")

    def _of_role(self, role: str) -> Iterator[list[Task]]:
        for task in self._top:
            if isinstance(task, IncludeRole) and task.args["name"] in (role, "{{ __preflight_step }}"):
                yield from self._included(task, Outcome(), role)

    def _below(self, task: Task, names: list[str], outcome: Outcome) -> Iterator[Task]:
        if not names:
            yield task
            return
        for tasks in self._included(task, outcome):
            (inner,) = (inner for inner in tasks if inner.name == names[0])
            yield from self._below(inner, names[1:], outcome)

    def _do(self, task: Task, outcome: Outcome) -> dict[str, Any]:
        copy = task.copy(exclude_parent=True, exclude_tasks=True)  # the engine writes into it
        copy._parent = task._parent
        variables = self._variables.get_vars(play=self._play, host=self._host, task=task)
        playing = PlayContext(play=self._play)
        engine = (playing, self._loader, plugins, Nobody(), self._variables)
        with TaskContext(copy):
            result: dict[str, Any] = TaskExecutor(self._host, copy, variables, *engine).run()
        items = result.get("results", [result])
        for item in items:
            # An error in a template is no refusal.
            if item.get("failed") and item["msg"].startswith("Task failed: "):
                raise RuntimeError(f"{task.name}: {item['msg']}")
        outcome.results += items
        if task.register:
            self._variables.set_nonpersistent_facts(NAME, {task.register: result})
        self._variables.set_nonpersistent_facts(NAME, result.get("ansible_facts", {}))
        return result

    def _included(self, task: Task, outcome: Outcome, role: str = "") -> Iterator[list[Task]]:
        """Yield the tasks of all that a task includes, or of this role only."""
        told = Outcome()
        result = self._do(task, told)
        if failed := [item["msg"] for item in told.results if item.get("failed")]:
            raise RuntimeError(f"{task.name}: {failed}")
        outcome.results += [item for item in told.results if item.get("skipped")]
        if role and "results" in result:
            result["results"] = [item for item in told.results if item["include_args"]["name"] == role]
        raw = [_RawTaskResult(self._host, task, result, {})]
        playing = SimpleNamespace(_play=self._play)
        for file in IncludedFile.process_include_results(raw, playing, self._loader, self._variables):
            if role in ("", file._filename):
                yield self._load(task, file)

    def _load(self, task: Task, file: IncludedFile) -> list[Task]:
        """Return the tasks of an included file, or of the role of this name, as Ansible's strategies load them."""
        key = (task._uuid, file._filename, repr(file._vars))
        if key not in _loaded:
            include = file._task.copy(exclude_parent=True)
            include._parent = file._task._parent
            include.vars = include.vars | file._vars
            common = {"play": self._play, "variable_manager": self._variables, "loader": self._loader}
            if file._is_role:
                blocks, _ = include.get_block_list(**common)
            else:
                data = self._loader.load_from_file(file._filename, trusted_as_template=True)
                parent = include.build_parent_block()
                blocks = load_list_of_blocks(data, parent_block=parent, role=file._task._role, **common)
            _loaded[key] = list(_tasks(blocks))
        return _loaded[key]


@cache
def _first_play(playbook: Path) -> tuple[Play, list[Task]]:
    """Return the first play of a playbook, and its tasks. Neither has anything of a single host."""
    loader = _loader()
    nobody = VariableManager(loader, InventoryManager(loader, sources=[INVENTORY], parse=False))
    play = Playbook.load(str(playbook), variable_manager=nobody, loader=loader).get_plays()[0]
    return play, list(_tasks(play.compile()))


# Tasks that were included: how an include is called decides what they are, not the host. Half of the time goes there.
_loaded: dict[tuple[str, str, str], list[Task]] = {}


def _tasks(blocks: list[Block]) -> Iterator[Task]:
    """Yield the tasks of blocks, those of blocks inside them as well, without those that Ansible adds."""
    for block in blocks:
        for each in (*block.block, *block.rescue, *block.always):
            if isinstance(each, Block):
                yield from _tasks([each])
            elif not each.implicit:
                yield each
