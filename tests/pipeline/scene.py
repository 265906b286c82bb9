# SPDX-License-Identifier: Apache-2.0
"""What the faults have in common: the pipeline that they break, and chance."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from account import NOT_YET
from elasticsearch import Elasticsearch
from pipeline import Pipeline
from traffic import Traffic
from waiting import wait_until


@dataclass(frozen=True)
class Scene:
    """A pipeline to break, and by what chance. What was broken before may still be on its way up."""

    pipeline: Pipeline
    traffic: Traffic
    kafka: Callable[[str], dict[str, Any]]
    """Options of a Kafka client by the user's name."""
    random: random.Random
    outage: tuple[float, float]
    """Seconds that something stays broken, least and most."""

    def away(self) -> None:
        """Let the time of an outage pass: short ones are the most frequent."""
        least, most = self.outage
        time.sleep(least + (most - least) * self.random.random() ** 3)

    def kill(self, unit: str, name: str) -> None:
        """Kill one process of a unit whose command line holds `name`."""

        def killed() -> bool:
            found = [pid for pid, command in self.pipeline.processes(unit).items() if name in command]
            # it may end by itself before, as idle workers do
            return bool(found) and self.pipeline.host.run("kill -9 %s", str(self.random.choice(found))).rc == 0

        wait_until(killed, f"a process {name} of {unit} is killed", 120)

    def elastic(self) -> Elasticsearch:
        """Return the client once Elasticsearch answers for all its indices."""
        client = self.pipeline.elastic
        wait_until(
            lambda: not client.cluster.health(wait_for_status="yellow", timeout="5s")["timed_out"],
            "Elasticsearch answers",
            180,
            ignoring=NOT_YET,
        )
        return client

    @contextmanager
    def without_restart(self) -> Iterator[None]:
        """Break something that a consumer that writes must outlive: it says that Elasticsearch is back."""
        pipeline = self.pipeline
        pipeline.start_consumer()
        pipeline.ledger.wait_for_flow()
        since, process = pipeline.clock(), pipeline.property("login-consumer", "MainPID")
        yield
        pipeline.wait_for_log("login-consumer", since, "Elasticsearch works again")
        assert pipeline.property("login-consumer", "MainPID") == process, "the consumer was restarted"
