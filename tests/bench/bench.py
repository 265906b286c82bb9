# SPDX-License-Identifier: Apache-2.0
"""Measures a deployed pipeline beside what people would use instead. See docs/performance.md.

Only for a host made for it, such as the demo's: what sends is stopped, and the topic gets millions of made-up logins.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import backlog
import curves
import latency
import machine
import paths
import producers
import rest
from deployment import Deployment, Tunnel
from plan import FULL, QUICK, Plan
from playbook import run_playbook
from rig import Rig
from rounds import LeftOut

import report

SECTIONS = ("backlog", "parsers", "latency", "producer", "rest")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inventory", type=Path, default=paths.ROOT / "inventory/demo")
    parser.add_argument("--quick", action="store_true", help="sized for 3 minutes: no numbers to keep")
    parser.add_argument("--curves", action="store_true", help="only how the cost of an event grows with their number")
    parser.add_argument("--hour", action="store_true", help="only what memory is taken in an hour at a steady rate")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION", help=str(SECTIONS))
    parser.add_argument("--peers", nargs="+", choices=backlog.CONTESTANTS, default=list(backlog.CONTESTANTS))
    told = parser.parse_args()
    plan = QUICK if told.quick else FULL
    name = "curves" if told.curves else "hour" if told.hour else "quick" if told.quick else "results"
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment.of(told.inventory.absolute(), Path(folder, "report.json"))
    prepared = run_playbook(paths.ROOT / "tests/bench/prepare.yml", told.inventory.absolute())
    if prepared.returncode:
        sys.exit(prepared.output)
    began = time.time()
    with ExitStack() as cleaning:
        tunnel = Tunnel(deployment)
        tunnel.open()
        cleaning.callback(tunnel.close)
        rig = Rig(deployment, tunnel, cleaning)
        rig.set_up()
        results: dict[str, Any] = {"machine": machine.describe(rig.pipeline.host), "plan": vars(plan)}
        beside = machine.Beside(rig)
        if told.curves:
            results |= curves.measure(rig)
        elif told.hour:
            results |= rest.endurance(rig)
        else:
            results |= _measure(rig, plan, told.only, told.peers)
        results["machine"]["beside"] = beside.told()
    results["seconds"] = round(time.time() - began)
    paths.RESULTS.mkdir(parents=True, exist_ok=True)
    (paths.RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    report.tell(results)
    print(f"\n{results['seconds']} s; all numbers: {paths.RESULTS / name}.json")
    if failed := report.failures(results):
        sys.exit(f"bench: {', '.join(failed)} failed, so that the comparison is not whole; why is told above")


def _measure(rig: Rig, plan: Plan, sections: list[str], peers: list[str]) -> dict[str, Any]:
    rig.make_topics()
    found: dict[str, Any] = {"failed": {}}
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "backlog": lambda: backlog.measure(rig, plan, peers),
        "parsers": lambda: backlog.parsers(rig, plan) if plan.parser_rounds else {},
        "latency": lambda: latency.measure(rig, plan),
        "producer": lambda: producers.measure(rig, plan),
        "rest": lambda: rest.measure(rig, plan),
    }
    for section, measure in measures.items():
        if section in sections:
            print(f"\n==> {section}", flush=True)
            try:
                found[section] = measure()
            except LeftOut as why:  # the other parts are worth keeping
                found["failed"][section] = str(why)
                print(f"HAS FAILED: {why}", flush=True)
    return found


if __name__ == "__main__":
    main()
