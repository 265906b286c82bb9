# SPDX-License-Identifier: Apache-2.0
"""What senders do to a pipeline: records that are made to harm, and files as odd programs and rotations leave them."""

from __future__ import annotations

import secrets
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from account import NOT_YET
from pipeline import Pipeline
from scene import Scene
from traffic import Record
from waiting import wait_until

FILES = "login-producer@files"
FOLLOWED = "/var/log/login-app"
SECONDS = 120
BOMB_BYTES = 100_000_000
"""In gzip about a thousandth of it, so Kafka takes it."""
_TIMED = b'{"user_id":"hostile","outcome":"success","timestamp":'


def small_hostile_records() -> dict[str, Record]:
    """Return records that are no events, by what is odd; none is larger than the consumer reads."""
    return {
        "tombstone": Record(None),
        "nothing": Record(b""),
        "NULs": Record(bytes(10_000)),
        "no UTF-8": Record(b"\xff\xfe" + bytes(range(256))),
        "a record that is cut off": Record(_TIMED),
        "deep arrays": Record(b"[" * 500_000),
        "deep arrays that end": Record(b"[" * 100_000 + b"]" * 100_000),
        "deep objects": Record(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        "a number of many digits": Record(_TIMED + b"9" * 100_000 + b"}"),
        "a number of a large exponent": Record(_TIMED + b"1e999999999}"),
        "many fields": Record(b"{" + b",".join(b'"k%d":0' % number for number in range(50_000)) + b"}"),
        "many equal fields": Record(b"{" + b",".join([b'"user_id":"u"'] * 50_000) + b"}"),
        "many headers": Record(b"{}", tuple(("header", b"x") for _ in range(1000))),
    }


def large_hostile_records() -> dict[str, Record]:
    """Return records above what the consumer reads."""
    return {
        "a bomb": Record(bytes(BOMB_BYTES)),
        "more than 1 MiB": Record(_TIMED + b"1," + b" " * 1_100_000 + b"}"),
        "a large header": Record(b"{}", (("header", bytes(100_000)),)),
    }


def hostile_records(scene: Scene) -> None:
    """Each becomes a dead letter, and the consumer goes on as it was."""
    pipeline, ledger = scene.pipeline, scene.pipeline.ledger
    elastic = scene.elastic()
    pipeline.start_consumer()
    ledger.wait_for_flow()
    process = pipeline.property("login-consumer", "MainPID")
    records = small_hostile_records() | large_hostile_records()
    names = list(records)
    scene.random.shuffle(names)
    places = scene.traffic.send([records[name] for name in names])
    ends: dict[int, int] = {}
    for place in places:
        ends[place.partition] = max(ends.get(place.partition, 0), place.offset + 1)
    ledger.wait_for(ends)
    elastic.indices.refresh(index="login-*")
    ids = {
        f"{ledger.topic_id()}-{place.partition}-{place.offset}": name for place, name in zip(places, names, strict=True)
    }
    query = {"ids": {"values": list(ids)}}
    hits = elastic.search(index="login-dead-letters-*", query=query, size=len(ids), source_includes=["reason"])
    found = {ids[hit["_id"]]: hit["_source"]["reason"] for hit in hits["hits"]["hits"]}
    assert found.keys() == records.keys(), f"no dead letters of {records.keys() - found.keys()}"
    assert {found[name] for name in large_hostile_records()} == {"too_large"}, found
    assert pipeline.property("login-consumer", "MainPID") == process, "the consumer was started again"


def odd_files(scene: Scene) -> None:
    """Each line of files with odd names, rewritten ones and such with NULs is stored once."""
    pipeline, run = scene.pipeline, secrets.token_hex(4)
    scene.elastic()
    pipeline.start_consumer()
    pipeline.systemctl("start", FILES)
    pipeline.ledger.wait_for_flow()
    written = 0
    pipeline.host.check_output(f"mkdir -p {FOLLOWED}")
    try:
        for step in odd_steps(FOLLOWED, run):
            pipeline.host.check_output("python3 -c %s", step.program)
            written += step.lines
            wait_until(
                lambda expected=written: sum(_stored(pipeline, run).values()) >= expected,
                f"{step.what}: {written} lines are stored",
                SECONDS,
                ignoring=NOT_YET,
            )
    finally:
        pipeline.host.check_output(f"LC_ALL=C find {FOLLOWED} -name '*{run}*' -delete")
    assert _stored(pipeline, run) == Counter({f"{run}-{number}": 1 for number in range(written)})
    scene.traffic.others += written


class Step:
    """What a program does to the files of one folder, and how many lines it writes."""

    def __init__(self, what: str, lines: int, program: str) -> None:
        self.what, self.lines, self.program = what, lines, textwrap.dedent(program)


def odd_steps(folder: str, run: str) -> Iterator[Step]:
    """Yield steps; each waits for the lines of the one before. All names and users hold `run`."""
    numbers = iter(range(1000))

    def lines(count: int) -> str:
        """Return Python that makes so many lines of one length."""
        wanted = [next(numbers) for _ in range(count)]
        return (
            f'"".join(\'{{"user_id":"{run}-%d","timestamp":"%s","outcome":"success"}}\\n\' % (number, moment) '
            f"for number in {wanted})"
        )

    begin = f"""
        import os, time
        from datetime import UTC, datetime
        from pathlib import Path
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        folder = Path({folder!r})
    """

    def step(what: str, count: int, program: str) -> Step:
        text = lines(count)
        return Step(what, count, textwrap.dedent(begin) + f"text = {text}\n" + textwrap.dedent(program))

    yield step("a name with a line feed", 3, f'(folder / "a\\n{run}.log").write_text(text)')
    yield step("a name that is no UTF-8", 2, f'open(bytes(folder) + b"/\\xff{run}.log", "w").write(text)')
    yield step("a file", 1, f'(folder / "same-{run}.log").write_text(text)')
    # the numbers 5 and 6 have as many digits
    yield step("rewritten to the same size", 1, f'(folder / "same-{run}.log").write_text(text)')
    program = f"""
        first, second = text.splitlines(keepends=True)
        with (folder / "cut-{run}.log").open("w") as log:
            log.write(first)
            log.flush()
            time.sleep(5)  # read by then
            os.truncate(log.fileno(), 0)
            log.write(second)  # behind NULs, where the writer stood
    """
    yield step("a log that was cut off under a writer that goes on where it was", 2, program)


def _stored(pipeline: Pipeline, run: str) -> Counter[str]:
    """Return how often each line is stored."""
    pipeline.elastic.indices.refresh(index="login-events-*")
    query: dict[str, Any] = {"prefix": {"user.id": f"{run}-"}}
    hits: Sequence[Any] = pipeline.elastic.search(index="login-events-*", query=query, size=1000)["hits"]["hits"]
    return Counter(hit["_source"]["user"]["id"] for hit in hits)
