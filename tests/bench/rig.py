# SPDX-License-Identifier: Apache-2.0
"""The deployed host made ready for measuring: nothing sends, the consumer waits, peers have indices of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import paths  # noqa: F401  (first: the next ones are found by it)
from account import Ledger
from deployment import Deployment, Tunnel, elasticsearch_client, kafka_options
from kafka import KafkaAdminClient
from pipeline import SENDERS, UNITS, Pipeline
from remote import Remote
from rounds import Run
from waiting import wait_until

EVENTS, WINDOWS = "bench-events", "bench-windows"  # not login-*, which audits read
DOCUMENTS, SENT = "login-bench-documents", "login-bench-sent"
"""Topics: documents made beforehand, and what the producers send."""
CONSUMER = "login-consumer"
SERVICES = ("kafka", "elasticsearch", CONSUMER)
_TICKS = 100  # of /proc/stat in a second, on every Linux
_WARM_UP_RECORDS = 100_000
_HOUR_MS = 3_600_000
_NEW_MONTHS = 7
"""Those that the backlogs of a whole run take: the warm-up's two, one for each round."""


@dataclass(frozen=True)
class Sample:
    """CPU seconds so far by unit, and of the whole machine, at a moment of the host's clock."""

    moment: float
    units: dict[str, float]
    machine: float

    def until(self, later: Sample, records: int, seconds: float = 0) -> Run:
        """Return what passed between two samples; `seconds` if the work itself is known to have taken less."""
        cpu = {unit: later.units[unit] - self.units[unit] for unit in self.units}
        assert min(cpu.values()) >= 0, f"a service was started anew while it was measured: {cpu}"
        passed = later.moment - self.moment
        others = max(0.0, later.machine - self.machine - sum(cpu.values())) / passed
        return Run(records, seconds or passed, {unit: used for unit, used in cpu.items() if used}, others)


class Rig:
    """All that the measurements do to the host."""

    def __init__(self, deployment: Deployment, tunnel: Tunnel, cleaning: ExitStack) -> None:
        self._deployment, self._tunnel, self._cleaning = deployment, tunnel, cleaning
        password = deployment.secrets["elastic_password"]
        self.elastic = elasticsearch_client(deployment, tunnel, basic_auth=("elastic", password))
        self.ledger = Ledger(self.elastic, deployment.topic, kafka_options(deployment, tunnel, "consumer"))
        self.pipeline = Pipeline(deployment, deployment.host(), self.elastic, self.ledger)
        self.topic_id = self.ledger.topic_id()
        self._remotes: dict[str, Remote] = {}
        self._months = self._empty_months()
        self.start: dict[int, int] = {}
        self.end: dict[int, int] = {}
        self.taken = False
        """Whether the consumer has taken the backlog."""

    def set_up(self) -> None:
        """Let nothing send, and the consumer have taken all."""
        # The last comes first, and each comes whatever has become of the others. The records stay: they are ordinary.
        for undo in (self._drop_key, self.drop_topics, self._drop_indices, self._drop_files, self._start, self._close):
            self._cleaning.callback(undo)
        self.pipeline.systemctl("stop", *SENDERS)
        self.pipeline.start_consumer()
        self.ledger.settled()
        rights = [
            {"names": ["bench-*"], "privileges": ["all"]},
            {"names": ["login-*"], "privileges": ["read"]},
        ]
        role = {"bench": {"cluster": ["monitor"], "indices": rights}}
        told = self.elastic.security.create_api_key(name="bench", role_descriptors=role, expiration="1d")
        self._api_key = told["encoded"]

    def _close(self) -> None:
        for remote in self._remotes.values():
            remote.close()

    def _start(self) -> None:
        self.resume()
        self.pipeline.systemctl("start", *UNITS)

    def _drop_files(self) -> None:
        self.pipeline.host.check_output("rm -rf /var/lib/login-bench /var/lib/login-consumer/spark/login-bench-*")

    def _drop_key(self) -> None:
        self.elastic.security.invalidate_api_key(name="bench")

    def pause(self) -> None:
        """Halt the consumer as it is, warm, so that a backlog can be made and others can run."""
        self.pipeline.systemctl("kill --signal=STOP", CONSUMER)

    def resume(self) -> float:
        """Let it go on; return when, by the host's clock."""
        return float(self.pipeline.host.check_output(f"date +%s.%N; systemctl kill --signal=CONT {CONSUMER}"))

    def breathe(self) -> None:
        """Let the consumer run for a moment if nothing is to be taken: halted for two minutes, Spark's JVM ends."""
        if self.taken:
            self.resume()
            time.sleep(1)  # the moment
            self.pause()

    def sample(self, *more: str) -> Sample:
        """Return the CPU time of the services, and of `more` units."""
        units = [*SERVICES, *more]
        told = self.pipeline.host.check_output(
            f"systemctl show --value --property=CPUUsageNSec {' '.join(units)}; head -1 /proc/stat; date +%s.%N"
        ).split("\n")
        *used, machine, moment = [line for line in told if line]
        busy = [int(ticks) for ticks in machine.split()[1:9]]
        idle = busy[3] + busy[4]
        seconds = {unit: int(nanoseconds) / 1e9 for unit, nanoseconds in zip(units, used, strict=True)}
        return Sample(float(moment), seconds, (sum(busy) - idle) / _TICKS)

    def remote(self, name: str, spark_home: str = "/opt/spark/current") -> Remote:
        """Return a process on the host, begun at first use, and anew if it has ended."""
        if name in self._remotes and not self._remotes[name].alive:
            self._remotes.pop(name).close()
        if name not in self._remotes:
            lines = self.pipeline.host.check_output("cat /usr/local/bin/login-consumer").splitlines()
            exports = next(line for line in lines if line.startswith("export ")).removeprefix("export ").split()
            environment = dict(each.split("=", 1) for each in exports) | {"SPARK_HOME": spark_home}
            self._remotes[name] = Remote(self._deployment, f"login-bench-{name}", environment)
            self._remotes[name].ask("serve:nothing", **self.job())
        return self._remotes[name]

    def job(self, account: str = "", topic: str = "", **more: Any) -> dict[str, Any]:
        """Return what every job is told; `account` is one of the Kafka users, else it is the consumer's."""
        told: dict[str, Any] = {"api_key": self._api_key, "topic": topic or self._deployment.topic, "more": more}
        told |= {"topic_id": self.topic_id, "events": EVENTS, "windows": WINDOWS}
        told |= {"start": self.start, "end": self.end}
        if account:
            told |= {"username": account, "password": self._deployment.secrets[f"kafka_{account}_password"]}
        return told

    def fill(self, records: int, span_ms: int = _HOUR_MS, keys: int = 0, new_month: bool = True) -> None:
        """Put a backlog of logins of one hour into the topic; the consumer is left halted.

        They are of a month without events, so that the consumer's index is as new as those of the peers.
        """
        self.pause()
        self.taken = False
        self.start = self.ledger.ends()
        if new_month:
            self._months = self._months[1:] + self._months[:1]
        moment = round(self._months[0].timestamp() * 1000) + 12 * _HOUR_MS
        job = self.job("producer", moment=moment, span=span_ms, records=records, keys=keys)
        self.remote("python").ask("logins:fill", **job)
        self.end = self.ledger.ends()
        assert sum(self.end.values()) - sum(self.start.values()) == records, "something else sends to the topic"

    def consumer(self) -> Run:
        """Let the consumer take the backlog, as it runs, with its settings as they are deployed."""
        records = sum(self.end.values()) - sum(self.start.values())
        before = self.sample()
        began = self.resume()
        hits = wait_until(lambda: self._batches(began, records), f"the consumer takes {records} records", 600)
        run = before.until(self.sample(), records, _last(hits) - began)
        self.pause()
        self.taken = True
        assert all(hit["read"] == hit["indexed"] for hit in hits), "not all records became events"
        return run

    def warm_consumer(self, records: int, new_month: bool = True) -> None:
        """Let the consumer take all that is there and a few records more, then put in a backlog of the last size."""
        backlog = sum(self.end.values()) - sum(self.start.values())
        self.fill(records, new_month=False)
        self.consumer()
        self.fill(backlog, new_month=new_month)

    def _batches(self, since: float, records: int) -> list[dict[str, Any]]:
        # no refresh, which the consumer would have to pay for
        filters: list[dict[str, Any]] = [
            {"term": {"topic_id": self.topic_id}},
            {"range": {"@timestamp": {"gte": round(since * 1000), "format": "epoch_millis"}}},
            {"range": {"read": {"gt": 0}}},
        ]
        answer = self.elastic.search(index="login-pipeline-*", query={"bool": {"filter": filters}}, size=1000)
        hits = [hit["_source"] for hit in answer["hits"]["hits"]]
        return hits if sum(hit["read"] for hit in hits) == records else []

    def measured(self, remote: Remote, records: int, ask: Callable[[], dict[str, Any]]) -> Run:
        """Return what a job took; `ask` runs it there."""
        before = self.sample(remote.unit)
        answer = ask()
        result = answer["result"] or {}
        seconds = result.get("seconds") or result.get("ended", answer["ended"]) - result.get("began", answer["began"])
        return before.until(self.sample(remote.unit), records, seconds)

    def make_indices(self) -> None:
        """Make the peers' indices anew, with the settings and mappings of the consumer's own."""
        self._drop_indices()
        for index, like in ((EVENTS, "login-events-2026.01"), (WINDOWS, "login-metrics-2026.01")):
            template = self.elastic.indices.simulate_index_template(name=like)["template"]
            self.elastic.indices.create(index=index, settings=template["settings"], mappings=template["mappings"])

    def _drop_indices(self) -> None:
        self.elastic.options(ignore_status=404).indices.delete(index=[EVENTS, WINDOWS])

    def make_topics(self) -> None:
        """Make the benchmark's own topics, with as many partitions as the real one."""
        self.drop_topics()
        admin = self._admin()
        layout = {"num_partitions": len(self.ledger.ends()), "replication_factor": 1}
        admin.create_topics({DOCUMENTS: layout, SENT: layout}, wait_for_metadata=True)
        admin.close()

    def drop_topics(self) -> None:
        """Remove them."""
        admin = self._admin()
        if own := [name for name in admin.list_topics() if name in (DOCUMENTS, SENT)]:
            admin.delete_topics(own)
            wait_until(lambda: not set(own) & set(admin.list_topics()), f"the topics {own} go")
        admin.close()

    def ends(self, topic: str) -> dict[int, int]:
        """Return the end offsets of another topic."""
        return Ledger(self.elastic, topic, kafka_options(self._deployment, self._tunnel, "admin")).ends()

    def _admin(self) -> Any:
        return KafkaAdminClient(**kafka_options(self._deployment, self._tunnel, "admin"))

    def _empty_months(self) -> list[datetime]:
        """Return the first days of the last eleven full months: those with the fewest events first."""
        now, days = datetime.now(UTC), []
        for back in range(1, 12):
            year, month = divmod(now.year * 12 + now.month - 1 - back, 12)
            days.append(datetime(year, month + 1, 1, tzinfo=UTC))
        counts = {
            day: self.elastic.count(index=f"login-events-{day:%Y.%m}*", allow_no_indices=True)["count"] for day in days
        }
        ordered = sorted(days, key=lambda day: counts[day])
        if sum(not counts[day] for day in days) < _NEW_MONTHS:
            print("Few months have no events here, and old indices take more time: numbers to keep need a new host.")
        return ordered[-1:] + ordered[:-1]  # fill() goes one on before it takes the first

    def settle(self) -> None:
        """Start the consumer anew, warm, and let it take all there is.

        Spark's JVM ends by itself some time after it was halted for minutes.
        """
        self.resume()
        self.pipeline.systemctl("restart", CONSUMER)
        self.pipeline.start_consumer()
        self.ledger.settled()  # what others were given meanwhile is no part of the backlog
        self.fill(_WARM_UP_RECORDS)
        self.consumer()
        self.resume()
        self.ledger.settled()


def _last(hits: list[dict[str, Any]]) -> float:
    return max(datetime.fromisoformat(hit["@timestamp"]).timestamp() for hit in hits)


def month_of(moment: float) -> str:
    """Return the end of the names of this moment's indices."""
    return time.strftime("%Y.%m", time.gmtime(moment))
