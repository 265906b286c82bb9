# SPDX-License-Identifier: Apache-2.0
"""What the hostile kinds send is what they say, and the table tells what was found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hostile_kinds import KINDS, Found, table
from login_formats import Limits, Reason, Rejected, read
from login_formats.wrapper import PLAIN, Arrival

BY_NAME = {kind.name: kind for kind in KINDS}
FOUND = Found("large", "values of 1 MiB", 240, 0, 1200, 700.4, 300, 1300, 0, 4.2, 1440, {"events": 1440, "dead": 0})


def test_each_kind_asked_for_is_there() -> None:
    assert {"large", "many-large", "bombs", "headers", "keys", "deep"} <= BY_NAME.keys()


@pytest.mark.parametrize("name", ["large", "many-large", "keys", "headers"])
def test_honest_in_all_but_number_and_size(name: str) -> None:
    """They are to become events: so they are read as a whole, and stored."""
    told = json.loads(BY_NAME[name].value("id-1", 1))
    assert told["event_id"] == "id-1" and told["outcome"] == "failure"
    limits = Limits(1 << 60, 1 << 60)
    assert read(BY_NAME[name].value("id-1", 1), Arrival(0, PLAIN), limits, "native").id == "id-1"


def test_large_ones_are_just_below_the_limit() -> None:
    assert (1 << 20) - 4096 < len(BY_NAME["large"].value("id", 0)) <= 1 << 20


@pytest.mark.parametrize("number", [0, 1])
def test_deep_ones_are_refused_and_end_no_process(number: int) -> None:
    with pytest.raises(Rejected) as refused:
        read(BY_NAME["deep"].value("id", number), Arrival(0, PLAIN), Limits(1 << 60, 1 << 60), "native")
    assert refused.value.reason is Reason.NOT_JSON


def test_keys_differ() -> None:
    values = [BY_NAME["keys"].value(str(number), number) for number in range(1000)]
    browsers = {read(value, Arrival(0, PLAIN), Limits(1 << 60, 1 << 60), "native").browser for value in values}
    assert len(browsers) == 1000 and BY_NAME["keys"].rate * 60 == pytest.approx(100_000)


def test_the_table_tells_all() -> None:
    lines = table([FOUND, replace(FOUND, rest_seconds=None, refused=3)]).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == ("| values of 1 MiB | 240 and 1200 logins | 700 | 300 | 1,300 | 0 | 4 s | 1440 (1440 events) |")
    assert "240 and 1200 logins, 3 refused by Kafka" in lines[3] and "| never |" in lines[3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"rest_seconds": None}, "large: the rest is not read"),
        ({"accounted": 1439}, "large: 1439 of 1440 records are accounted for"),
        ({"fault": "does not balance"}, "large: does not balance"),
    ],
)
def test_what_must_not_be_fails_the_run(change: dict[str, object], told: str) -> None:
    assert replace(FOUND, **change).failed == told  # type: ignore[arg-type]
