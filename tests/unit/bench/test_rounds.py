# SPDX-License-Identifier: Apache-2.0
"""What the benchmark makes of its measurements."""

from __future__ import annotations

import pytest
from rounds import LeftOut, Run, by_turns, compete, percentiles, summary


def test_the_order_is_turned_around_in_every_round_after_the_warm_up() -> None:
    assert [(number, list(order)) for number, order in by_turns(["a", "b", "c"], 2)] == [
        (0, ["a", "b", "c"]),
        (1, ["c", "b", "a"]),
        (2, ["a", "b", "c"]),
    ]


def test_medians_are_of_rates_and_of_cpu_for_100_000() -> None:
    runs = [
        Run(1000, 1.0, {"kafka": 0.1, "own": 0.3}, 0.2),
        Run(1000, 2.0, {"kafka": 0.2, "own": 0.5}, 0.0),
        Run(1000, 4.0, {"kafka": 0.9, "own": 0.4}, 0.1),
    ]
    told = summary(runs)
    assert (told["rate"], told["lowest"], told["highest"], told["rounds"]) == (500, 250, 1000, 3)
    assert told["cpu"] == {"kafka": pytest.approx(20), "own": pytest.approx(40)}
    assert told["cpu_all"] == pytest.approx(70), "the median of the sums, not the sum of the medians"
    assert told["others"] == 0.1


def test_the_warm_up_does_not_count() -> None:
    seconds = iter([100.0, 100.0, 1.0, 2.0, 2.0, 1.0])  # a b, b a, a b
    rounds: list[int] = []
    told = compete(["a", "b"], 2, rounds.append, lambda _: Run(10, next(seconds), {}, 0.0), tell=lambda _: None)
    assert rounds == [0, 1, 2]
    assert (told["b"]["rate"], told["a"]["rate"]) == (10, 5)


def test_percentiles_are_in_milliseconds() -> None:
    told = percentiles(number / 1000 for number in range(100, 0, -1))
    assert {name: round(each) for name, each in told.items()} == {
        "p50": 51,
        "p90": 91,
        "p99": 100,
        "max": 100,
        "count": 100,
    }
    assert percentiles([0.2])["p99"] == 200


def test_no_mark_at_all_is_no_result() -> None:
    with pytest.raises(IndexError):
        percentiles([])


def test_one_that_fails_is_left_out_and_told() -> None:
    asked: list[str] = []
    told: list[str] = []

    def run(name: str) -> Run:
        asked.append(name)
        if name == "b":
            raise LeftOut("9 events of 10")
        return Run(10, 1.0, {}, 0.0)

    found = compete(["a", "b"], 2, lambda _: None, run, told.append)
    assert asked == ["a", "b", "a", "a"]
    assert found["b"] == {"failed": "9 events of 10"} and found["a"]["rate"] == 10
    assert any("b" in line and "9 events of 10" in line for line in told)
