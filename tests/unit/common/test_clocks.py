# SPDX-License-Identifier: Apache-2.0
"""Nothing waits until a time of the clock, which may be set back by a day: each place that reads it says what for."""

from __future__ import annotations

import ast
from pathlib import Path

SRC = Path(__file__).parents[3] / "src"
READS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
# What the time is read for where nothing waits by it
ALLOWED = {
    "login_consumer/afresh.py": "when an account was written",
    "login_consumer/audit.py": "which windows are old enough to be compared",
    "login_consumer/batch.py": "when a batch was written",
    "login_consumer/check.py": "a document's time",
    "login_consumer/checkpoint.py": "a name",
    "login_consumer/cli.py": "what is old enough to go, and how old a backup is",
    "login_consumer/dead_replay.py": "when a letter was sent",
    "login_consumer/erase.py": "when a user was erased",
    "login_consumer/metrics.py": "when a batch was written",
    "login_consumer/outage.py": "since when a service is away, shown",
    "login_consumer/promise.py": "which indices come next",
    "login_consumer/run.py": "what Kafka holds by the time of a record",
    "login_consumer/status.py": "how old a batch is",
    "login_consumer/verify.py": "when a backup was read",
    "login_consumer/worker.py": "when a record was taken in",
    "login_producer/check.py": "when a record was taken in",
    "login_producer/delivery.py": "since when Kafka is away, shown",
    "login_producer/pacing.py": "how many logins that hour of the day has",
    "login_producer/sources/content.py": "how old a change of a file is",
    "login_producer/sources/journal.py": "from where on the journal is read",
    "login_producer/sources/synthetic.py": "an event's time",
    "login_producer/sources/watch.py": "how old a file is",
    "login_producer/status.py": "when the status was written",
    "login_report/cli.py": "which logins are reported",
}


def _reads(path: Path) -> bool:
    called = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    named = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute))
    return any(ast.unparse(node) in READS for node in [*called, *named])


def test_each_place_that_reads_the_clock_says_what_for() -> None:
    found = {str(path.relative_to(SRC)).split("/src/")[1] for path in SRC.rglob("*.py") if _reads(path)}
    assert found == set(ALLOWED)
