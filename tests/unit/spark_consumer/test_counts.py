# SPDX-License-Identifier: Apache-2.0
"""The account of a batch: added up, sent to the driver, checked."""

from collections import Counter

import pytest
from login_consumer.counts import Counts, Mark, OffsetRange, age_bucket, joined, missing, percentile
from login_consumer.documents import WindowKey
from login_formats.reasons import Reason

KEY = WindowKey(60_000, "DE", None, "success")


def counts(first: int) -> Counts:
    return Counts(
        read=4,
        indexed=2,
        duplicates=1,
        dead=Counter({Reason.NOT_JSON: 1}),
        windows=Counter({KEY: 2}),
        offsets={0: [OffsetRange(first, first + 4)]},
        marks={0: Mark(first + 3, 1000 + first)},
        arrivals=Counter({first: 3, 99: 1}),
        arrival_last=first + 3,
    )


def test_sent_and_added_up() -> None:
    total = Counts()
    for part in (counts(14), counts(10)):
        total.add(Counts.from_bytes(part.to_bytes()))
    assert total == Counts(
        read=8,
        indexed=4,
        duplicates=2,
        dead=Counter({"not_json": 2}),
        windows=Counter({KEY: 4}),
        offsets={0: [OffsetRange(10, 18)]},
        marks={0: Mark(17, 1014)},
        arrivals=Counter({10: 3, 14: 3, 99: 2}),
        arrival_last=17,
    )
    total.check()


@pytest.mark.parametrize("change", [{"read": 5}, {"indexed": 1}, {"windows": Counter()}, {"dead": Counter()}])
def test_unaccounted_records_are_an_error(change: dict[str, object]) -> None:
    wrong = counts(0)
    vars(wrong).update(change)
    with pytest.raises(ArithmeticError, match="records were read"):
        wrong.check()


def test_the_first_fault_is_kept() -> None:
    total = Counts(unavailable="first")
    total.add(Counts(unavailable="second"))
    assert Counts.from_bytes(total.to_bytes()).unavailable == "first"


R = OffsetRange


def test_ranges_are_joined_and_gaps_told() -> None:
    assert joined([R(5, 8), R(0, 3), R(3, 4), R(9, 9)]) == [R(0, 4), R(5, 8)]
    assert missing(R(0, 10), [R(5, 8), R(0, 4)]) == [R(4, 5), R(8, 10)]
    assert missing(R(2, 6), [R(0, 10)]) == []
    assert missing(R(2, 6), [R(8, 10)]) == [R(2, 6)]
    assert missing(R(3, 3), []) == []


def test_percentiles() -> None:
    histogram = Counter({10: 98, 20: 1, 30: 1})
    assert [percentile(histogram, share) for share in (0.5, 0.98, 0.99, 1.0)] == [10, 10, 20, 30]
    with pytest.raises(IndexError):
        percentile(Counter(), 0.5)


def test_ages_keep_their_worth() -> None:
    now = 1_772_359_200_000
    for age in (0, 1, 63, 64, 999, 60_000, 86_400_000):
        assert 0 <= now - age_bucket(now - age, now) - age <= age * 0.032
    assert len({age_bucket(now - age, now) for age in range(3_600_000)}) < 1200
