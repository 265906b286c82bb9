# SPDX-License-Identifier: Apache-2.0
"""Sends each hostile kind of records to a deployed pipeline; tells what memory it takes and what becomes of the rest.

Only for a host made for it, such as the demo's: what sends is stopped, and the topic gets gigabytes once unpacked.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import paths
from account import Account, Ledger
from deployment import Deployment, Tunnel, elasticsearch_client, kafka_options
from hostile_kinds import KINDS, Found, Kind, login, table
from kafka import KafkaProducer
from kafka.errors import KafkaError
from pipeline import SENDERS, UNITS, Pipeline
from starts import starts
from testinfra.host import Host

CONSUMER = "login-consumer"
HONEST_RATE = 10
"""Ordinary logins a second beside the hostile records."""
_IN_FLIGHT = 8
_ACK_S = 120
_MOST_WAIT_S = 1800
_SAMPLE_S = 1.0
# Proportional shares, in kB, of each process of the unit, by its program; then the unit's highest charge, in bytes
_LOOK = """cd /sys/fs/cgroup{group} && for pid in $(cat cgroup.procs); do
  echo "$(cat /proc/$pid/comm) $(sed -n 's/^Pss: *\\([0-9]*\\) kB/\\1/p' /proc/$pid/smaps_rollup)"
done 2>/dev/null; echo "peak $(cat memory.peak)" """


def main() -> None:
    names = [kind.name for kind in KINDS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inventory", type=Path, default=paths.ROOT / "inventory/demo")
    parser.add_argument("--seconds", type=float, default=120, help="of each kind")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="KIND", help=str(names))
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        deployment = Deployment.of(told.inventory.absolute(), Path(folder, "report.json"))
    with ExitStack() as cleaning:
        tunnel = Tunnel(deployment)
        tunnel.open()
        cleaning.callback(tunnel.close)
        login_ = ("elastic", deployment.secrets["elastic_password"])
        elastic = elasticsearch_client(deployment, tunnel, basic_auth=login_)
        ledger = Ledger(elastic, deployment.topic, kafka_options(deployment, tunnel, "consumer"))
        pipeline = Pipeline(deployment, deployment.host(), elastic, ledger)
        cleaning.callback(pipeline.systemctl, "start", *UNITS)
        pipeline.systemctl("stop", *SENDERS)
        options = kafka_options(deployment, tunnel, "producer")
        found = []
        for kind in (each for each in KINDS if each.name in told.only):
            print(f"\n==> {kind.name}: {kind.text}", flush=True)
            found.append(_measure(pipeline, options, kind, told.seconds))
            print(table(found[-1:]), flush=True)
            if found[-1].rest_seconds is None:
                break  # what comes now would only wait behind it
    paths.RESULTS.mkdir(parents=True, exist_ok=True)
    (paths.RESULTS / "hostile.json").write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    print(f"\n{table(found)}\n\nall numbers: {paths.RESULTS / 'hostile.json'}")
    if failed := [each.failed for each in found if each.failed]:
        sys.exit(f"bench: {'; '.join(failed)}")


def _measure(pipeline: Pipeline, options: dict[str, Any], kind: Kind, seconds: float) -> Found:
    """Send one kind for so long, then wait until all is read."""
    pipeline.systemctl("restart", CONSUMER)  # the unit's highest charge begins again
    pipeline.start_consumer()
    before = pipeline.ledger.settled()
    started = starts(pipeline.host)[f"{CONSUMER}.service"]
    with _watched(pipeline.host, pipeline.property(CONSUMER, "ControlGroup")) as memory:
        sent, refused, honest = _send(options, pipeline.deployment.topic, kind, seconds)
        ended = time.monotonic()
        rest: float | None = None
        after, fault = before, ""
        try:
            pipeline.ledger.wait_for(pipeline.ledger.ends(), _MOST_WAIT_S)
            rest = time.monotonic() - ended
            after = pipeline.ledger.settled()
            fault = after.fault()
        except AssertionError as error:  # how waiting ends
            fault = str(error).splitlines()[0]
    restarts = starts(pipeline.host)[f"{CONSUMER}.service"] - started
    became = _became(before, after)
    accounted = sum(became.values())
    peaks = (memory["java"], memory["python"], memory["peak"])
    return Found(kind.name, kind.text, sent, refused, honest, *peaks, restarts, rest, accounted, became, fault)


def _became(before: Account, after: Account) -> dict[str, int]:
    names = ("events", "duplicates", "ignored", "unrecognised", "dead")
    return {name: getattr(after, name) - getattr(before, name) for name in names}


def _send(options: dict[str, Any], topic: str, kind: Kind, seconds: float) -> tuple[int, int, int]:
    """Return how many hostile records Kafka took and how many it refused, and how many ordinary logins it took."""
    marker = uuid.uuid4().hex[:12]
    limits = {"max_request_size": 1 << 30, "request_timeout_ms": _ACK_S * 1000}
    hostile = KafkaProducer(**options, acks="all", compression_type="gzip", linger_ms=0, **limits)
    ordinary = KafkaProducer(**options, acks="all")
    waiting: deque[Any] = deque()
    honest: list[Any] = []
    taken = refused = number = 0

    def answered() -> None:
        nonlocal taken, refused
        try:
            waiting.popleft().get(timeout=_ACK_S)
            taken += 1
        except KafkaError as error:
            refused += 1
            print(f"Kafka takes one not: {error}", flush=True)

    began = time.monotonic()
    try:
        while (passed := time.monotonic() - began) < seconds:
            while len(honest) < passed * HONEST_RATE:
                honest.append(ordinary.send(topic, login(f"{marker}-honest-{len(honest)}")))
            if (kind.most and number == kind.most) or number > passed * kind.rate:
                time.sleep(0.01)  # its rate is reached
                continue
            value = kind.value(f"{marker}-{number}", number)
            waiting.append(hostile.send(topic, value, headers=kind.headers or []))
            number += 1
            if len(waiting) >= _IN_FLIGHT * max(1, round(kind.rate / 10)):
                answered()
        while waiting:
            answered()
        for each in honest:
            each.get(timeout=_ACK_S)
    finally:
        hostile.close()
        ordinary.close()
    return taken, refused, len(honest)


@contextmanager
def _watched(host: Host, group: str) -> Iterator[dict[str, float]]:
    """Give the highest megabytes of Java, of Python and of the whole unit, which grow until the block ends."""
    highest = dict.fromkeys(("java", "python", "peak"), 0.0)
    over = threading.Event()

    def look() -> None:
        while not over.wait(_SAMPLE_S):
            now = dict.fromkeys(highest, 0.0)
            for line in host.run(_LOOK.format(group=group)).stdout.splitlines():  # the unit may just be restarting
                name, _, size = line.partition(" ")
                if size.isdigit():
                    name = "python" if name.startswith(("python", "login-consumer")) else name
                    now[name] = now.get(name, 0.0) + int(size) * (1 if name == "peak" else 1024) / 1e6
            for name in highest:
                highest[name] = max(highest[name], now[name])

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield highest
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    main()
