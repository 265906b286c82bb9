# SPDX-License-Identifier: Apache-2.0
"""The runner of the tests: what it shows of a part that failed, what it counts, and which parts there are."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import pytest
import run_tests as runner

REPORT = """<testsuites><testsuite>
<testcase classname="tests.unit.test_a" name="test_good" time="1.5"/>
<testcase classname="tests.unit.test_a" name="test_bad[x]" time="2.5"><failure message="no">...</failure></testcase>
<testcase classname="tests.unit.test_a" name="test_long" time="0.1"><skipped message="give --long"/></testcase>
</testsuite></testsuites>"""
PYTEST = """collected 3 items
.F
================ FAILURES ================
____ test_bad ____
E   AssertionError: why
======== short test summary info =========
FAILED tests/unit/test_a.py::test_bad
=== 1 failed, 1 passed in 0.12s ===
TASK [Remove the host]
"""
ANSIBLE = "\n".join(
    [
        *(f"TASK [number {number}]" for number in range(300)),
        "\x1b[31mfatal: [login-test]: FAILED! => {msg: why}\x1b[0m",
        *(f"removal {number}" for number in range(20)),
    ]
)


def test_of_pytests_output_the_failures_are_shown() -> None:
    shown = runner.what_failed(PYTEST)
    assert shown.startswith("================ FAILURES")
    assert shown.endswith("=== 1 failed, 1 passed in 0.12s ===")
    assert "AssertionError: why" in shown


def test_of_a_run_of_ansible_the_failed_task_is_shown() -> None:
    shown = runner.what_failed(ANSIBLE).split("\n")
    assert "fatal: [login-test]: FAILED! => {msg: why}" in shown
    assert shown[0] == "TASK [number 297]"


def test_of_other_output_the_end_is_shown() -> None:
    assert runner.what_failed("\n".join(f"line {number}" for number in range(500))).split("\n")[-1] == "line 499"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "REPORTS", tmp_path)
    monkeypatch.setattr(runner, "TIMES", tmp_path / "times.json")
    return tmp_path


def test_times_are_kept_and_failures_counted(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (build / "unit.0.xml").write_text(REPORT)
    unit = runner.read_reports(runner.Outcome("unit", 4.2, passed=False))
    host = runner.Outcome("molecule", 60.0, passed=False)  # failed before its first test
    runner.tell_times([unit, host], 64.2)
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == "1 passed, 2 failed, 1 skipped"
    assert "     2.5      0.0  tests/unit/test_a.py::test_bad[x]" in told
    kept = json.loads((build / "times.json").read_text())
    assert kept["parts"]["unit"] == {"seconds": 4.2, "tests": 3, "skipped": 1}
    assert kept["tests"]["tests/unit/test_a.py::test_good"] == 1.5

    runner.tell_times([unit], 4.2)
    assert "     2.5      2.5  tests/unit/test_a.py::test_bad[x]" in capsys.readouterr().out


def test_each_plan_has_parts_that_exist() -> None:
    named = {part for plan in runner.PLANS.values() for stage in plan for lane in stage for part in lane}
    assert named == set(runner.PARTS)


def test_no_part_runs_beside_one_with_the_same_hosts() -> None:
    for plan in runner.PLANS.values():
        for stage in plan:
            parts = [part.removesuffix("-long") for lane in stage for part in lane]
            assert len(parts) == len(set(parts))


def test_an_interrupted_part_ends_also_if_it_does_not_hear(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "LOGS", build)
    monkeypatch.setattr(runner, "END_SECONDS", 0.5)
    deaf = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(2, signal.SIG_IGN); print('deaf'); time.sleep(600)",
    ]
    monkeypatch.setitem(runner.PARTS, "deaf", runner.Part([["env", "PYTHONUNBUFFERED=1", *deaf]]))
    made = runner.Runner(alone=False)
    threading.Thread(target=interrupt_when_it_runs, args=(made, build / "deaf.log")).start()
    began = time.monotonic()
    assert not made.stage([["deaf"]], [])
    assert time.monotonic() - began < 60
    assert [(outcome.part, outcome.passed) for outcome in made.outcomes] == [("deaf", False)]


def interrupt_when_it_runs(made: runner.Runner, log: Path) -> None:
    while not log.exists() or b"deaf" not in log.read_bytes():
        time.sleep(0.05)
    made.interrupt()
