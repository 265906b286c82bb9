# SPDX-License-Identifier: Apache-2.0
"""From produced to searchable, of events and of windows, while logins come at a steady rate."""

from __future__ import annotations

import time
from typing import Any

from plan import Plan
from rig import Rig, month_of
from rounds import percentiles


def measure(rig: Rig, plan: Plan) -> dict[str, Any]:
    """Return percentiles in milliseconds by who writes, rate and kind."""
    found: dict[str, Any] = {"consumer": {}, "stateful": {}}
    rig.settle()
    for rate, seconds in plan.latency:
        found["consumer"][str(rate)] = _consumer(rig, plan, rate, seconds)
    rate, seconds = plan.latency[0]  # at the others the stateful queries fall behind
    found["stateful"][str(rate)] = _stateful(rig, plan, rate, seconds)
    return found


def _probe(rig: Rig, plan: Plan, rate: int, seconds: float, **indices: str) -> dict[str, Any]:
    job = rig.job("producer", rate=rate, seconds=seconds, warm_up=plan.latency_warm_up) | indices
    took = rig.remote("python").ask("probe:measure", **job)["result"]
    told = {kind: percentiles(took[kind]) for kind in ("events", "windows")}
    for kind, each in told.items():
        print(f"  {kind:<8} p50 {each['p50']:,.0f} ms, p99 {each['p99']:,.0f} ms of {each['count']} marks", flush=True)
    return told


def _consumer(rig: Rig, plan: Plan, rate: int, seconds: float) -> dict[str, Any]:
    print(f"latency of the consumer at {rate:,} events/s", flush=True)
    month = month_of(time.time())
    told = _probe(rig, plan, rate, seconds, events=f"login-events-{month}*", windows=f"login-metrics-{month}")
    rig.ledger.settled()
    return told


def _stateful(rig: Rig, plan: Plan, rate: int, seconds: float) -> dict[str, Any]:
    print(f"latency of two stateful Spark queries at {rate:,} events/s", flush=True)
    rig.pause()
    rig.make_indices()
    remote = rig.remote("spark")
    remote.ask("peers.stateful:follow", **rig.job())
    try:
        told = _probe(rig, plan, rate, seconds)
    finally:
        remote.ask("peers.stateful:stop", **rig.job())
    rig.settle()
    return told
