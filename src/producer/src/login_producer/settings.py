# SPDX-License-Identifier: Apache-2.0
"""All settings of the producer, with their defaults; see login_common.settings.load for the file format."""

from pathlib import Path
from typing import Annotated, Literal

from login_common.settings import KafkaSettings
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

ENV_PREFIX = "LOGIN_PRODUCER_"
DEFAULT_PATH = Path("/etc/login-producer/producer.toml")

_STRICT = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(BaseModel):
    """Where events come from."""

    model_config = _STRICT

    type: Literal["synthetic"] = "synthetic"
    # live: events of now, until stopped. seed: a fixed set spread over the past year, then the end.
    profile: Literal["live", "seed"] = "live"
    seed: int = 1
    users: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    rate: Annotated[float | None, Field(ge=0)] = None
    """Events a second, 0 for as many as possible; by default 10 for live and 0 for seed."""
    total: Annotated[int | None, Field(ge=1)] = None
    """Stop after so many events; by default never for live and 2,000 for seed."""
    daily_curve: bool = True
    """Live only: more events in the day than in the night, with `rate` as the mean of a day."""
    anchor: AwareDatetime | None = None
    """Seed only: the end of the year that the events are spread over; by default today, 00:00 UTC."""

    @property
    def events_per_second(self) -> float:
        """The rate in force, in events a second; 0 is as many as possible."""
        if self.rate is not None:
            return self.rate
        return 10.0 if self.profile == "live" else 0.0

    @property
    def limit(self) -> int | None:
        """The number of events in force; None is without end."""
        if self.total is not None or self.profile == "live":
            return self.total
        return 2_000


class DeliverySettings(BaseModel):
    """How events are handed to Kafka."""

    model_config = _STRICT

    linger_ms: Annotated[int, Field(ge=0, le=60_000)] = 20
    batch_size: Annotated[int, Field(ge=1, le=16 * 1024 * 1024)] = 256 * 1024
    """Bytes of one batch of one partition."""
    timeout_s: Annotated[float, Field(ge=31)] = 120.0
    """After this the client gives an event back, and it is sent anew. Longer than a request's 30 s."""
    max_in_flight_events: Annotated[int, Field(ge=1)] = 20_000
    """The bound on memory (about 2 KB an event): kafka-python 3 has none of its own."""
    stop_timeout_s: Annotated[float, Field(ge=0)] = 20.0
    """How long a stop waits for acknowledgements; keep it below TimeoutStopSec of the unit."""


class ProducerSettings(BaseModel):
    """The whole settings file of the producer."""

    model_config = _STRICT

    kafka: KafkaSettings
    source: SourceSettings = SourceSettings()
    delivery: DeliverySettings = DeliverySettings()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    status_file: Path = Path("/run/login-producer/status.json")
    state_file: Path = Path("/var/lib/login-producer/counters.json")
