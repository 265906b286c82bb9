# SPDX-License-Identifier: Apache-2.0
"""login-consumer status: what is in Elasticsearch, how far the consumer is, and what Kafka holds beyond that."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from login_common.elastic import Client
from login_common.text import printable
from login_formats import DATASETS, Reason

from login_consumer.dead_letters import ANY, IS_UNRECOGNISED, newest
from login_consumer.documents import DEAD_LETTERS, EVENTS, METRICS, PIPELINE
from login_consumer.hops import HopFailed
from login_consumer.kafka_side import diagnose, topic_state
from login_consumer.left_out import as_lines
from login_consumer.progress import last_progress
from login_consumer.settings import Kafka

_RATE_MINUTES = 5
_MOST_DATASETS = 20
KNOWN_DATASETS = [*DATASETS, "rba.login"]  # those of ecs, and of the formats that are no ecs


def stored(client: Client, topic: str) -> dict[str, Any]:
    """Return totals by kind of document, and the last batch with its `age_seconds` (None before the first).

    Indices that the client leaves out are not counted. Raises the client's own errors.
    """
    events = client.search(
        index=f"{EVENTS}-*", size=0, track_total_hits=True, aggs={"newest": {"max": {"field": "@timestamp"}}}
    )
    windows = client.search(
        index=f"{METRICS}-*", size=0, track_total_hits=True, aggs={"logins": {"sum": {"field": "count"}}}
    )
    letters = newest(client, ANY, 0)
    dead = {reason: count for reason, count in letters.reasons.items() if reason != Reason.UNRECOGNISED}
    last_day = {"range": {"@timestamp": {"gte": "now-24h"}}}
    dead_last_day = {"bool": {"filter": [last_day], "must_not": [IS_UNRECOGNISED]}}
    unrecognised = client.search(
        index=f"{PIPELINE}-*", query=last_day, size=0, aggs={"records": {"sum": {"field": "unrecognised"}}}
    )
    datasets = client.search(
        index=f"{EVENTS}-*",
        query={"bool": {"filter": [last_day], "must_not": [{"terms": {"event.dataset": KNOWN_DATASETS}}]}},
        size=0,
        aggs={"names": {"terms": {"field": "event.dataset", "size": _MOST_DATASETS}}},
    )
    recently = client.search(
        index=f"{PIPELINE}-*",
        query={"range": {"@timestamp": {"gte": f"now-{_RATE_MINUTES}m"}}},
        size=0,
        aggs={"read": {"sum": {"field": "read"}}},
    )
    progress = last_progress(client, topic)
    return {
        "events": events["hits"]["total"]["value"],
        "newest_event": events.get("aggregations", {}).get("newest", {}).get("value_as_string"),
        "windows": windows["hits"]["total"]["value"],
        "windows_sum": int(_sum(windows, "logins")),
        "dead_letters": sum(dead.values()),
        "dead_letters_by_reason": dead,
        "dead_letters_last_day": client.number_of(f"{DEAD_LETTERS}-*", dead_last_day),
        "unrecognised_last_day": int(_sum(unrecognised, "records")),
        "unrecognised_kept": letters.reasons.get(Reason.UNRECOGNISED, 0),
        "unknown_datasets_last_day": {
            bucket["key"]: bucket["doc_count"]
            for bucket in datasets.get("aggregations", {}).get("names", {}).get("buckets", ())
        },
        "read_per_second": round(_sum(recently, "read") / (_RATE_MINUTES * 60), 1),
        "last_batch": progress and progress.fields | {"age_seconds": _age_seconds(progress.fields["@timestamp"])},
    }


def waiting(kafka: Kafka, last_batch: dict[str, Any] | None) -> dict[str, Any]:
    """Return how many records Kafka holds that no batch has read; None, and why, if it does not answer."""
    try:
        state = topic_state(kafka)
    except HopFailed as fault:
        return {"not_read_yet": None, "kafka_fault": diagnose(kafka, str(fault))}
    ours = last_batch is not None and last_batch["topic_id"] == state.topic.id
    done = {each["partition"]: each["next"] for each in last_batch["ranges"]} if last_batch and ours else {}
    begins = {p: max(first, done.get(p, 0)) for p, first in state.first.items()}
    return {"not_read_yet": sum(max(0, end - begins[p]) for p, end in state.ends.items()), "kafka_fault": None}


def _sum(answer: Any, name: str) -> float:
    # without an index there are no aggregations
    return float(answer.get("aggregations", {}).get(name, {}).get("value", 0))


def _age_seconds(moment: str) -> int:
    return round((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def as_text(told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that show `status` to a person."""
    for line in as_lines(told.get("unreadable", {})):
        yield f"NOT READABLE  {line}; left out below"
    yield f"events        {told['events']}, the newest of {told['newest_event'] or 'never'}"
    yield f"windows       {told['windows']}, counting {told['windows_sum']} events"
    reasons = ", ".join(f"{reason} {count}" for reason, count in told["dead_letters_by_reason"].items())
    yield (
        f"dead letters  {told['dead_letters']}, {told['dead_letters_last_day']} in the last 24 hours"
        + (f" ({reasons})" if reasons else "")
    )
    yield (
        f"unrecognised  {told['unrecognised_last_day']} records in the last 24 hours, {told['unrecognised_kept']} kept "
        "in all" + (": login-consumer dead list --reason unrecognised" if told["unrecognised_last_day"] else "")
    )
    if unknown := told["unknown_datasets_last_day"]:
        names = ", ".join(f"{printable(name)} {count}" for name, count in unknown.items())
        yield f"WARNING       events of data sets whose logins are not known, so more may be counted: {names}"
    accounts = [name for name in told.get("unreadable", {}) if name.startswith(f"{PIPELINE}-")]
    at_most = "at most " if accounts and not told["kafka_fault"] else ""
    yield f"not read yet  {at_most}{told['kafka_fault'] or told['not_read_yet']}"
    yield from (f"deviates      {each}" for each in told.get("deviations", ()))
    if waits := told.get("waits_for"):
        yield f"waits for     {waits['service']} since {waits['since']}: {waits['cause']}"
    batch = told["last_batch"]
    if batch is None:
        yield "last batch    none yet"
        return
    yield (
        f"last batch    {batch['batch']}, {batch['age_seconds']} s ago: {batch['read']} read, "
        f"{batch['indexed']} indexed, {batch['duplicates']} duplicates, "
        f"{batch.get('unrecognised', 0)} unrecognised, {batch['dead']} dead"
    )
    yield (
        f"speed         {batch['records_per_second']} records/s in that batch, {told['read_per_second']} over "
        f"{_RATE_MINUTES} minutes"
    )
