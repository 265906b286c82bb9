# SPDX-License-Identifier: Apache-2.0
"""login-consumer status: what is in Elasticsearch, and how far the consumer is."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from login_common.elastic import Client

from login_consumer.dead_letters import ANY, newest
from login_consumer.documents import EVENTS, METRICS
from login_consumer.progress import last_progress


def status(client: Client, topic: str) -> dict[str, Any]:
    """Return totals by kind of document, and the last batch with its `age_seconds` (None before the first).

    Raises the client's own errors.
    """
    windows = client.search(
        index=f"{METRICS}-*", size=0, track_total_hits=True, aggs={"logins": {"sum": {"field": "count"}}}
    )
    letters = newest(client, ANY, 0)
    progress = last_progress(client, topic)
    return {
        "events": client.number_of(f"{EVENTS}-*", {"match_all": {}}),
        "windows": windows["hits"]["total"]["value"],
        "windows_sum": int(windows.get("aggregations", {}).get("logins", {}).get("value", 0)),
        "dead_letters": letters.total,
        "dead_letters_by_reason": letters.reasons,
        "last_batch": progress and progress.fields | {"age_seconds": _age_seconds(progress.fields["@timestamp"])},
    }


def _age_seconds(moment: str) -> int:
    return round((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def as_text(told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that show `status` to a person."""
    yield f"events        {told['events']}"
    yield f"windows       {told['windows']}, counting {told['windows_sum']} events"
    reasons = ", ".join(f"{reason} {count}" for reason, count in told["dead_letters_by_reason"].items())
    yield f"dead letters  {told['dead_letters']}" + (f" ({reasons})" if reasons else "")
    batch = told["last_batch"]
    if batch is None:
        yield "last batch    none yet"
        return
    yield (
        f"last batch    {batch['batch']}, {batch['age_seconds']} s ago: {batch['read']} read, "
        f"{batch['indexed']} indexed, {batch['duplicates']} duplicates, {batch['dead']} dead"
    )
    yield f"speed         {batch['records_per_second']} records/s, lag {batch.get('lag', 'not known yet')}"
