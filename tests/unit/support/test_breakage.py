# SPDX-License-Identifier: Apache-2.0
"""Faults of a group share one audit; if it does not balance, those that did harm are named."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "pipeline"))

from breakage import Breakage


class Flowing:
    """A pipeline in which records flow, and of which faults take events away."""

    def __init__(self) -> None:
        self.audits, self.events, self.lost = 0, 100, 0
        self.ledger = SimpleNamespace(wait_for_flow=self._flow)

    def _flow(self) -> None:
        self.events += 10

    def audit(self) -> dict[str, Any]:
        self.audits += 1
        faults = [f"the batches report {self.events} events, {self.events - self.lost} are stored"] if self.lost else []
        return {
            **dict.fromkeys(("duplicates", "ignored", "skipped", "too_old", "dead_stored", "windows"), 0),
            **dict.fromkeys(("unrecognised", "unrecognised_kept", "unrecognised_stored"), 0),
            **dict.fromkeys(("offsets", "read", "indexed"), self.events),
            "events_stored": self.events - self.lost,
            "dead": {},
            "faults": faults,
            "balanced": not faults,
        }


def harmless(scene: Any) -> None:
    assert scene is None


@pytest.fixture
def flowing() -> Flowing:
    return Flowing()


@pytest.fixture
def breakage(flowing: Flowing) -> Breakage:
    made = Breakage.__new__(Breakage)  # without the account of a real pipeline
    made._pipeline, made._scene, made.inflicted = flowing, None, Counter()
    return made


def test_a_group_that_balances_costs_one_audit(breakage: Breakage, flowing: Flowing) -> None:
    breakage.inflict_group(harmless, harmless, harmless)
    assert (flowing.audits, breakage.inflicted["harmless"]) == (1, 3)


def test_the_fault_that_did_harm_is_named(breakage: Breakage, flowing: Flowing) -> None:
    def harmful(scene: Any) -> None:
        flowing.lost += 1

    with pytest.raises(pytest.fail.Exception, match=r"alone, harm is done by \['harmful'\]") as failed:
        breakage.inflict_group(harmless, harmful, harmless)
    assert "after harmless, harmful, harmless the audit does not balance" in str(failed.value)
    assert "the batches report 130 events, 129 are stored" in str(failed.value)


def test_harm_that_no_fault_repeats_is_told_as_well(breakage: Breakage, flowing: Flowing) -> None:
    def harmful_once(scene: Any) -> None:
        flowing.lost = 1

    with pytest.raises(pytest.fail.Exception, match="alone, harm is done by none"):
        breakage.inflict_group(harmless, harmful_once)
