# SPDX-License-Identifier: Apache-2.0
"""All settings of the producer, with their defaults; see login_common.settings.load for the file format."""

from pathlib import Path
from typing import Annotated, Literal

from login_common import exposition
from login_common.settings import KafkaSettings
from login_common.times import zone
from login_formats import FORMATS
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

ENV_PREFIX = "LOGIN_PRODUCER_"
DEFAULT_PATH = Path("/etc/login-producer/producer.toml")

_STRICT = ConfigDict(extra="forbid", frozen=True)


# All that may tell of a login on Debian. From OpenSSH 9.8 on, sshd-session speaks for the single connection.
IDENTIFIERS = ("sshd", "sshd-session", "sshd-auth", "dropbear", "sudo", "su", "login", "systemd-logind")

Layout = Literal["lines", "csv"]
"""lines: a record a line. csv: a header line with the columns' names, then a record a row."""


def _known_format(name: str) -> str:
    if name not in FORMATS:
        raise ValueError(f"should be one of {', '.join(FORMATS)}")
    return name


def _known_zone(name: str | None) -> str | None:
    if name is not None:
        zone(name)
    return name


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError("should be an absolute path")
    return path


class SyntheticSettings(BaseModel):
    """Events made up here, at a chosen pace."""

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


class _RecordSettings(BaseModel):
    """What sources of records in any format have in common."""

    model_config = _STRICT

    format: Annotated[str, AfterValidator(_known_format)]
    """One of login_formats.FORMATS; the consumer is told, record by record."""
    timezone: Annotated[str | None, AfterValidator(_known_zone)] = None
    """Of times that name no zone, as in Europe/Berlin."""


class JournalSettings(BaseModel):
    """The log of this host, from systemd's journal."""

    model_config = _STRICT

    type: Literal["journal"]
    format: Literal["sshd", "sshd_keys"] = "sshd"
    """sshd_keys: for hosts where sshd takes keys only."""
    identifiers: Annotated[tuple[str, ...], Field(min_length=1)] = IDENTIFIERS
    """The programs (SYSLOG_IDENTIFIER) whose entries are read."""
    since: str = "now"
    """Where the first start begins: "now", "boot", or a time as journalctl takes it, such as "-1 day"."""


class FileSettings(_RecordSettings):
    """Files of records."""

    type: Literal["file"]
    paths: Annotated[tuple[Annotated[str, AfterValidator(_absolute)], ...], Field(min_length=1)]
    """Absolute paths; * ? [] stand for many files, ** for folders at any depth."""
    follow: bool = True
    """Wait for more at the end of a file, and for more files; else read what there is once, and end."""
    layout: Layout = "lines"


class StdinSettings(_RecordSettings):
    """Standard input, up to its end."""

    type: Literal["stdin"]
    layout: Layout = "lines"


def _with_known_type(value: object) -> object:
    if not isinstance(value, dict):
        return value
    type_ = value.get("type", "synthetic")
    if type_ not in SOURCE_TYPES:
        raise ValueError(f"type should be one of {', '.join(SOURCE_TYPES)}")
    return value | {"type": type_}


SOURCE_TYPES = ("synthetic", "journal", "file", "stdin")
SourceSettings = Annotated[
    SyntheticSettings | JournalSettings | FileSettings | StdinSettings,
    Field(discriminator="type"),
    BeforeValidator(_with_known_type),
]
"""Where events come from, by `type`; without one, they are made up."""


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
    source: SourceSettings = SyntheticSettings()
    delivery: DeliverySettings = DeliverySettings()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    status_file: Path = Path("/run/login-producer/status.json")
    state_file: Path = Path("/var/lib/login-producer/counters.json")

    @property
    def positions_file(self) -> Path:
        """Where the source notes how far it is; each type of source has its own."""
        return self.state_file.with_suffix(f".{self.source.type}.json")

    @property
    def metrics_file(self) -> Path:
        """What Prometheus is told, beside the status."""
        return self.status_file.with_name(exposition.FILE)

    @property
    def service(self) -> str:
        """The unit's name, which the folder of its status is named after; that of an instance has no @."""
        return self.status_file.parent.name
