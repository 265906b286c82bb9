# SPDX-License-Identifier: Apache-2.0
"""Breaks a running pipeline while records flow, and proves after each fault that nothing was lost or doubled."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from faults import Fault
from pipeline import UNITS, Pipeline
from scene import Scene
from traffic import Traffic

log = logging.getLogger("faults")

Options = Callable[[str], dict[str, Any]]
"""The options of a Kafka client, by the user's name."""


class Breakage:
    """One account from its making to `settle`; faults are inflicted in between."""

    def __init__(
        self, pipeline: Pipeline, traffic: Traffic, kafka: Options, seed: int, outage: tuple[float, float]
    ) -> None:
        log.info("seed %d", seed)
        self._pipeline, self._traffic = pipeline, traffic
        self.random = random.Random(seed)
        # apart: it draws from what it finds, and must not change which faults come next
        self._scene = Scene(pipeline, traffic, kafka, random.Random(seed), outage)
        self.began = pipeline.clock()
        self.inflicted: Counter[str] = Counter()
        self._before, self._acked_before = pipeline.stand_still()
        assert self._before.fault() == ""
        pipeline.systemctl("start", "login-producer")
        traffic.start()

    def inflict(self, *faults: Fault) -> None:
        """Break one thing after the other, in no rest; return when records flow again.

        Raises AssertionError if they do not, or if the audit does not balance.
        """
        for fault in faults:
            self._break(fault)
        self._pipeline.ledger.wait_for_flow()
        found = self._pipeline.audit()
        assert found["balanced"], found
        self._tell(found)

    def inflict_group(self, *faults: Fault) -> None:
        """Break each thing while records flow, then audit once. Raises AssertionError with the faults that did harm.

        If the audit does not balance, each fault is repeated with an audit of its own, to find them.
        """
        for fault in faults:
            self._break(fault)
            self._pipeline.ledger.wait_for_flow()
        found = first = self._pipeline.audit()
        if found["balanced"]:
            self._tell(found)
            return
        harmful = []
        for fault in faults:
            self._break(fault)
            self._pipeline.ledger.wait_for_flow()
            before, found = found, self._pipeline.audit()
            if imbalance(found) != imbalance(before):
                harmful.append(fault.__name__)
        names = ", ".join(fault.__name__ for fault in faults)
        pytest.fail(f"after {names} the audit does not balance; alone, harm is done by {harmful or 'none'}: {first}")

    def _break(self, fault: Fault) -> None:
        log.info("%3d. %s", self.inflicted.total() + 1, fault.__name__.replace("_", " "))
        self.inflicted[fault.__name__] += 1
        fault(self._scene)

    def _tell(self, found: dict[str, Any]) -> None:
        log.info(
            "     balanced: %d read = %d events + %d duplicates + %d dead letters; %d windows",
            *(found["read"], found["indexed"], found["duplicates"], sum(found["dead"].values()), found["windows"]),
        )

    def settle(self) -> None:
        """End everything that sends, and compare to the record. Raises AssertionError."""
        self._traffic.stop()
        new, acked = self._pipeline.stand_still()
        old, stored = self._before, self._traffic.stored(self._pipeline.elastic)
        log.info("all faults: %s", dict(self.inflicted))
        log.info("sent by the producer %d, by the tests %d", acked - self._acked_before, self._traffic.records)
        log.info("at the beginning: %s", old)
        log.info("at the end:       %s", new)
        assert new.fault() == ""
        # What was sent twice, by intent or when a connection broke, is told by its id and counted once.
        events = acked - self._acked_before + len(self._traffic.events) + self._traffic.others
        # of all topics: a fault may have recreated the topic
        assert new.stored - old.stored == events
        assert stored.ids == Counter(self._traffic.events.keys())
        assert stored.windows == self._traffic.windows()
        assert stored.dead == self._traffic.dead
        found = self._pipeline.audit()
        assert found["balanced"] and found["not_read_yet"] == 0, found


def imbalance(found: dict[str, Any]) -> tuple[int, ...]:
    """Return what an audit misses or has too much, which stays the same while records flow and no harm is done."""
    kinds = ("indexed", "duplicates", "ignored", "unrecognised")
    became = sum(found[name] for name in kinds) + sum(found["dead"].values())
    return (
        found["offsets"] - found["read"] - found["skipped"],
        found["read"] - became,
        found["indexed"] - found["too_old"] - found["events_stored"],
        sum(found["dead"].values()) - found["dead_stored"],
        found["unrecognised_kept"] - found["unrecognised_stored"],
        len(found["faults"]),
    )


@contextmanager
def breaking(
    pipeline: Pipeline, traffic: Traffic, kafka: Options, seed: int, outage: tuple[float, float]
) -> Iterator[Breakage]:
    """Give a Breakage; then have all services run, whatever has become of them."""
    try:
        yield Breakage(pipeline, traffic, kafka, seed, outage)
    finally:
        pipeline.systemctl("start", *UNITS)
        pipeline.systemctl("reset-failed", *UNITS)  # the restarts after the kills are no longer of interest
