# SPDX-License-Identifier: Apache-2.0
"""What a job on the host is about: which records, into which indices, as whom. All peers get the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from login_common.elastic import Client, connect
from login_consumer.settings import Elasticsearch, Kafka, load_settings
from pydantic import SecretStr

STATE_DIR = Path("/var/lib/login-bench")
THREADS = 2
"""Requests to Elasticsearch at once in one worker: as many as the consumer has."""


@dataclass(frozen=True)
class Job:
    """Addresses and TLS are those of the deployed consumer's own settings."""

    kafka: Kafka
    elasticsearch: Elasticsearch
    topic_id: str = ""
    start: dict[int, int] = field(default_factory=dict)
    """The first offset of each partition."""
    end: dict[int, int] = field(default_factory=dict)
    """The offset after the last."""
    events: str = ""
    """The index of the events."""
    windows: str = ""
    """The index of the counts."""
    more: dict[str, Any] = field(default_factory=dict)
    """What one kind of job alone wants."""

    @classmethod
    def of(cls, told: dict[str, Any]) -> Job:
        settings = load_settings(None)
        account: dict[str, Any] = {"topic": told["topic"], "max_offsets_per_trigger": told.get("batch", 200_000)}
        if "password" in told:  # else the consumer's own account
            account |= {"password": SecretStr(told["password"]), "password_file": None, "username": told["username"]}
        offsets = {name: {int(key): at for key, at in told.get(name, {}).items()} for name in ("start", "end")}
        key = {"api_key": SecretStr(told["api_key"]), "api_key_file": None}
        return cls(
            settings.kafka.model_copy(update=account),
            settings.elasticsearch.model_copy(update=key),
            told.get("topic_id", ""),
            **offsets,
            events=told.get("events", ""),
            windows=told.get("windows", ""),
            more=told.get("more", {}),
        )

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(self.end[partition] - start for partition, start in self.start.items())

    def client(self) -> Client:
        """Return a client for Elasticsearch, one for a process."""
        return _client(self.elasticsearch)

    def refresh(self) -> None:
        """Make what was written searchable."""
        self.client().indices.refresh(index=f"{self.events},{self.windows}" if self.windows else self.events)

    def librdkafka(self) -> dict[str, Any]:
        """Return the options of any client that is made of librdkafka."""
        return {
            "bootstrap.servers": ",".join(self.kafka.bootstrap_servers),
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.kafka.username,
            "sasl.password": self.kafka.secret(),
            "ssl.ca.location": str(self.kafka.ca_file),
        }


@lru_cache(maxsize=2)
def _client(settings: Elasticsearch) -> Client:
    return connect(settings)
