# SPDX-License-Identifier: Apache-2.0
"""Where Kafka's partitions go when brokers come and leave."""

from collections import Counter

import pytest
from ansible.module_utils.kafka_spread import spread

ROUND = {("logins", number): [1 + (number + offset) % 3 for offset in range(3)] for number in range(6)}
NO_RACKS = dict.fromkeys((1, 2, 3, 4), "")


def moved(before: dict, after: dict) -> int:
    """Return how many copies have to travel."""
    return sum(len(set(after[name]) - set(before[name])) for name in before)


def held(after: dict) -> Counter[int]:
    return Counter(broker for row in after.values() for broker in row)


def leads(after: dict) -> Counter[int]:
    return Counter(row[0] for row in after.values())


def test_what_is_even_stays() -> None:
    assert spread(ROUND, dict.fromkeys((1, 2, 3), ""), 3) == ROUND


def test_a_new_broker_gets_its_share_and_no_more_is_moved() -> None:
    after = spread(ROUND, NO_RACKS, 3)
    assert sorted(held(after).values()) == [4, 4, 5, 5]
    assert moved(ROUND, after) == held(after)[4]
    assert max(leads(after).values()) - min(leads(after)[broker] for broker in NO_RACKS) <= 1


def test_a_second_run_moves_nothing() -> None:
    after = spread(ROUND, NO_RACKS, 3)
    assert spread(after, NO_RACKS, 3) == after


def test_a_broker_that_is_left_out_is_emptied_and_the_others_keep_what_they_have() -> None:
    before = spread(ROUND, NO_RACKS, 3)
    after = spread(before, dict.fromkeys((1, 2, 3), ""), 0)
    assert 4 not in held(after)
    assert moved(before, after) == held(before)[4]
    assert all(len(set(row)) == 3 for row in after.values())


def test_more_copies_go_to_other_racks() -> None:
    before = {("logins", number): [1] for number in range(4)}
    after = spread(before, {1: "a", 2: "a", 3: "b", 4: "b"}, 2)
    assert all({1, 2} & set(row) and {3, 4} & set(row) for row in after.values())
    assert all(1 in row or 2 in row for row in after.values())


def test_no_move_brings_two_copies_onto_one_rack() -> None:
    racks = {1: "a", 2: "b", 3: "c", 4: "c"}
    after = spread(ROUND, racks, 3)
    assert all({racks[broker] for broker in row} == {"a", "b", "c"} for row in after.values())
    assert held(after) == {1: 6, 2: 6, 3: 3, 4: 3}


def test_topics_of_one_partition_do_not_all_go_to_the_same_broker() -> None:
    before = {(f"topic-{number}", 0): [5] for number in range(4)}
    assert sorted(held(spread(before, NO_RACKS, 0)).values()) == [1, 1, 1, 1]


def test_too_few_brokers_for_the_copies_are_refused() -> None:
    with pytest.raises(ValueError, match="logins-0 has 3 copies, which need as many brokers; only 2 would be left"):
        spread(ROUND, dict.fromkeys((1, 2), ""), 0)
