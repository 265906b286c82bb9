# SPDX-License-Identifier: Apache-2.0
"""The account of a batch: added up, sent to the driver, checked."""

from collections import Counter

import pytest
from login_consumer.counts import Counts, OffsetRange
from login_consumer.documents import WindowKey
from login_consumer.reasons import Reason

KEY = WindowKey(60_000, "DE", None, "success")


def counts(first: int) -> Counts:
    return Counts(
        read=4,
        indexed=2,
        duplicates=1,
        dead=Counter({Reason.NOT_JSON: 1}),
        windows=Counter({KEY: 2}),
        offsets={("t", 0): OffsetRange(first, first + 4)},
        indices={"login-events-2026.03"},
        arrival_first=first,
        arrival_last=first + 3,
        arrival_sum=4 * first,
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
        offsets={("t", 0): OffsetRange(10, 18)},
        indices={"login-events-2026.03"},
        arrival_first=10,
        arrival_last=17,
        arrival_sum=96,
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
