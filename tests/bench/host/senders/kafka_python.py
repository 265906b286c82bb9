# SPDX-License-Identifier: Apache-2.0
"""kafka-python as its documentation shows it: send and flush, all settings as they come."""

from __future__ import annotations

from itertools import islice

from job import Job
from kafka import KafkaProducer
from login_producer.sources.synthetic import live_events


def send(job: Job) -> None:
    """Send `records` made-up logins."""
    client = KafkaProducer(**job.kafka.client_config())
    for event in islice(live_events(1, 500), job.more["records"]):
        client.send(job.kafka.topic, value=event.value, key=event.key)
    client.flush()
    client.close()
