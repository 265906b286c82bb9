# SPDX-License-Identifier: Apache-2.0
"""Pacing against a clock that the test moves."""

import pytest
from login_producer.pacing import Pacer, daily_curve


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_no_drift_whatever_the_steps() -> None:
    clock = Clock()
    pacer = Pacer(7.3, monotonic=clock)
    taken = 0
    for step in range(10_000):
        clock.now += 0.003 + step % 7 * 0.01
        taken += pacer.take(1000)
    assert taken == pytest.approx(7.3 * (clock.now - 50), abs=1)


def test_what_is_not_taken_stays_due() -> None:
    clock = Clock()
    pacer = Pacer(100, monotonic=clock)
    clock.now += 1
    assert pacer.take(30) == 30
    assert pacer.take(0) == 0
    assert pacer.take(1000) == 70
    assert pacer.take(1000) == 0


def test_an_outage_is_not_made_up_for() -> None:
    clock = Clock()
    pacer = Pacer(100, monotonic=clock)
    clock.now += 3600
    assert pacer.take(1_000_000) == 1000


def test_slow_rates_come_too() -> None:
    clock = Clock()
    pacer = Pacer(0.01, monotonic=clock)
    clock.now += 99
    assert pacer.take(10) == 0
    clock.now += 2
    assert pacer.take(10) == 1


def test_rate_zero_is_unlimited() -> None:
    assert Pacer(0).take(500) == 500


def test_curve_scales_the_rate() -> None:
    clock = Clock()
    pacer = Pacer(100, lambda _: 0.5, monotonic=clock)
    clock.now += 2
    assert pacer.take(1000) == 100


def test_curve_has_mean_one_over_a_day() -> None:
    minutes = [daily_curve(1_772_323_200 + minute * 60) for minute in range(1440)]
    assert sum(minutes) / 1440 == pytest.approx(1)
    assert daily_curve(14 * 3600) == max(minutes) == pytest.approx(1.6)
    assert min(minutes) == pytest.approx(0.4)
