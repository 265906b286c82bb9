# SPDX-License-Identifier: Apache-2.0
"""Who lowers a retention is told what it deletes, and when; on services: tests/pipeline/test_retention.py."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from preflight_tasks import Host, Preflight

ASK, SAY = "Ask what shorter ones would delete", "Say what the shorter retention deletes"
PLAY = [
    {
        "hosts": "all",
        "tasks": [
            {
                "name": "Look",
                "ansible.builtin.include_role": {"name": "spark_consumer", "tasks_from": "shorter_retention"},
            }
        ],
    }
]
IN_USE = 'topic = "login-events"\nevents_days = 400\ndead_letters_days = 90\nprogress_days = 35\n\n[elasticsearch]\n'


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    (tmp_path / "play.yml").write_text(yaml.safe_dump(PLAY))
    return tmp_path / "play.yml"


def host(in_use: str | None = IN_USE, told: dict[str, Any] | None = None, **settings: int) -> Host:
    found = {"content": base64.b64encode(in_use.encode()).decode()} if in_use is not None else {"msg": "file not found"}
    return Host(
        settings,
        found={
            "__spark_consumer_retention_found": found,
            "__spark_consumer_retention_told": told or {"rc": 0, "stdout_lines": []},
            "__spark_consumer_retention_next": {"stdout": "Tue 2026-12-01 00:34:12 UTC"},
        },
    )


@pytest.mark.parametrize(
    ("host", "shorter"),
    [
        pytest.param(host(), [], id="the same"),
        pytest.param(host(None), [], id="the first run"),
        pytest.param(host("half a file"), [], id="no settings"),
        pytest.param(host(pipeline_retention_days=401, spark_consumer_dead_letter_days=91), [], id="longer"),
        pytest.param(host(pipeline_retention_days=30), ["events_days: 30 instead of 400"], id="events"),
        pytest.param(
            host(spark_consumer_dead_letter_days=80), ["dead_letters_days: 80 instead of 90"], id="dead letters"
        ),
        pytest.param(host(spark_consumer_progress_days=5), ["progress_days: 5 instead of 35"], id="accounts"),
        pytest.param(
            host(pipeline_retention_days=399, spark_consumer_progress_days=36),
            ["events_days: 399 instead of 400"],
            id="one is longer",
        ),
    ],
)
def test_what_is_shorter(playbook: Path, host: Host, shorter: list[str]) -> None:
    preflight = Preflight(host, playbook)
    assert preflight.read(f"spark_consumer: {ASK}", "__spark_consumer_shorter") == shorter
    said = preflight.do(f"spark_consumer: {SAY}")
    assert said.evaluated == bool(shorter)


def test_each_line_of_a_dry_run_is_said_and_is_a_change(playbook: Path) -> None:
    lines = ["would delete login-events-2025.09: 81422 documents", "would delete 1 indices with 81422 documents"]
    said = Preflight(host(told={"rc": 0, "stdout_lines": lines}, pipeline_retention_days=30), playbook).do(
        f"spark_consumer: {SAY}"
    )
    first = "events_days: 30 instead of 400; login-retention runs next on Tue 2026-12-01 00:34:12 UTC"
    assert [each["msg"] for each in said.results] == [first, *lines]
    # the labels are what `make changes` shows
    assert [each["_ansible_item_label"] for each in said.results if each["changed"]] == [first, *lines]


@pytest.mark.parametrize(
    "told",
    [
        {"rc": 4, "stdout_lines": [], "stderr": "Elasticsearch is away"},
        {"failed": False, "stderr": "", "msg": "Elasticsearch is away"},
    ],
    ids=["it fails", "there is no such command"],
)
def test_what_cannot_be_found_out_is_said(playbook: Path, told: dict[str, Any]) -> None:
    said = Preflight(host(told=told, pipeline_retention_days=30), playbook).do(f"spark_consumer: {SAY}")
    assert said.results[-1]["msg"] == "what it deletes could not be found out: Elasticsearch is away"


def test_the_new_days_are_asked_for(playbook: Path) -> None:
    preflight = Preflight(host(pipeline_retention_days=30), playbook)
    days = preflight.read(f"spark_consumer: {ASK}", "__spark_consumer_retention_days")
    assert days == {"events_days": 30, "dead_letters_days": 90, "progress_days": 35}
