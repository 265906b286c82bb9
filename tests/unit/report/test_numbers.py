# SPDX-License-Identifier: Apache-2.0
"""Answers to numbers."""

import pytest
from login_report.numbers import Answers, Month, Numbers, Outcomes, Pair, Row, read
from login_report.queries import Span


def test_logins_by_outcome_and_over_time(numbers: Numbers) -> None:
    assert numbers.logins == Outcomes(1932, 293, 19)
    assert numbers.logins.total == 2244
    assert len(numbers.over_time) == 24
    assert sum(each.outcomes.total for each in numbers.over_time) == 2244
    assert numbers.over_time[0].start == numbers.span.start


def test_months(numbers: Numbers) -> None:
    assert len(numbers.months) == 12
    assert numbers.months[-1] == Month(1793491200000, 6207)  # 1 November 2026


@pytest.mark.parametrize("name", ["countries", "browsers"])
def test_rows_add_up_to_all_logins(numbers: Numbers, name: str) -> None:
    rows = getattr(numbers, name)
    assert sum(row.count for row in rows) == numbers.logins.total
    assert [row.label for row in rows if not row.named] == ["not given", "all others"]
    assert len(rows) == 12


@pytest.mark.parametrize("name", ["failing_users", "failing_addresses", "reasons"])
def test_rows_add_up_to_all_failures(numbers: Numbers, name: str) -> None:
    assert sum(row.count for row in getattr(numbers, name)) == numbers.logins.failure


def test_compared_with_the_period_before(numbers: Numbers) -> None:
    assert numbers.total.before == numbers.logins_before.total == 738
    assert numbers.total.percent == pytest.approx(100 * (2244 - 738) / 738)
    assert numbers.failures == Pair(293, numbers.logins_before.failure)
    assert numbers.rate.now == pytest.approx(100 * 1932 / (1932 + 293))
    assert numbers.users.now


def test_health(numbers: Numbers) -> None:
    health = numbers.health
    assert health.read == health.indexed + health.duplicates + health.ignored + health.unrecognised + health.dead
    assert health.lag is not None
    assert health.lag_max == 2400
    assert health.p99 == 9300
    assert health.p50
    assert health.last_batch == "2026-11-25T17:50:24.000Z"
    assert [each for each in health.over_time if each.p50 is None], "a half hour without batches is a gap, not 0 ms"
    assert sum(row.count for row in numbers.dead_reasons) == numbers.dead_letters.now


def test_nothing_stored(nothing: Numbers) -> None:
    assert nothing.empty
    assert (nothing.total, nothing.rate) == (Pair(0, 0), Pair(None, None))
    assert nothing.countries == nothing.reasons == nothing.dead_reasons == nothing.over_time == ()
    assert nothing.health.lag is nothing.health.p50 is nothing.health.last_batch is None


def test_indices_without_a_document_in_the_range(answers: Answers) -> None:
    empty = {
        name: {
            "hits": {"total": {"value": 0}, "hits": []},
            "aggregations": {
                "outcomes": {"buckets": []},
                "lag_max": {"value": None},
                "p50": {"values": [{"key": 50.0, "value": None}]},
                "p99": {"value": None},
            },
        }
        for name in answers
    }
    numbers = read(Span(0, 1000), 2000, empty)
    assert numbers.empty
    assert numbers.health.p50 is numbers.health.lag_max is None


@pytest.mark.parametrize(
    ("now", "before", "percent", "difference"),
    [(150, 100, 50, 50), (0, 100, -100, -100), (5, 0, None, 5), (0, 0, None, 0), (None, 90, None, None)],
)
def test_pair(now: float | None, before: float | None, percent: float | None, difference: float | None) -> None:
    assert Pair(now, before).percent == percent
    assert Pair(now, before).difference == difference


def test_a_rate_of_unknown_outcomes_is_none() -> None:
    assert Outcomes(0, 0, 7).rate is None
    assert Outcomes(3, 1, 7).rate == 75


def test_labels_cannot_hide_anything(answers: Answers) -> None:
    bucket = {"key": "evil\u202eexe\x1b[31m" + 100 * "x", "doc_count": 1, "logins": {"value": 9.0}}
    answers["logins"]["aggregations"]["browser"]["buckets"] = [bucket]
    first: Row = read(Span(0, 1000), 2000, answers).browsers[0]
    assert first.label.startswith("evil\\u202eexe\\x1b[31mxxx")
    assert first.label.isprintable()
    assert len(first.label) == 80


def test_windows_that_grew_between_two_counts_give_no_negative_rest(answers: Answers) -> None:
    answers["logins"]["aggregations"]["country"]["buckets"][0]["logins"]["value"] = 10_000.0
    assert min(row.count for row in read(Span(0, 1000), 2000, answers).countries) > 0
