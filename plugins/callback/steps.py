# SPDX-License-Identifier: Apache-2.0
"""One line a step on the console; what Ansible's default callback prints goes into Ansible's log instead.

tools/deploy runs site.yml so. A step is a phase of a role that a play lists, as in 'kafka: install', which is also what
tags name; the tasks of a play itself are one step. What a person has to see is on the console as well: warnings,
messages of debug tasks, and the whole of what has failed, unless it is ignored or a rescue takes care of it.
"""

from __future__ import annotations

import logging
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.playbook.block import Block
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils import display as ansible_display

DOCUMENTATION = """
name: steps
type: stdout
short_description: One line a step, all detail in the log
description:
  - Prints one line a step with its time, and the whole of what fails. ANSIBLE_LOG_PATH says where the detail goes.
version_added: "0.1"
author: login-pipeline contributors
extends_documentation_fragment: [default_callback, result_format_callback]
"""

PHASES = ("preflight", "install", "configure", "run")
DEBUG = ("debug", "ansible.builtin.debug")
# What Ansible does before each role, also before one that has no tasks. It is a step only where it fails.
ARGUMENTS = "ansible.builtin.validate_argument_spec"


class Console:
    """What a person sees: a line that begins with a step's name and ends with its time, and what is said in between."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._unfinished = False

    def begin(self, name: str) -> None:
        self._write(f"  {name:<42}", newline=False)
        self._unfinished = True

    def end(self, name: str, text: str) -> None:
        if not self._unfinished:
            self.begin(name)
        self._write(text)
        self._unfinished = False

    def say(self, text: str, color: str | None = None) -> None:
        self.interrupt()
        self._write(text, color)

    def interrupt(self) -> None:
        """Let what comes next stand on a line of its own."""
        if self._unfinished:
            self._write("")
            self._unfinished = False

    def _write(self, text: str, color: str | None = None, newline: bool = True) -> None:
        self._display.display(text, color=color, screen_only=True, newline=newline)
        sys.stdout.flush()  # also into a pipe each line comes when it is true


class LogDisplay:
    """Ansible's display to the default callback, which prints with it into the log; all else is as ever."""

    def __init__(self, display: Any, console: Console) -> None:
        self._display = display
        self._console = console
        self._heard: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._display, name)

    def display(self, msg: str, color: str | None = None, screen_only: bool = False, **options: Any) -> None:
        if screen_only:  # the recap: its twin for the log follows
            self._console.say(msg)
            return
        self._heard.append(msg)
        self._display.display(msg, color=color, log_only=True, caplevel=options.get("caplevel"))

    def banner(self, msg: str, color: str | None = None, cows: bool = True) -> None:
        self._display.display(msg, log_only=True)

    def _warning(self, warning: Any) -> None:
        self._console.interrupt()
        self._display._warning(warning)

    def _error(self, error: Any, stderr: bool) -> None:
        """Print why a task has failed; whether that is a fault is not known here."""
        ansible_display.Display._error(self, error, stderr=stderr)

    @property
    def _errors(self) -> set[str]:
        """What Ansible would not say again: nothing, the last one may be what ends the run."""
        return set()

    @contextmanager
    def heard(self) -> Iterator[list[str]]:
        """Give what is printed meanwhile, without banners."""
        self._heard = told = []
        yield told
        self._heard = []


class CallbackModule(Default):
    """Ansible looks for a class of this name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "steps"

    def __init__(self) -> None:
        super().__init__()
        if ansible_display.logger is None:
            raise AnsibleError("The callback steps needs a log for the detail: set ANSIBLE_LOG_PATH to a file.")
        for handler in logging.root.handlers:
            handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s", "%H:%M:%S"))
        # Libraries that are asked for no more than warnings tell no secrets; on the hosts this level holds as well.
        logging.root.setLevel(logging.WARNING)
        ansible_display.logger.setLevel(logging.INFO)
        self._console = Console(self._display)
        self._display = self._log = LogDisplay(self._display, self._console)
        self._step = ""
        self._role: Any = None
        self._clear()
        self._failed_items: dict[tuple[str, str], list[str]] = defaultdict(list)

    def _clear(self) -> None:
        self._began = time.monotonic()
        self._ran, self._changed, self._failed = False, 0, False

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._go_to(task)
        super().v2_playbook_on_task_start(task, is_conditional)

    def _go_to(self, task: Any) -> None:
        """Begin a new step if the task is of another one. Handlers are not asked: they belong to what notified them."""
        role = _outermost(task)._role
        if role is None:
            step = self._play.get_name().strip()
        else:
            phase = next((phase for phase in PHASES if phase in task.tags), "")
            if role is self._role and not phase:
                return
            step = f"{role.get_name()}: {phase}" if phase else role.get_name()
        self._role = role
        if step != self._step:
            self._finish()
            self._step = step

    def _finish(self) -> None:
        if self._ran:
            seconds = f"{time.monotonic() - self._began:7.1f} s"
            changed = f"{self._changed:5} changed" if self._changed else ""
            self._console.end(self._step, seconds + changed + ("   FAILED" if self._failed else ""))
        self._clear()

    def _count(self, changed: bool = False) -> None:
        if not self._ran:  # not before: a step that is skipped has no line
            self._console.begin(self._step)
        self._ran = True
        self._changed += changed

    def v2_runner_on_ok(self, result: Any) -> None:
        if not isinstance(result.task, TaskInclude) and result.task.action != ARGUMENTS:
            self._count(result.result.get("changed", False))
        self._tell(result, super().v2_runner_on_ok, in_loop=False)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._tell(result, super().v2_runner_item_on_ok, in_loop=True)

    def _tell(self, result: Any, log: Any, in_loop: bool) -> None:
        """Log a result; a message of a debug task is for people."""
        message = result.result.get("msg")  # the default callback takes it out of a loop's
        with self._log.heard() as text:
            log(result)
        if result.task.action in DEBUG and in_loop == bool(result.task.loop) and "censored" not in result.result:
            lines = text if message is None else message if isinstance(message, list) else [message]
            self._console.say(textwrap.indent("\n".join(map(str, lines)).strip(), "    "))

    def v2_runner_retry(self, result: Any) -> None:
        self._count()
        super().v2_runner_retry(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        with self._log.heard() as text:
            super().v2_runner_item_on_failed(result)
        self._failed_items[result.host.get_name(), result.task._uuid] += text

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        items = self._failed_items.pop((result.host.get_name(), result.task._uuid), [])
        with self._log.heard() as text:
            super().v2_runner_on_failed(result, ignore_errors)
        self._count(bool(ignore_errors and result.result.get("changed")))  # as the recap does
        if not ignore_errors and not _is_rescued(result.task):
            self._fail(result, items + text)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        with self._log.heard() as text:
            super().v2_runner_on_unreachable(result)
        self._count()
        if not result.task.ignore_unreachable:
            self._fail(result, text)

    def _fail(self, result: Any, text: list[str]) -> None:
        self._failed = True
        task = (self._last_task_name or result.task.get_name()).strip()
        self._console.say("\n".join(["", f"FAILED [{self.host_label(result)}] {task}", *text]), C.COLOR_ERROR)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._finish()
        self._console.say("")
        super().v2_playbook_on_stats(stats)


def _outermost(task: Any) -> Any:
    """Return what holds the task in its play's own list."""
    while task._parent:
        task = task._parent
    return task


def _is_rescued(task: Any) -> bool:
    """Whether a block around the task goes on with its rescue when the task fails; the tasks of a rescue have none."""
    inside = {task._uuid}
    while task := task._parent:
        if isinstance(task, Block) and task.rescue and inside & {each._uuid for each in task.block}:
            return True
        inside.add(task._uuid)
    return False
