# SPDX-License-Identifier: Apache-2.0
"""Events sent and acknowledged, by the pipeline's producer and by others, into a topic of the benchmark's own."""

from __future__ import annotations

from typing import Any

from plan import Plan
from rig import SENT, Rig
from rounds import LeftOut, Run, compete

SENDERS = {
    "own": ("this pipeline's producer", "senders.own:send", 1),
    "own_two": ("this pipeline's producer, two processes", "senders.own:send", 2),
    "kafka_python": ("kafka-python as documented", "senders.kafka_python:send", 1),
    "confluent": ("confluent-kafka", "senders.confluent:send", 1),
    "perf_test": ("kafka-producer-perf-test, values read from a file", "senders.perf_test:send", 1),
}


def measure(rig: Rig, plan: Plan) -> dict[str, Any]:
    """Return the summary of each sender."""
    remote = rig.remote("python")

    def run(name: str) -> Run:
        _, call, processes = SENDERS[name]
        before = sum(rig.ends(SENT).values())
        job = rig.job("admin", SENT, records=plan.producer_records, processes=processes)
        done = rig.measured(remote, plan.producer_records, lambda: remote.ask(call, **job))
        sent = sum(rig.ends(SENT).values()) - before
        if sent != plan.producer_records:
            raise LeftOut(f"{sent} of {plan.producer_records} records are in Kafka")
        return done

    rig.pause()  # even an idle consumer asks Kafka again and again
    try:
        return compete(list(SENDERS), plan.producer_rounds, lambda _: None, run)
    finally:
        rig.resume()
