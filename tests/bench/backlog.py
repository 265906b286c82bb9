# SPDX-License-Identifier: Apache-2.0
"""The same backlog taken by the consumer, by what people would use instead, and by the least that has to be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plan import Plan
from rig import DOCUMENTS, EVENTS, WINDOWS, Rig
from rounds import LeftOut, Run, compete

# Spark ends Python workers that had nothing to do for a minute, as happens while others have their turn.
WARM_UP_RECORDS = 5000
# Each has a JVM of its own; the others of Spark share one, which is warm from each of them.
ALONE = ("consumer", "connector")
SPARK_3 = "/opt/login-bench-spark/current"


@dataclass(frozen=True)
class Contestant:
    """One that takes the backlog: by which function of host/, in which process."""

    title: str
    call: str = ""
    process: str = "spark"
    windows: bool = True
    """Whether it counts as well."""
    account: str = ""
    topic: str = ""
    share: int = 1
    """It takes this part of the records, since all would take too long."""


CONTESTANTS = {
    "consumer": Contestant("this pipeline's consumer, exact"),
    "unchecked": Contestant("the same without guarantees", "peers.unchecked:backlog", windows=False),
    "stateful": Contestant("two stateful Spark queries", "peers.stateful:backlog"),
    "streaming_bulk": Contestant("streaming_bulk from Spark", "peers.bulk_helpers:streaming"),
    "parallel_bulk": Contestant("parallel_bulk from Spark", "peers.bulk_helpers:parallel"),
    "connector": Contestant("elasticsearch-spark connector", "peers.connector:backlog", "spark35"),
    # makes topics for its state, which the consumer's account may not
    "quix": Contestant("quix-streams", "peers.quix:backlog", "python", account="admin", share=20),
    "plain_loop": Contestant("plain consumer loop", "peers.plain_loop:backlog", "python"),
    "pass_through": Contestant(
        "limit: prepared documents through Spark",
        "peers.limit:pass_through",
        windows=False,
        account="admin",
        topic=DOCUMENTS,
    ),
    "elasticsearch": Contestant("limit: Elasticsearch alone", "peers.limit:elasticsearch", "python", windows=False),
}
PARSERS = {"read": "read alone", "strict": "the consumer's", "loads": "orjson", "from_json": "Spark's from_json"}


def measure(rig: Rig, plan: Plan, names: list[str]) -> dict[str, Any]:
    """Return the summary of each contestant of these names."""

    def before(number: int) -> None:
        if number:
            return
        rig.fill(plan.records)
        if {"pass_through", "elasticsearch"} & set(names):
            rig.remote("python").ask("peers.limit:prepare", **rig.job("admin", documents=DOCUMENTS))

    cold = dict.fromkeys(ALONE, plan.warm_up)

    def run(name: str) -> Run:
        for _ in range(cold.pop(name, 0)):
            once(name, warm_up=True)
        return once(name)

    def once(name: str, warm_up: bool = False) -> Run:
        if name != "consumer":
            return _run(rig, CONTESTANTS[name])
        if rig.taken:
            rig.warm_consumer(WARM_UP_RECORDS, new_month=not warm_up)
        return rig.consumer()

    # the consumer's turn puts a new backlog in; one that it has not taken would keep it halted for too long
    if "consumer" not in names:
        names = ["consumer", *names]
    return compete(names, plan.rounds, before, run)


def _run(rig: Rig, one: Contestant) -> Run:
    rig.breathe()
    job = rig.job(one.account, one.topic)
    if one.topic:
        job["end"] = rig.ends(one.topic)
        job["start"] = dict.fromkeys(job["end"], 0)
    if one.share > 1:
        job["start"] = {key: end - (end - job["start"][key]) // one.share for key, end in job["end"].items()}
    records = sum(job["end"].values()) - sum(job["start"].values())
    remote = rig.remote(one.process, SPARK_3) if one.process == "spark35" else rig.remote(one.process)
    if one.process != "python":
        few = WARM_UP_RECORDS // len(job["end"])
        first = {key: min(end, job["start"][key] + few) for key, end in job["end"].items()}
        rig.make_indices()
        remote.ask(one.call, **job | {"end": first})
    rig.make_indices()
    run = rig.measured(remote, records, lambda: remote.ask(one.call, **job))
    _check(rig, one, records)
    return run


def _check(rig: Rig, one: Contestant, records: int) -> None:
    """See that the work was done: a contestant that leaves something out is no measure."""
    rig.elastic.indices.refresh(index=[EVENTS, WINDOWS])
    found = rig.elastic.count(index=EVENTS)["count"]
    if found != records:
        raise LeftOut(f"{found} events of {records} records")
    if one.windows:
        counted = rig.ledger.sum_of(WINDOWS, "count")
        if counted != records:
            raise LeftOut(f"{counted} counted of {records} records")


def parsers(rig: Rig, plan: Plan) -> dict[str, Any]:
    """Return the summary of each parser, on the last backlog."""
    remote, job = rig.remote("spark"), rig.job()
    records = sum(rig.end.values()) - sum(rig.start.values())

    def run(name: str) -> Run:
        return rig.measured(remote, records, lambda: remote.ask(f"peers.parsers:{name}", **job))

    return compete(list(PARSERS), plan.parser_rounds, lambda _: None, run)
