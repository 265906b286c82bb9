# SPDX-License-Identifier: Apache-2.0
"""CI runs what make runs, with actions that nobody can exchange, and a token that may do what it needs alone."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MAY_WRITE = {("release.yml", "publish"): {"contents": "write", "actions": "read"}}


def read(workflow: Path) -> Any:
    return yaml.safe_load(workflow.read_text())


def commands(workflow: Path) -> list[str]:
    jobs = read(workflow)["jobs"].values()
    return [line for job in jobs for step in job["steps"] for line in step.get("run", "").splitlines()]


def test_there_are_workflows() -> None:
    assert {path.stem for path in WORKFLOWS} == {"check", "services", "nightly", "upstream", "release"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_named_by_version(workflow: Path) -> None:
    used = re.findall(r"uses: (.+)", workflow.read_text())
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_the_token_may_read_alone_but_where_a_release_is_made(workflow: Path) -> None:
    told = read(workflow)
    assert told["permissions"] in ({}, {"contents": "read"})
    for name, job in told["jobs"].items():
        wanted = MAY_WRITE.get((workflow.name, name), {"contents": "read"})
        assert job.get("permissions", told["permissions"]) == wanted, name
        if wanted != {"contents": "read"}:
            assert not [step for step in job["steps"] if "checkout" in step.get("uses", "")], "it runs nothing of ours"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_checkout_keeps_no_token(workflow: Path) -> None:
    steps = [step for job in read(workflow)["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_jobs_end_by_themselves(workflow: Path) -> None:
    assert all(job["timeout-minutes"] <= 360 for job in read(workflow)["jobs"].values())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_make_knows_what_is_called(workflow: Path) -> None:
    called = {target for line in commands(workflow) for target in re.findall(r"^make ([a-z-]+)", line.strip())}
    assert called and called <= TARGETS


def test_each_tier_is_run_by_one_of_them() -> None:
    lines = [line.strip() for workflow in WORKFLOWS for line in commands(workflow)]
    assert {"make check", "make test", "make test-all"} <= set(lines)
    assert any(line.startswith("make exactness SCHEDULES=200000") for line in lines)


def test_the_hook_of_commits_runs_what_ci_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = repository["hooks"]
    assert repository["repo"] == "local" and hook["entry"].endswith("make check")
