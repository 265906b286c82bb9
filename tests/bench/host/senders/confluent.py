# SPDX-License-Identifier: Apache-2.0
"""confluent-kafka, around librdkafka in C, tuned as the pipeline's own producer."""

from __future__ import annotations

from itertools import islice

from job import Job
from login_producer.sources.synthetic import live_events
from logins import producer


def send(job: Job) -> None:
    """Send `records` made-up logins."""
    client = producer(job)
    for event in islice(live_events(1, 500), job.more["records"]):
        client.send(job.kafka.topic, event.value, event.key)
    client.close()
