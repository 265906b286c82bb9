# SPDX-License-Identifier: Apache-2.0
"""The peers write the very documents that the consumer writes: another would be cheaper or dearer to store."""

from __future__ import annotations

from itertools import islice
from types import SimpleNamespace
from typing import Any

import documents
import orjson
import pytest
from login_consumer.documents import Origin, Topic, WindowKey, count_windows, event_document, metric_id, metric_source
from login_formats import PLAIN, Limits, read
from login_formats.wrapper import Arrival
from login_producer.sources.synthetic import live_events

NOW = 1_764_180_000_000
TOPIC = Topic("login-events", "A" * 22)
JOB: Any = SimpleNamespace(kafka=SimpleNamespace(topic=TOPIC.name), topic_id=TOPIC.id)


@pytest.mark.parametrize("late", [True, False])
def test_events(late: bool) -> None:
    for offset, event in enumerate(islice(live_events(1, 2000, lambda: NOW - 1000), 500)):
        parsed = read(event.value, Arrival(NOW, PLAIN), Limits.of(), "native")
        ours = event_document(parsed, Origin(TOPIC, 3, offset, NOW), "month", late, NOW)
        told = orjson.loads(event.value)
        assert orjson.loads(ours.source) == documents.as_document(told, JOB, 3, offset, documents.iso(NOW), late)
        assert count_windows([parsed], documents.MINUTE_MS) == {documents.key_of(told): 1}


def test_counts() -> None:
    key = documents.Key(NOW // documents.MINUTE_MS * documents.MINUTE_MS, "DE", "Firefox", "success")
    assert documents.window_id(key) == metric_id(WindowKey(*key))
    ours = metric_source(WindowKey(*key), 7, documents.MINUTE_MS, "lineage", 1)
    # what only an exact consumer needs
    del ours["lineage"], ours["last_batch"]
    assert documents.window_source(key, 7) == ours
