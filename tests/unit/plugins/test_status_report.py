# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a pipeline, by the answers of its hosts; with real hosts: tests/pipeline/test_status.py."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from status_report import DAY_S, Limits, screen, wrong

NOW = 1_790_000_000.0
LIMITS = Limits(
    min_certificate_days=14,
    min_ca_days=90,
    min_api_key_days=14,
    min_disk_percent=10,
    max_lag_seconds=300,
    max_dead_letters=1000,
    max_unrecognised=1000,
    max_backup_hours=36,
    max_verified_days=40,
)


def unit(name: str, **other: Any) -> dict[str, Any]:
    well = {"there": True, "state": "active", "enabled": True, "result": "success", "job": False, "version": "1-a"}
    return {"name": name, "since": NOW - 9000, "memory_mb": 661, **well, **other}


WELL: dict[str, Any] = {
    "units": [
        unit("login-consumer"),
        unit("login-backup.timer"),
        unit("login-report", job=True, state="inactive", enabled=False),
    ],
    "backups": {
        "fault": "",
        "age_seconds": 36 * 3600,
        "last_good": {"name": "login-20260920t021320z", "state": "SUCCESS"},
        "backups": [{"state": "SUCCESS"}, {"state": "FAILED"}],
        "verified": {"at": "2026-09-01T04:30:00.000Z", "snapshot": "login-1", "damaged": {}, "shared_with": []},
    },
    "doors": [{"name": "kafka", "port": 9092, "fault": "", "certificate_ends": NOW + 14 * DAY_S}],
    "ca_ends": [NOW + 90 * DAY_S, NOW + 3000 * DAY_S],
    "disks": [
        {"folder": "/opt", "device": 1, "free_mb": 10_240, "total_mb": 102_400, "free_files_percent": 10},
        {"folder": "/var/lib", "device": 1, "free_mb": 10_240, "total_mb": 102_400, "free_files_percent": 10},
        {"folder": "/var/lib/kafka", "device": 2, "free_mb": 2048, "total_mb": 20_480, "free_files_percent": 100},
    ],
    "producers": [
        {
            "name": "login-producer",
            "fault": "",
            "updated": "2026-09-21T14:13:20Z",
            "unreachable_since": None,
            "last_error": "",
            "unacknowledged": 2,
            "rate": {"acked": 20.1},
            "counters": {"acked": 27451},
        }
    ],
    "elasticsearch": {
        "fault": "",
        "status": "green",
        "number_of_nodes": 1,
        "unassigned_shards": 0,
        "indices": {},
        "api_keys": {"login-consumer": NOW + 14 * DAY_S, "login-report": NOW + 300 * DAY_S},
    },
    "consumer": {
        "fault": "",
        "kafka_fault": None,
        "events": 27456,
        "newest_event": "2026-09-21T14:13:19.900Z",
        "read_per_second": 19.9,
        "not_read_yet": 4,
        "last_batch": {"age_seconds": 1, "lag_seconds": 0.2},
        "dead_letters": 1200,
        "dead_letters_last_day": 1000,
        "unrecognised_last_day": 1000,
        "unknown_datasets_last_day": {"odd.log": 3},
    },
}


def host(change: Callable[[Any], Any]) -> dict[str, Any]:
    changed = copy.deepcopy(WELL)
    change(changed)
    return changed


def key_ends(ends: float | None) -> Callable[[Any], Any]:
    return lambda told: told["elasticsearch"]["api_keys"].update({"login-consumer": ends})


def test_all_is_well() -> None:
    assert wrong({"a": WELL}, LIMITS, NOW) == []
    told = screen({"a": WELL}, [], NOW)
    assert "1 of 1 hosts answer" in told and told.endswith("all is well")
    assert "a     login-consumer      active    2026-09-21 11:43:20  661 MB  1-a" in told
    assert "/opt, /var/lib  10.0 GB, 10 %" in told
    assert "kafka 14 days, CA 90 days, CA 3000 days (a)" in told
    assert "login-consumer 14 days, login-report 300 days (a)" in told
    assert "19.9 records/s, last batch 1 s ago, not read yet 4 (a)" in told
    assert "1000 in the last 24 hours, 1200 in all (a)" in told
    assert "1000 records in the last 24 hours (a)" in told
    assert "odd.log: more than logins may be counted" in told
    assert "1 good, the newest login-20260920t021320z, 36 h 0 min ago (a)" in told


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h: h["units"][0].update(there=False), "login-consumer is not there: run site.yml"),
        (lambda h: h["units"][0].update(state="failed"), "login-consumer is failed, not active: systemctl start"),
        (lambda h: h["units"][0].update(enabled=False), "login-consumer would not start at boot"),
        (lambda h: h["units"][2].update(result="exit-code"), "the last run of login-report has failed (exit-code)"),
        (lambda h: h["doors"][0].update(fault="refused"), "kafka does not answer on port 9092 (refused)"),
        (lambda h: h["doors"][0].update(certificate_ends=NOW + DAY_S), "the certificate of kafka ends in 1 days"),
        (lambda h: h.update(ca_ends=[NOW + 89 * DAY_S]), "the CA certificate ends in 89 days: put a new CA"),
        (lambda h: h.update(ca_ends=[]), "the CA certificate cannot be read"),
        (
            lambda h: h["disks"][0].update(free_mb=10_239),
            "the disk of /opt, /var/lib is nearly full, 10239 of 102400 MB free, 9 %: free space there",
        ),
        (
            lambda h: h["disks"][2].update(free_mb=0),
            "the disk of /var/lib/kafka is full, 0 of 20480 MB free, 0 %: free space there",
        ),
        (lambda h: h["disks"][2].update(free_mb=0, total_mb=0), "the disk of /var/lib/kafka is full, 0 of 0 MB"),
        (lambda h: h["disks"][2].update(free_files_percent=9), "the disk of /var/lib/kafka has 9 % of its inodes free"),
        (lambda h: h["producers"][0].update(updated="2026-09-21T14:12:19Z"), "has not told its status for 61 s"),
        (lambda h: h["producers"][0].update(unreachable_since="then"), "brings nothing to Kafka since then"),
        (lambda h: h["producers"][0].update(fault="no JSON"), "the status of login-producer cannot be read: no JSON"),
        (
            lambda h: h["elasticsearch"]["indices"].update({"login-events-2026.08": "red"}),
            "Elasticsearch has no copy of a shard of login-events-2026.08 (red): GET",
        ),
        (
            lambda h: h["elasticsearch"]["indices"].update({f"login-events-2026.0{n}": "yellow" for n in range(1, 8)}),
            "lacks copies of login-events-2026.01, login-events-2026.02, login-events-2026.03, login-events-2026.04, "
            "login-events-2026.05 and 2 more (yellow)",
        ),
        (lambda h: h["elasticsearch"]["indices"].update({".security-7": "red"}), "a shard of .security-7 (red)"),
        (key_ends(NOW + 13 * DAY_S), "the API key login-consumer ends in 13 days: run site.yml, which renews it"),
        (key_ends(NOW - 1), "the API key login-consumer has ended: run site.yml"),
        (key_ends(0), "the API key login-consumer is not there: run site.yml"),
        (key_ends(None), "the API key login-consumer never ends: run site.yml"),
        (lambda h: h["elasticsearch"].update(fault="401"), "Elasticsearch gives no health: 401"),
        (lambda h: h["consumer"].update(fault="no answer"), "login-consumer status fails: no answer"),
        (lambda h: h["consumer"].update(kafka_fault="refused"), "the consumer's way to Kafka: refused"),
        (
            lambda h: h["consumer"].update(deviations=["Kafka: the topic's settings: cleanup.policy is compact"]),
            "Kafka: the topic's settings: cleanup.policy is compact",
        ),
        (
            lambda h: h["consumer"].update(waits_for={"service": "Elasticsearch", "since": "then", "cause": "refused"}),
            "the consumer waits for Elasticsearch since then: refused",
        ),
        (lambda h: h["consumer"].pop("kafka_fault"), "login-consumer is older than this playbook"),
        (
            lambda h: h["consumer"].update(unreadable={"a": "red: x", "login-events-2026.01": "closed: open it"}),
            "index login-events-2026.01 cannot be read, it is closed: open it",
        ),
        (lambda h: h["consumer"]["last_batch"].update(age_seconds=301), "4 records wait in Kafka, and no batch was"),
        (lambda h: h["consumer"].update(last_batch=None), "no batch was written for 9000 s"),
        (lambda h: h["consumer"]["last_batch"].update(lag_seconds=301), "the consumer is 301 s behind"),
        (lambda h: h["consumer"].update(dead_letters_last_day=1001), "1001 records were refused"),
        (
            lambda h: h["consumer"].update(unrecognised_last_day=1001),
            "1001 records of the last 24 hours are of no known",
        ),
        (lambda h: h["backups"].update(age_seconds=37 * 3600), "the newest good backup is 37 hours old: journalctl"),
        (
            lambda h: (
                h["backups"].update(age_seconds=None, last_good=None),
                h["units"][1].update(since=NOW - 2 * DAY_S),
            ),
            "there is no good backup",
        ),
        (lambda h: h["backups"].update(fault="401"), "login-consumer backups fails: 401"),
        (
            lambda h: h["backups"]["verified"].update(damaged={"login-events-2026.01": "x"}, shared_with=["b", "c"]),
            "the backup login-1 is damaged: login-events-2026.01 cannot be read; so may be b, c. login-consumer",
        ),
        (
            lambda h: h["backups"]["verified"].update(at="2026-08-01T04:30:00.000Z"),
            "no backup was read whole since 2026-08-01T04:30:00.000Z: systemctl start login-backup-verify",
        ),
        (
            lambda h: (h["backups"].update(verified=None), h["units"][1].update(since=NOW - 41 * DAY_S)),
            "no backup was ever read whole: systemctl start",
        ),
    ],
)
def test_what_is_wrong_is_named_alone(change: Callable[[Any], Any], reason: str) -> None:
    bad = host(change)
    (told,) = wrong({"a": bad, "b": WELL}, LIMITS, NOW)
    assert told.startswith("a: ") and reason in told
    assert screen({"a": bad, "b": WELL}, [told], NOW).endswith(f"WRONG\n  {told}")


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["consumer"].update(not_read_yet=0, last_batch=None),  # nobody sends
        lambda h: h["consumer"].update(not_read_yet=0, last_batch={"age_seconds": 9999, "lag_seconds": 9999}),
        lambda h: (h["units"][0].update(since=NOW - 5), h["consumer"].update(last_batch=None)),  # it has just begun
        lambda h: h["backups"].update(age_seconds=None, last_good=None),  # the first one is still to come
        lambda h: h.update(backups=None),
    ],
)
def test_what_only_looks_wrong(change: Callable[[Any], Any]) -> None:
    assert wrong({"a": host(change)}, LIMITS, NOW) == []


def test_a_host_without_an_answer_is_told_beside_the_others() -> None:
    hosts = {"a": {"fault": "cannot be reached: no route"}, "b": WELL}
    reasons = wrong(hosts, LIMITS, NOW)
    assert reasons == ["a: cannot be reached: no route"]
    told = screen(hosts, reasons, NOW)
    assert "1 of 2 hosts answer" in told and "login-consumer" in told


def test_indices_of_others_are_named_and_not_judged() -> None:
    alerts = {".internal.alerts-security.alerts-default-000001": "yellow"}
    changed = {"a": host(lambda h: h["elasticsearch"].update(status="yellow", unassigned_shards=1, indices=alerts))}
    assert wrong(changed, LIMITS, NOW) == []
    told = screen(changed, [], NOW)
    assert "yellow, nodes 1 (a)" in told
    assert "not ours" in told
    assert ".internal.alerts-security.alerts-default-000001 lack copies" in told
    assert "auto_expand_replicas" in told
