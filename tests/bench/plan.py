# SPDX-License-Identifier: Apache-2.0
"""How much is measured, and what is wanted: the one place of all numbers that are not measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes of one run of the benchmark. Times in seconds."""

    rounds: int
    """0: the warm-up alone, whose numbers are then told."""
    records: int
    """Of one backlog; each contestant takes it once in a round."""
    warm_up: int
    """Backlogs that a JVM of a single contestant takes before: as many as the JVM that others share takes of theirs."""
    latency: tuple[tuple[int, float], ...]
    """Rates in events a second, each with how long it is held."""
    latency_warm_up: float
    """How much of that passes before the first mark counts."""
    producer_rounds: int
    producer_records: int
    parser_rounds: int
    """0: left out."""
    idle: float
    quiet: bool = True
    """Whether its numbers are worth keeping."""


FULL = Plan(
    rounds=5,
    records=200_000,
    warm_up=4,
    latency=((1000, 60), (10_000, 60)),
    latency_warm_up=30,
    producer_rounds=5,
    producer_records=200_000,
    parser_rounds=3,
    idle=60,
)
QUICK = Plan(
    rounds=0,
    records=40_000,
    warm_up=0,
    latency=((1000, 10),),
    latency_warm_up=3,
    producer_rounds=0,
    producer_records=60_000,
    parser_rounds=0,
    idle=5,
    quiet=False,
)


@dataclass(frozen=True)
class Target:
    """A number that is wanted: at least, or `at_most`. `number` is a path in the results, its parts with dots between.

    With `over` it is what that many times smaller a number stands there.
    """

    text: str
    number: str
    wanted: float
    over: str = ""
    at_most: bool = False
    unit: str = ""


def _ratio(text: str, over: str, wanted: float) -> Target:
    return Target(text, "backlog.consumer.rate", wanted, f"backlog.{over}.rate", unit="x")


TARGETS = (
    _ratio("consumer / elasticsearch-spark connector", "connector", 1.5),
    _ratio("consumer / streaming_bulk", "streaming_bulk", 1.8),
    _ratio("consumer / parallel_bulk", "parallel_bulk", 1.8),
    _ratio("consumer / quix-streams", "quix", 3),
    _ratio("consumer / two stateful queries", "stateful", 2.5),
    _ratio("consumer / limit: prepared documents through Spark", "pass_through", 0.8),
    _ratio("consumer / limit: Elasticsearch alone", "elasticsearch", 0.8),
    _ratio("consumer / itself without guarantees", "unchecked", 0.75),
    *(
        Target(f"{kind} at 1,000/s, {name}", f"latency.consumer.1000.{kind}.{name}", most, at_most=True, unit=" ms")
        for kind in ("events", "windows")
        for name, most in (("p50", 250), ("p99", 600))
    ),
    *(
        Target(f"{kind} at 10,000/s, p99", f"latency.consumer.10000.{kind}.p99", 2000, at_most=True, unit=" ms")
        for kind in ("events", "windows")
    ),
    Target("producer, one process", "producer.own.rate", 60_000, unit=" events/s"),
    Target("producer, two processes", "producer.own_two.rate", 120_000, unit=" events/s"),
    *(
        Target(f"{unit}, nothing to do", f"rest.idle.{unit}", 5, at_most=True, unit=" % of a core")
        for unit in ("kafka", "elasticsearch", "login-consumer")
    ),
    Target("memory of all at rest, without Kibana", "rest.memory.all", 3000, at_most=True, unit=" MB"),
    Target("growth of memory in an hour", "endurance.growth", 30, at_most=True, unit=" MB"),
    Target("bare host to first event", "deploy.first_event", 180, at_most=True, unit=" s"),
    Target("second run of the playbook", "deploy.second_run", 30, at_most=True, unit=" s"),
)
