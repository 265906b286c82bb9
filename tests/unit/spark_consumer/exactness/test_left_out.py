# SPDX-License-Identifier: Apache-2.0
"""While an index cannot be read or is gone, the audit tells all that the others tell, and calls nothing balanced."""

from collections.abc import Iterator
from typing import Any

import pytest
from exactness.world import DAY, NOW, World
from login_common import readable
from login_common.elastic import Unavailable
from login_consumer.audit import audit
from login_consumer.balance import as_text
from login_consumer.documents import DEAD_LETTERS, EVENTS, FAMILIES, METRICS, PIPELINE

RED = {"status": 503, "error": {"type": "search_phase_execution_exception", "reason": "missing shards [[x][0]]"}}
CLOSED = {"status": 400, "error": {"type": "index_closed_exception", "reason": "closed"}}
BLOCKED = {"status": 403, "error": {"type": "cluster_block_exception", "reason": "index [x] blocked by: [read]"}}
BROKEN = {"status": 500, "error": {"type": "io_exception", "reason": "a new one"}}
STATES = {"red: GET": RED, "closed: POST": CLOSED, "blocked (": BLOCKED, "Elasticsearch answered 500": BROKEN}
OLD, NEW = "2026.03", "2026.04"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two months with all kinds of documents in each."""
    monkeypatch.setattr(readable, "_PASSES_S", -1)
    with World() as made:
        for month, names in enumerate(("abca", "def")):
            at = NOW + 40 * month * DAY
            made.clock.now = at / 1000
            for name in names:
                made.event(name, at)
            made.event(None, at + 3 * 60_000)
            made.send(b"junk")
            made.send(b'{"a": 1}')
            assert made.consume() == "idle"
        assert made.audit() == []
        yield made


def found_in(world: World) -> Any:
    return audit(world.settings, None)


def test_all_families_have_an_index_in_both_months(world: World) -> None:
    assert set(world.elastic.stored) == {f"{family}-{month}" for family in FAMILIES for month in (OLD, NEW)}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("month", [OLD, NEW])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_cannot_be_read_is_named_and_no_fault(world: World, family: str, month: str, state: str) -> None:
    index = f"{family}-{month}"
    world.elastic.hidden = {index: STATES[state]}
    found = found_in(world)
    assert (found.faults, found.balanced) == ([], False)
    (why,) = found.unreadable.values()
    assert list(found.unreadable) == [index] and why.startswith(state)
    lines = list(as_text(found))
    assert lines[-1] == "NOT COMPLETE: what can be read balances"
    assert f"NOT READABLE   {index} is {why}" in lines
    assert found.as_json()["balanced"] is False
    # accounts of the newest batches decide which events and windows are finished
    assert bool(found.not_compared) == (index == f"{PIPELINE}-{NEW}")


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_is_hidden_together(world: World, family: str) -> None:
    world.elastic.hidden = {f"{family}-{month}": RED for month in (OLD, NEW)}
    found = found_in(world)
    assert found.faults == [] and not found.balanced and set(found.unreadable) == set(world.elastic.hidden)


@pytest.mark.parametrize("hidden", [EVENTS, METRICS, DEAD_LETTERS, PIPELINE])
def test_a_loss_in_a_month_that_can_be_read_is_found_all_the_same(world: World, hidden: str) -> None:
    world.elastic.hidden = {f"{hidden}-{OLD}": RED}
    for docs in (world.elastic.stored, world.elastic.searchable):
        docs[f"{EVENTS}-{NEW}"].pop("e")
    found = found_in(world)
    lines = list(as_text(found))
    assert any("events, " in fault for fault in found.faults) and lines[-1] == "DOES NOT BALANCE"
    assert any(f"{hidden}-{OLD} is red" in line for line in lines)
    assert any(fault.startswith("window ") for fault in found.faults)


@pytest.mark.parametrize("month", [OLD, NEW])
@pytest.mark.parametrize(("family", "cure"), [(EVENTS, "restore it"), (METRICS, "'login-consumer rebuild'")])
def test_an_index_that_is_gone_is_a_fault_with_its_name(world: World, family: str, cure: str, month: str) -> None:
    for docs in (world.elastic.stored, world.elastic.searchable):
        del docs[f"{family}-{month}"]
    (fault,) = found_in(world).faults
    assert fault.startswith(f"index {family}-{month} is not there") and cure in fault


def test_letters_too_many_are_a_fault_although_others_are_hidden(world: World) -> None:
    world.elastic.hidden = {f"{DEAD_LETTERS}-{OLD}": CLOSED}
    for docs in (world.elastic.stored, world.elastic.searchable):
        letter = next(iter(docs[f"{DEAD_LETTERS}-{NEW}"].values()))
        docs[f"{DEAD_LETTERS}-{NEW}"] |= {f"copy {n}": letter._replace(id=f"copy {n}") for n in range(9)}
    assert any("dead letters" in fault for fault in found_in(world).faults)


def test_a_rebuild_does_not_take_windows_for_stale_whose_events_are_hidden(world: World) -> None:
    world.elastic.hidden = {f"{EVENTS}-{OLD}": CLOSED}
    before = world.elastic.copy()
    with pytest.raises(Unavailable, match=f"nothing was rebuilt: index {EVENTS}-{OLD} is closed"):
        world.rebuild()
    assert world.elastic.copy() == before
