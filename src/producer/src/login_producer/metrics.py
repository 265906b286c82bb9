# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told of a producer."""

from collections.abc import Mapping
from typing import Any

from login_common.exposition import Family, Kind, Sample, exposition

from login_producer.counters import FAILURES, Counters


def metrics(service: str, counters: Counters, unacknowledged: int, reachable: bool, source: Mapping[str, Any]) -> str:
    """Return the text. `source` is what the source says of itself."""

    def one(name: str, kind: Kind, meaning: str, value: float) -> Family:
        return Family(f"login_producer_{name}", kind, meaning, [Sample(value, {"service": service})])

    failed = dict.fromkeys(FAILURES, 0) | counters.failed
    families = [
        one("events_read_total", "counter", "Events taken from the source.", counters.generated),
        one("events_sent_total", "counter", "Events that the Kafka client has taken, each once.", counters.sent),
        one("events_acknowledged_total", "counter", "Events that all in-sync replicas have.", counters.acked),
        one("events_resent_total", "counter", "Further attempts for events not acknowledged.", counters.resent),
        one("entries_untrusted_total", "counter", "Journal entries of false programs.", counters.untrusted),
        Family(
            "login_producer_events_failed_total",
            "counter",
            "Events given up. Sources that go on where they were send all but those too large again.",
            [Sample(number, {"service": service, "reason": reason}) for reason, number in failed.items()],
        ),
        one("events_unacknowledged", "gauge", "Events on their way to Kafka.", unacknowledged),
        one("kafka_reachable", "gauge", "1 if Kafka answers, else 0.", int(reachable)),
    ]
    if "lag_bytes" in source:
        families.append(one("source_lag_bytes", "gauge", "What files hold and was not read.", source["lag_bytes"]))
    return exposition(families)
