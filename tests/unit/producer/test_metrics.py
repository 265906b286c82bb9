# SPDX-License-Identifier: Apache-2.0
"""What Prometheus is told of a producer."""

from collections import Counter

from login_producer.counters import Counters
from login_producer.metrics import metrics


def test_counters_become_samples_of_the_service() -> None:
    counters = Counters(generated=7, sent=6, acked=4, resent=1, failed=Counter(too_large=1), untrusted=2)
    lines = metrics("login-producer-files", counters, 2, False, {"type": "file", "lag_bytes": 5}).splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert told == {
        'login_producer_events_read_total{service="login-producer-files"}': "7",
        'login_producer_events_sent_total{service="login-producer-files"}': "6",
        'login_producer_events_acknowledged_total{service="login-producer-files"}': "4",
        'login_producer_events_resent_total{service="login-producer-files"}': "1",
        'login_producer_entries_untrusted_total{service="login-producer-files"}': "2",
        'login_producer_events_failed_total{service="login-producer-files",reason="too_large"}': "1",
        'login_producer_events_failed_total{service="login-producer-files",reason="delivery_failed"}': "0",
        'login_producer_events_failed_total{service="login-producer-files",reason="interrupted"}': "0",
        'login_producer_events_unacknowledged{service="login-producer-files"}': "2",
        'login_producer_kafka_reachable{service="login-producer-files"}': "0",
        'login_producer_source_lag_bytes{service="login-producer-files"}': "5",
    }
    assert "_lag_bytes" not in metrics("login-producer", counters, 0, True, {"type": "synthetic"})
