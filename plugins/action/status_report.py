# SPDX-License-Identifier: Apache-2.0
"""Action plugin: what the answers of all hosts are worth. It shows them, and fails if something is wrong.

Arguments: ``found`` (mapping of host to the result of the module host_status), ``limits``, ``format`` (text or json),
``file`` (gets what is shown; empty: none).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

Host = dict[str, Any]
"""The answers of one host, as the module host_status gives them; with `fault` instead if it gave none."""

# The indices that the product's promise depends on: its own, the accounts and keys, what Kibana itself keeps. Others,
# such as those of Kibana's alerts, which want a copy that a single node has no place for, are named and not judged.
OURS = ("login-", ".security-", ".kibana_")
MOST_NAMED = 5
DAY_S = 86_400
STALE_S = 60
# Kafka ends when it can write no more; its files grow by as much.
FULL_MB = 64


class Limits(NamedTuple):
    """From where on something is wrong."""

    min_certificate_days: int
    min_ca_days: int
    min_api_key_days: int
    min_disk_percent: int
    max_lag_seconds: int
    max_dead_letters: int
    max_unrecognised: int
    max_backup_hours: int
    max_verified_days: int


def wrong(hosts: dict[str, Host], limits: Limits, now: float) -> list[str]:
    """Return all that is wrong, each with the next step, empty if all is well."""
    return [f"{name}: {reason}" for name, host in hosts.items() for reason in _of_host(host, limits, now)]


def _of_host(host: Host, limits: Limits, now: float) -> Iterator[str]:
    if "fault" in host:
        yield host["fault"]
        return
    for unit in host["units"]:
        yield from _of_unit(unit)
    for door in host["doors"]:
        if door["fault"]:
            where = f"{door['name']} does not answer on port {door['port']}"
            yield f"{where} ({door['fault']}): journalctl -u {door['name']}"
        elif (days := _days(door["certificate_ends"], now)) < limits.min_certificate_days:
            yield f"the certificate of {door['name']} ends in {days} days: run site.yml, which renews it"
    if not host["ca_ends"]:
        yield "the CA certificate cannot be read: run site.yml"
    elif (days := _days(min(host["ca_ends"]), now)) < limits.min_ca_days:
        yield f"the CA certificate ends in {days} days: put a new CA in its place (docs/certificates.md)"
    for disks in _by_device(host["disks"]):
        yield from _of_disk(disks, limits)
    for producer in host["producers"]:
        yield from _of_producer(producer, now)
    if host["elasticsearch"]:
        yield from _of_elasticsearch(host["elasticsearch"], limits, now)
    if host["consumer"]:
        since = [unit["since"] for unit in host["units"] if unit["name"] == "login-consumer" and unit["since"]]
        yield from _of_consumer(host["consumer"], limits, now - max(since, default=0))
    if host.get("backups"):
        since = [unit["since"] for unit in host["units"] if unit["name"] == "login-backup.timer" and unit["since"]]
        yield from _of_backups(host["backups"], limits, now, now - max(since, default=0))


def _of_unit(unit: dict[str, Any]) -> Iterator[str]:
    name, state = unit["name"], unit["state"]
    if not unit["there"]:
        yield f"{name} is not there: run site.yml"
    elif unit["job"]:
        if unit["result"] != "success":
            yield f"the last run of {name} has failed ({unit['result']}): journalctl -u {name}"
    elif state != "active":
        yield f"{name} is {state}, not active: systemctl start {name}, journalctl -u {name}"
    elif not unit["enabled"]:
        yield f"{name} would not start at boot: systemctl enable {name}"


def _of_disk(disks: list[dict[str, Any]], limits: Limits) -> Iterator[str]:
    disk, folders = disks[0], ", ".join(disk["folder"] for disk in disks)
    if _percent(disk) < limits.min_disk_percent:
        state = "full" if disk["free_mb"] < FULL_MB else "nearly full"
        free = f"{disk['free_mb']} of {disk['total_mb']} MB free, {_percent(disk)} %"
        yield f"the disk of {folders} is {state}, {free}: free space there, or mount a larger volume"
    if disk["free_files_percent"] < limits.min_disk_percent:
        yield f"the disk of {folders} has {disk['free_files_percent']} % of its inodes free: remove files ('df -i')"


def _by_device(disks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for disk in disks:
        found.setdefault(disk["device"], []).append(disk)
    return list(found.values())


def _of_producer(producer: dict[str, Any], now: float) -> Iterator[str]:
    name = producer["name"]
    if producer["fault"]:
        yield f"the status of {name} cannot be read: {producer['fault']}"
        return
    age = now - _epoch(producer["updated"])
    if age > STALE_S:
        yield f"{name} has not told its status for {age:.0f} s: journalctl -u {name}"
    elif producer["unreachable_since"]:
        yield f"{name} brings nothing to Kafka since {producer['unreachable_since']}: {producer['last_error']}"


def _of_elasticsearch(told: dict[str, Any], limits: Limits, now: float) -> Iterator[str]:
    if told["fault"]:
        yield f"Elasticsearch gives no health: {told['fault']}"
        return
    ours = {name: status for name, status in told["indices"].items() if name.startswith(OURS)}
    if red := [name for name, status in ours.items() if status == "red"]:
        yield (
            f"Elasticsearch has no copy of a shard of {_some(red)} (red): GET /_cluster/allocation/explain tells why; "
            "bring its node or disk back, or restore the index (docs/backup.md)"
        )
    if yellow := [name for name, status in ours.items() if status == "yellow"]:
        yield (
            f"Elasticsearch lacks copies of {_some(yellow)} (yellow): GET /_cluster/allocation/explain tells why; is a "
            "node away, or is spark_consumer_number_of_replicas too high?"
        )
    for name, ends in told["api_keys"].items():
        if ends is None:
            yield f"the API key {name} never ends: run site.yml, which puts one that ends in its place"
        elif (days := _days(ends, now)) < limits.min_api_key_days:
            state = f"ends in {days} days" if days >= 0 else "has ended" if ends else "is not there"
            yield f"the API key {name} {state}: run site.yml, which renews it"


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + rest


def _of_consumer(told: dict[str, Any], limits: Limits, runs_since_s: float) -> Iterator[str]:
    if told["fault"]:
        yield f"login-consumer status fails: {told['fault']}"
        return
    if "kafka_fault" not in told:
        yield "login-consumer is older than this playbook and tells less: run site.yml"
        return
    if told["kafka_fault"]:
        yield f"the consumer's way to Kafka: {told['kafka_fault']}"
    # red ones are named by Elasticsearch's own health
    hidden = {name: why for name, why in told.get("unreadable", {}).items() if not why.startswith("red")}
    yield from (f"index {name} cannot be read, it is {why}" for name, why in hidden.items())
    yield from told.get("deviations", ())
    if waits := told.get("waits_for"):
        yield f"the consumer waits for {waits['service']} since {waits['since']}: {waits['cause']}"
    batch, waiting = told["last_batch"], told["not_read_yet"]
    idle = min(batch["age_seconds"] if batch else runs_since_s, runs_since_s)
    if waiting and idle > limits.max_lag_seconds:
        yield f"{waiting} records wait in Kafka, and no batch was written for {idle:.0f} s: login-consumer check"
    elif waiting and batch and (behind := batch.get("lag_seconds", 0)) > limits.max_lag_seconds:
        yield f"the consumer is {behind:.0f} s behind, with {waiting} records to go: login-consumer status"
    if told["dead_letters_last_day"] > limits.max_dead_letters:
        yield f"{told['dead_letters_last_day']} records were refused in the last 24 hours: login-consumer dead list"
    # a consumer of before an update tells nothing of it
    if (strange := told.get("unrecognised_last_day", 0)) > limits.max_unrecognised:
        yield (
            f"{strange} records of the last 24 hours are of no known kind, logins may be among them: "
            "login-consumer dead list --reason unrecognised"
        )


def _of_backups(told: dict[str, Any], limits: Limits, now: float, set_up_for_s: float) -> Iterator[str]:
    if told["fault"]:
        yield f"login-consumer backups fails: {told['fault']}"
        return
    age, good = told["age_seconds"], told["last_good"]
    if (set_up_for_s if age is None else age) > limits.max_backup_hours * 3600:
        what = f"the newest good backup is {age // 3600} hours old" if good else "there is no good backup"
        yield f"{what}: journalctl -u login-backup, login-consumer backup"
    if "verified" not in told:  # by a consumer of before an update
        return
    verified = told["verified"]
    if verified and verified["damaged"]:
        sharing = f"; so may be {_some(verified['shared_with'])}" if verified["shared_with"] else ""
        damaged = _some(list(verified["damaged"]))
        yield (
            f"the backup {verified['snapshot']} is damaged: {damaged} cannot be read{sharing}. "
            "login-consumer backups says more; back up into another folder or repository (docs/backup.md)"
        )
    elif good and (now - _epoch(verified["at"]) if verified else set_up_for_s) > limits.max_verified_days * DAY_S:
        what = f"no backup was read whole since {verified['at']}" if verified else "no backup was ever read whole"
        yield f"{what}: systemctl start login-backup-verify, journalctl -u login-backup-verify"


def screen(hosts: dict[str, Host], reasons: list[str], now: float) -> str:
    """Return the screen for people."""
    answering = {name: host for name, host in hosts.items() if "fault" not in host}
    lines = [f"login pipeline, {_text(now)} UTC, {len(answering)} of {len(hosts)} hosts answer", ""]
    lines += [*_table(_unit_rows(answering)), "", *_table(_disk_rows(answering)), ""]
    for name, host in answering.items():
        facts = list(_facts(host, now))
        width = max((len(topic) for topic, _ in facts), default=0)
        lines += [f"{topic:<{width}}  {text} ({name})" for topic, text in facts]
    lines += ["", *(["WRONG", *(f"  {reason}" for reason in reasons)] if reasons else ["all is well"])]
    return "\n".join(lines)


def _unit_rows(hosts: dict[str, Host]) -> list[tuple[str, ...]]:
    rows = [("host", "unit", "state", "since (UTC)", "memory", "version")]
    for name, host in hosts.items():
        for unit in host["units"]:
            state = unit["result"] if unit["job"] and unit["result"] != "success" else unit["state"]
            memory = f"{unit['memory_mb']} MB" if unit["memory_mb"] else ""
            since = _text(unit["since"]) if unit["since"] else ""
            rows.append((name, unit["name"], state if unit["there"] else "not there", since, memory, unit["version"]))
    return rows


def _disk_rows(hosts: dict[str, Host]) -> list[tuple[str, ...]]:
    rows = [("host", "folder", "free")]
    for name, host in hosts.items():
        for disks in _by_device(host["disks"]):
            free = f"{disks[0]['free_mb'] / 1024:.1f} GB, {_percent(disks[0])} %"
            rows.append((name, ", ".join(disk["folder"] for disk in disks), free))
    return rows


def _facts(host: Host, now: float) -> Iterator[tuple[str, str]]:
    if host["elasticsearch"] and not host["elasticsearch"]["fault"]:
        told = host["elasticsearch"]
        yield "Elasticsearch", f"{told['status']}, nodes {told['number_of_nodes']}"
        others = [name for name in told["indices"] if not name.startswith(OURS)]
        if others:
            cure = 'PUT /NAME/_settings {"index.auto_expand_replicas": "0-1"} on a single node'
            yield "not ours", f"{_some(others)} lack copies, which changes nothing for logins; {cure}"
    keys = (host["elasticsearch"] or {}).get("api_keys") or {}
    if lasting := {name: ends for name, ends in keys.items() if ends}:
        yield "API keys", ", ".join(f"{name} {_days(end, now)} days" for name, end in lasting.items())
    ends = {door["name"]: door["certificate_ends"] for door in host["doors"] if door["certificate_ends"]}
    days = [f"{name} {_days(end, now)} days" for name, end in ends.items()]
    days += [f"CA {_days(end, now)} days" for end in host["ca_ends"]]
    if days:
        yield "certificates", ", ".join(days)
    for told in host["producers"]:
        if not told["fault"]:
            rate, counters = told["rate"]["acked"], told["counters"]
            yield told["name"], f"{rate} events/s, {counters['acked']} in all, {told['unacknowledged']} on their way"
    told = host["consumer"]
    if told and "kafka_fault" in told:
        batch = told["last_batch"]
        yield "events", f"{told['events']}, the newest of {told['newest_event'] or 'never'}"
        age = f"{batch['age_seconds']} s ago" if batch else "never"
        waiting = "unknown" if told["not_read_yet"] is None else told["not_read_yet"]
        if unreadable := told.get("unreadable"):
            yield "not counted", _some(list(unreadable))
        yield "consumer", f"{told['read_per_second']} records/s, last batch {age}, not read yet {waiting}"
        yield "dead letters", f"{told['dead_letters_last_day']} in the last 24 hours, {told['dead_letters']} in all"
        yield "unrecognised", f"{told.get('unrecognised_last_day', 0)} records in the last 24 hours"
        if unknown := told.get("unknown_datasets_last_day"):
            yield "unknown data sets", f"{', '.join(unknown)}: more than logins may be counted (docs/formats.md)"
    told = host.get("backups")
    if told and not told["fault"]:
        good, age = told["last_good"], told["age_seconds"]
        newest = f"{good['name']}, {age // 3600} h {age // 60 % 60} min ago" if good else "none yet"
        yield "backups", f"{sum(each['state'] == 'SUCCESS' for each in told['backups'])} good, the newest {newest}"
        if verified := told.get("verified"):
            state = f"{len(verified['damaged'])} indices damaged" if verified["damaged"] else "all can be read"
            yield "verified", f"{verified['snapshot']} at {verified['at']}, {state}"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _percent(disk: dict[str, Any]) -> int:
    return 100 * disk["free_mb"] // max(disk["total_mb"], 1)


def _days(end: float, now: float) -> int:
    return int((end - now) // DAY_S)


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):  # Ansible's signature
        super().run(tmp, task_vars)
        args, now = self._task.args, time.time()
        hosts = {name: self._answers(result) for name, result in args["found"].items()}
        reasons = wrong(hosts, Limits(**{name: int(limit) for name, limit in args["limits"].items()}), now)
        shown = screen(hosts, reasons, now)
        if args["format"] == "json":
            shown = json.dumps({"at": round(now), "ok": not reasons, "wrong": reasons, "hosts": hosts}, indent=1)
        Display().display(shown)
        if args["file"]:
            Path(args["file"]).expanduser().write_text(shown + "\n", encoding="utf-8")
        return {"changed": False, "failed": bool(reasons), "msg": "\n".join(reasons) or "all is well"}

    @staticmethod
    def _answers(result):
        if "status" in result:
            return result["status"]
        state = "cannot be reached" if result.get("unreachable") else "cannot be looked at"
        return {"fault": f"{state}: {' '.join(str(result.get('msg', '')).split())}"}
