# SPDX-License-Identifier: Apache-2.0
"""login-report, on the host: the timer's page is there, and its numbers are those of Elasticsearch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from elasticsearch import Elasticsearch
from pipeline import Pipeline
from testinfra.host import Host

PAGE = "/var/lib/login-report/report.html"


def test_the_timer_waits_for_its_time(host: Host) -> None:
    told = host.check_output("systemctl show --property=ActiveState,UnitFileState login-report.timer")
    assert sorted(told.splitlines()) == ["ActiveState=active", "UnitFileState=enabled"]


def test_the_unit_writes_the_page_and_its_charts(host: Host) -> None:
    host.check_output(f"rm -f {PAGE} && systemctl start login-report")
    assert host.check_output("systemctl show --value --property=Result login-report") == "success"
    assert host.check_output("stat -c '%U %G %a' " + PAGE) == "login-report login-report 640"
    assert host.check_output("ls /var/lib/login-report/charts/*.png")
    page = host.check_output(f"cat {PAGE}")
    assert "No data in this range" not in page
    assert not re.search(r"(?:src|href)=.?https?:", page), "the page needs something from outside"


@pytest.fixture
def still(pipeline: Pipeline) -> Iterator[None]:
    """Let nothing be written meanwhile."""
    with pipeline.still():
        yield


@pytest.mark.usefixtures("still")
def test_the_numbers_are_those_of_the_windows(host: Host, elastic: Elasticsearch) -> None:
    end = datetime.now(UTC).replace(second=0, microsecond=0)
    start = end - timedelta(hours=2)
    times = {"gte": start.isoformat(), "lt": end.isoformat()}
    answer = elastic.search(
        index="login-metrics-*",
        size=0,
        query={"range": {"window_start": times}},
        aggs={"logins": {"sum": {"field": "count"}}},
    )
    logins = int(answer["aggregations"]["logins"]["value"])
    assert logins > 0
    told = f"--from {start.isoformat()} --to {end.isoformat()} --output /var/lib/login-report/test.html"
    host.check_output(f"login-report {told}")
    page = host.check_output("cat /var/lib/login-report/test.html; rm /var/lib/login-report/test.html")
    assert f"{logins:,}" in page


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [("--from 2026-03-02 --to 2026-03-01", 2, "--from must be before --to"), ("--settings /none", 2, "/none")],
)
def test_mistakes_are_told_in_one_line(options: str, code: int, text: str, host: Host) -> None:
    told = host.run(f"login-report {options} --output /var/lib/login-report/test.html")
    assert told.rc == code and text in told.stderr and "Traceback" not in told.stderr
