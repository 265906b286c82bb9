# SPDX-License-Identifier: Apache-2.0
"""test [check|test|all | PART ...] [OPTION ...]: run the tests, say how long each part and each test took.

Options go to pytest, as in: test pipeline -k audit; test bundle --bundle=FOLDER.

A part's output goes to build/logs/PART.log; what failed is printed whole. Times are kept in build/test-times.json.
Parts that share no hosts run side by side. One part alone prints as it goes.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
LOGS, REPORTS, TIMES = BUILD / "logs", BUILD / "test-reports", BUILD / "test-times.json"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "login-pipeline"
TESTHOST, WITH_CGROUP2 = "tools/testhost/testhost", "tools/testhost/with-cgroup2"
# Containers that tests boot have it, so that what an interrupted run has left is found.
LABEL = "login-pipeline-tests"
PYTHON_PACKAGES = ("common", "formats", "producer", "report", "spark_consumer")
ON_HOSTS = ("bundle", "cluster", "cluster_upgrade", "odd", "pipeline", "preflight", "spark_cluster", "upgrade")
SLOWEST = 12
PROGRESS_SECONDS = 60.0
END_SECONDS = 60.0
"""How long what is interrupted may take to clean up."""

Command = list[str]


def pytest(*arguments: str) -> Command:
    return [sys.executable, "-m", "pytest", *arguments]


def molecule(scenario: str) -> Command:
    return [WITH_CGROUP2, "molecule", "test", "--no-command-borders", "--scenario-name", scenario]


def lint() -> list[Command]:
    shebang = "git ls-files -- ':!*.j2' | xargs -r grep -lE '^#!/bin/(ba)?sh' -- | xargs shellcheck"
    sources = [f"src/{name}/src" for name in PYTHON_PACKAGES]
    return [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", *sources, "tools/dashboard_builder", "tools/role_docs", "tools/run_tests.py", "tools/sbom.py"],
        ["yamllint", "--strict", "."],
        ["bash", "-euo", "pipefail", "-c", shebang],
        ["ansible-lint", "--strict"],
        # What needs hosts is read at least.
        *(pytest("--collect-only", "-qq", f"tests/{name}") for name in ON_HOSTS),
    ]


MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def prepared_hosts() -> int:
    """Return how many hosts with a whole pipeline (4 GB) this machine carries beside each other, two at most."""
    return max(1, min(2, MEMORY // 6_000_000_000))


def one_host_beside_three(*lanes: list[str]) -> list[list[str]]:
    """Return the lanes of a stage: side by side, if the machine has memory for that (12 GB were in use)."""
    return list(lanes) if MEMORY >= 15_000_000_000 else [[part for lane in lanes for part in lane]]


@dataclass
class Part:
    """Commands that run one after the other, and what pytest is given beside."""

    commands: list[Command]
    options: str = ""


# The scenario default runs the others, on the host that it has deployed.
REST = "not test_data and not test_files and not test_units"
PIPELINE = pytest("-n", str(prepared_hosts()), "--dist", "loadfile", "-vv", "-k", REST, "tests/pipeline")
PREFLIGHT = [[TESTHOST, "image", "bookworm"], pytest("-n", "2", "--dist", "loadfile", "tests/preflight")]
PARTS = {
    "lint": Part(lint()),
    "unit": Part([pytest("-n", "auto", "tests/unit", "tests/local")]),
    "artifact": Part([pytest("-n", "auto", "tests/artifact")]),
    "preflight": Part(PREFLIGHT),
    "molecule": Part([molecule("default")]),
    "pipeline": Part([PIPELINE]),
    "cluster": Part([molecule("cluster")]),
    "molecule-long": Part([molecule("default")], "--long"),
    "artifact-long": Part([pytest("-n", "auto", "tests/artifact")], "--long"),
    "preflight-long": Part(PREFLIGHT, "--long"),
    "pipeline-long": Part([PIPELINE], "--long"),
    "cluster-long": Part([molecule("cluster")], "--long"),
    "odd": Part([molecule("odd")], "--long"),
    "spark": Part([molecule("spark_cluster")]),
    "upgrade": Part([pytest("tests/upgrade")]),
    "cluster-upgrade": Part([molecule("cluster_upgrade")]),
    "bundle": Part([pytest("tests/bundle")]),
}
# Stages one after the other; the lanes of a stage run side by side.
CHECK = [[["lint"], ["unit"]]]
PLANS = {
    "check": CHECK,
    "test": [*CHECK, one_host_beside_three(["molecule", "pipeline"], ["artifact", "cluster", "preflight"])],
    "all": [
        *CHECK,
        [["artifact-long", "preflight-long"]],
        *([[part]] for part in ("molecule-long", "pipeline-long", "odd", "upgrade", "cluster-upgrade", "cluster-long")),
        [["spark"]],
        [["bundle"]],
    ],
}


@dataclass
class Outcome:
    """What has become of a part. `tests` are seconds by test id."""

    part: str
    seconds: float
    passed: bool
    tests: dict[str, float] = field(default_factory=dict)
    failed: int = 0
    skipped: int = 0


class Runner:
    """Runs parts; an interruption ends what runs."""

    def __init__(self, alone: bool) -> None:
        self._alone = alone
        self._running: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
        self._interrupted = False
        self.outcomes: list[Outcome] = []

    def interrupt(self, *_: object) -> None:
        """End what runs, as a keyboard's interruption would."""
        self._interrupted = True
        self._signal(signal.SIGINT)
        # One that waits for a host, such as a worker of pytest, may not hear it.
        last = threading.Timer(END_SECONDS, self._signal, [signal.SIGKILL])
        last.daemon = True
        last.start()

    def _signal(self, number: int) -> None:
        for process, _began in list(self._running.values()):
            _signal(process, number)

    def stage(self, lanes: list[list[str]], options: list[str]) -> bool:
        """Run the lanes side by side; return whether all has passed."""
        threads = [threading.Thread(target=self._lane, args=(lane, options)) for lane in lanes]
        for thread in threads:
            thread.start()
        told = time.monotonic()
        for thread in threads:
            while thread.is_alive():
                thread.join(1)
                if not self._alone and time.monotonic() - told > PROGRESS_SECONDS:
                    told = time.monotonic()
                    self._tell_progress()
        return not self._interrupted and all(outcome.passed for outcome in self.outcomes)

    def _lane(self, parts: list[str], options: list[str]) -> None:
        for part in parts:
            if self._interrupted:
                return
            self.outcomes.append(self._part(part, options))

    def _part(self, name: str, options: list[str]) -> Outcome:
        say(f"==> {name}: began, its output is in {(LOGS / name).relative_to(ROOT)}.log")
        began, part = time.monotonic(), PARTS[name]
        for old in REPORTS.glob(f"{name}.*.xml"):
            old.unlink()
        passed = True
        with (LOGS / f"{name}.log").open("wb") as log:
            for number, command in enumerate(part.commands):
                report = REPORTS / f"{name}.{number}.xml"
                given = f"--junit-xml={report} -o junit_duration_report=total --durations=10 {part.options}"
                # What is typed counts more than the part's own options, and also reaches molecule's pytest.
                typed = options if "pytest" in command else []
                given += f" {shlex.join(options)} {os.environ.get('PYTEST_ADDOPTS', '')}"
                environment = {**os.environ, "PYTEST_ADDOPTS": given, "TESTHOST_LABEL": LABEL}
                if self._run(name, [*command, *typed], environment, log) != 0:
                    passed = False
                    break
        outcome = read_reports(Outcome(name, time.monotonic() - began, passed))
        said = "passed" if passed else "FAILED"
        say(f"==> {name}: {said} in {outcome.seconds:.0f} s, {len(outcome.tests)} tests")
        if not passed and not self._interrupted and not self._alone:
            say(what_failed((LOGS / f"{name}.log").read_text(errors="replace")))
        return outcome

    def _run(self, name: str, command: Command, environment: dict[str, str], log: IO[bytes]) -> int:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **pipes)  # type: ignore[call-overload]
        self._running[name] = process, time.monotonic()
        if self._interrupted:  # between two commands
            _signal(process, signal.SIGINT)
        for chunk in iter(lambda: process.stdout.read1(65536), b""):
            log.write(chunk)
            log.flush()
            if self._alone:
                sys.stdout.buffer.write(chunk)
                sys.stdout.flush()
        del self._running[name]
        return int(process.wait())

    def _tell_progress(self) -> None:
        for name, (_, began) in sorted(self._running.items()):
            lines = plain((LOGS / f"{name}.log").read_text(errors="replace")).split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            say(f"    {name}, {time.monotonic() - began:.0f} s: {last[-100:]}")


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # it has ended by itself


def say(text: str) -> None:
    print(f"{text}\n", end="", flush=True)  # in one piece: several threads say something


def plain(text: str) -> str:
    """Leave out what colours a terminal."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).replace("\r", "\n")


def what_failed(log: str) -> str:
    """Return the part of a log that tells what failed: pytest's reports or Ansible's failed tasks, else its end."""
    text = plain(log)
    begins = [found.start() for found in re.finditer(r"^=+ (?:FAILURES|ERRORS) =+$", text, re.MULTILINE)]
    if begins:
        end = re.search(r"^=+ .*\b(?:failed|errors?)\b.* in [0-9.]+s.*$", text[begins[0] :], re.MULTILINE)
        return text[begins[0] : begins[0] + end.end()] if end else text[begins[0] :]
    lines = text.split("\n")
    fatal = next((number for number, line in enumerate(lines) if line.startswith(("fatal: ", "[ERROR]"))), None)
    return "\n".join(lines[-150:] if fatal is None else lines[max(0, fatal - 3) : fatal + 150])


def read_reports(outcome: Outcome) -> Outcome:
    """Add the tests of a part's reports."""
    for report in sorted(REPORTS.glob(f"{outcome.part}.*.xml")):
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  (pytest has just written it)
            file = case.get("classname", "").replace(".", "/")
            outcome.tests[f"{file}.py::{case.get('name')}"] = float(case.get("time", 0))
            outcome.failed += case.find("failure") is not None or case.find("error") is not None
            outcome.skipped += case.find("skipped") is not None
    return outcome


def tell_times(outcomes: list[Outcome], seconds: float) -> None:
    """Print the parts and the slowest tests, and keep all of it."""
    before = json.loads(TIMES.read_text())["tests"] if TIMES.exists() else {}
    say(f"\n{'part':<18}{'seconds':>8}{'tests':>7}{'skipped':>9}{'failed':>8}")
    for each in outcomes:
        say(f"{each.part:<18}{each.seconds:>8.0f}{len(each.tests):>7}{each.skipped:>9}{each.failed:>8}")
    tests = {test: taken for each in outcomes for test, taken in each.tests.items()}
    say(f"{'in all':<18}{seconds:>8.0f}\n\nThe slowest tests, in seconds (and when they ran before):")
    for test in sorted(tests, key=tests.__getitem__, reverse=True)[:SLOWEST]:
        say(f"{tests[test]:>8.1f} {before.get(test, 0):>8.1f}  {test}")
    parts = {
        each.part: {"seconds": round(each.seconds, 1), "tests": len(each.tests), "skipped": each.skipped}
        for each in outcomes
    }
    content = {"seconds": round(seconds, 1), "parts": parts, "tests": {**before, **tests}}
    TIMES.write_text(json.dumps(content, indent=1) + "\n")
    # A part may fail before its first test, as when a host cannot be deployed.
    failed = sum(each.failed or not each.passed for each in outcomes)
    skipped = sum(each.skipped for each in outcomes)
    say(f"\nAll times are in {TIMES.relative_to(ROOT)}.")
    passed = len(tests) - skipped - sum(each.failed for each in outcomes)
    say(f"{passed} passed, {failed} failed, {skipped} skipped")


def remove_hosts() -> None:
    """Remove the hosts that tests have booted and not removed, as when they were interrupted."""
    if shutil.which("podman"):
        listed = [WITH_CGROUP2, "podman", "ps", "--all", "--quiet", "--filter", f"label={LABEL}"]
        for found in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split():
            remove = [
                WITH_CGROUP2,
                "podman",
                "rm",
                "--force",
                "--depend",
                "--time",
                "5",
                "--volumes",
                "--ignore",
                found,
            ]
            subprocess.run(remove, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def alone_on_this_machine() -> Iterator[None]:
    """Let no second run of the tests, of whatever checkout, take the same names and ports of hosts."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "tests.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("test: other tests run on this machine. next: wait for their end, or stop them")
        yield


def main(arguments: list[str]) -> int:
    first = next((number for number, each in enumerate(arguments) if each.startswith("-")), len(arguments))
    names, options = arguments[:first] or ["test"], arguments[first:]
    if unknown := [name for name in names if name not in PARTS and name not in PLANS]:
        sys.exit(f"test: {unknown[0]} is neither of the plans {', '.join(PLANS)} nor of the parts {', '.join(PARTS)}")
    stages = [stage for name in names for stage in PLANS.get(name, [[[name]]])]
    for folder in (LOGS, REPORTS):
        folder.mkdir(parents=True, exist_ok=True)
    began, passed = time.monotonic(), True
    with alone_on_this_machine():
        runner = Runner(alone=sum(len(lane) for stage in stages for lane in stage) == 1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, runner.interrupt)
        remove_hosts()
        try:
            for stage in stages:
                passed = runner.stage(stage, options)
                if not passed:
                    break
        finally:
            remove_hosts()
    tell_times(runner.outcomes, time.monotonic() - began)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
