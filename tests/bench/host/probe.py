# SPDX-License-Identifier: Apache-2.0
"""From produced to searchable: marked logins are sent at a steady rate, and searched for until they are found.

A mark is a browser that nobody else has, so that it can be found among the events and among the windows.
"""

from __future__ import annotations

import multiprocessing
import time
import uuid
from collections.abc import Iterator
from queue import Empty
from typing import Any

from job import Job
from logins import login, paced, producer

MARKS_A_SECOND = 8
_LOOK_EVERY_S = 0.01
_GIVE_UP_S = 15.0
_BROWSERS = ("Chrome", "Firefox", "Safari", "Edge")


def measure(job: Job) -> dict[str, list[float]]:
    """Send `rate` logins a second for `seconds`; return for `events` and `windows` how long each mark took, in seconds.

    The first `warm_up` seconds do not count. A mark that was not found in time counts with the time that was waited.
    """
    context = multiprocessing.get_context("spawn")  # a process of its own: sending must not wait for searching
    marks: Any = context.Queue()
    sender = context.Process(target=_send, args=(job, marks))
    sender.start()
    try:
        return _look(job, sender, marks)
    finally:
        sender.terminate()
        sender.join()


def _send(job: Job, marks: Any) -> None:
    rate, run = job.more["rate"], f"bench-{uuid.uuid4().hex[:12]}"
    every = max(1, rate // MARKS_A_SECOND)
    # librdkafka's own wait of 5 ms, not the 20 ms of a producer that is after throughput
    client = producer(job, **{"linger.ms": 5})

    def send(number: int, moment: float) -> None:
        marked = number % every == 0
        browser = f"{run}-{number}" if marked else _BROWSERS[number % len(_BROWSERS)]
        client.send(job.kafka.topic, login(number, moment, browser, run), str(number % 500).encode())
        if marked:
            marks.put((browser, moment))

    paced(rate, job.more["seconds"], send)
    client.close()


def _look(job: Job, sender: Any, marks: Any) -> dict[str, list[float]]:
    kinds = {"events": (job.events, "user_agent.name"), "windows": (job.windows, "browser")}
    waiting: dict[str, dict[str, float]] = {kind: {} for kind in kinds}
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    first = last = 0.0
    while True:
        while True:
            try:
                mark, moment = marks.get_nowait()
            except Empty:
                break
            first, last = first or moment, moment
            for kind in kinds:
                waiting[kind][mark] = moment
        for kind, source in _found(job, kinds, waiting):
            sent = waiting[kind].pop(_value(source, kinds[kind][1]), None)
            if sent is not None and sent - first >= job.more["warm_up"]:
                found[kind].append(time.time() - sent)
        sent_all = not sender.is_alive() and marks.empty()
        if sent_all and (not any(waiting.values()) or time.time() - last > _GIVE_UP_S):
            break
        time.sleep(_LOOK_EVERY_S)
    if sender.exitcode:
        raise RuntimeError("the sender of the marks has failed; its error stands above")
    for kind in kinds:
        late = [time.time() - sent for sent in waiting[kind].values() if sent - first >= job.more["warm_up"]]
        found[kind] += late
    return found


def _found(
    job: Job, kinds: dict[str, tuple[str, str]], waiting: dict[str, dict[str, float]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the documents with a mark that is waited for, by kind: all in one request, since looking costs as well."""
    asked = [kind for kind in kinds if waiting[kind]]
    if not asked:
        return
    searches: list[dict[str, Any]] = []
    for kind in asked:
        index, name = kinds[kind]
        query = {"terms": {name: list(waiting[kind])}}
        searches += [{"index": index}, {"query": query, "_source": [name], "size": 1000}]
    for kind, answer in zip(asked, job.client().msearch(searches=searches)["responses"], strict=True):
        if "error" in answer:
            raise RuntimeError(f"the marks among the {kind} cannot be searched for: {answer['error']}")
        for hit in answer["hits"]["hits"]:
            yield kind, hit["_source"]


def _value(source: Any, name: str) -> str:
    for part in name.split("."):
        source = source[part]
    return str(source)
