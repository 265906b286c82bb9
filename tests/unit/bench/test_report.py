# SPDX-License-Identifier: Apache-2.0
"""The results in words: what is wanted is told as met, missed or not measured, never as met without a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plan import TARGETS, Target

import report

MACHINE = {
    "processors": "2 x some",
    "memory_gb": 8,
    "system": "Debian",
    "kernel": "6.1",
    "date": "2026-11-26",
    "builds": {"kafka": "4.4.0-1"},
    "java": "17",
    "beside": {"load": [0.1, 0.1, 0.1], "programs": {"cron": 0.01}},
}


def contestant(rate: float) -> dict[str, Any]:
    cpu = {"kafka": 0.2, "login-consumer": 1.5}
    return {"rate": rate, "lowest": rate, "highest": rate, "cpu": cpu, "cpu_all": 1.7, "others": 0.05}


def verdict_of(results: dict[str, Any], **target: Any) -> str:
    report.TARGETS, before = (Target("t", **target),), report.TARGETS
    try:
        return next(report.targets(results))[-1]
    finally:
        report.TARGETS = before


@pytest.mark.parametrize(
    ("number", "at_most", "expected"),
    [(5, False, "met"), (4.9, False, "**missed**"), (5, True, "met"), (5.1, True, "**missed**")],
)
def test_the_number_itself_is_good_enough(number: float, at_most: bool, expected: str) -> None:
    assert verdict_of({"a": {"b": number}}, number="a.b", wanted=5, at_most=at_most) == expected


def test_a_ratio_is_of_two_numbers() -> None:
    results = {"ours": 30, "theirs": 10}
    assert verdict_of(results, number="ours", over="theirs", wanted=3) == "met"
    assert verdict_of(results, number="ours", over="theirs", wanted=3.1) == "**missed**"


@pytest.mark.parametrize("results", [{}, {"ours": 30}, {"theirs": 10}, {"ours": {}, "theirs": 10}])
def test_what_was_not_measured_is_told_so(results: dict[str, Any]) -> None:
    assert verdict_of(results, number="ours", over="theirs", wanted=3) == "not measured"


def test_results_come_between_their_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "IMAGES", tmp_path)
    points = [{"at": 10, "cpu": 2.0, "rate": 3}, {"at": 5000, "cpu": 2.5, "rate": 3}]
    results = {
        "machine": MACHINE,
        "backlog": {"consumer": contestant(50_000), "stateful": contestant(20_000), "quix": {"failed": "why"}},
        "curves": {"keys": points},
    }
    report.document(results)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| two stateful Spark queries | 20,000 | 20,000 - 20,000 | 2.50 |" in text
    assert "2.50x | met |" in text
    assert "| quix-streams | **failed** |" in text and report.failures(results) == {"quix": "why"}
    for name in ("throughput", "keys"):
        assert f"(images/performance-{name}.svg)" in text
        assert (tmp_path / f"performance-{name}.svg").read_text().startswith("<svg")
    report.document(results)
    assert page.read_text() == text


def test_the_page_has_the_marks() -> None:
    text = report.PAGE.read_text()
    assert 0 < text.find(report.BEGIN) < text.find(report.END)


def test_quick_runs_are_not_documented(tmp_path: Path) -> None:
    (tmp_path / "quick.json").write_text("{}")
    with pytest.raises(SystemExit, match="no results of a full run"):
        report.collected(tmp_path)


def test_a_run_on_another_machine_is_told(tmp_path: Path) -> None:
    main = {"machine": MACHINE, "backlog": {"consumer": contestant(1)}}
    for name, told in {
        "results": main,
        "hour": {"machine": MACHINE, "endurance": {"growth": 1}},
        "curves": {"machine": MACHINE | {"kernel": "6.2"}, "curves": {}},
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(told))
    lines = list(report.machine(report.collected(tmp_path)))
    assert [line for line in lines if "6.2" in line] == ["curves: 2 x some, 8 GB, Debian, Linux 6.2; 2026-11-26"]
    assert not any(line.startswith("hour") for line in lines)


def test_each_target_is_told_once() -> None:
    texts = [target.text for target in TARGETS]
    assert len(set(texts)) == len(texts)
