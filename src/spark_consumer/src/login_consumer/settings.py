# SPDX-License-Identifier: Apache-2.0
"""The consumer's settings: one TOML file, each section a class here."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from login_common import exposition
from login_common.network import host_and_port
from login_common.settings import ElasticsearchSettings, KafkaSettings, SettingsError, load, read_text, settings_file
from login_formats import FORMATS, Locations
from login_formats.event import MAX_AGE_DAYS, MAX_FUTURE_SECONDS
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from login_consumer.documents import DEAD_LETTERS, PIPELINE, Period
from login_consumer.privacy import Protection, Pseudonymised

DEFAULT_FILE = Path("/etc/login-consumer/consumer.toml")
ENV_PREFIX = "LOGIN_CONSUMER_"
RETENTION_FILE = Path("/etc/login-consumer/retention/retention.toml")
RETENTION_ENV_PREFIX = "LOGIN_RETENTION_"
BACKUP_FILE = Path("/etc/login-consumer/backup/backup.toml")
BACKUP_ENV_PREFIX = "LOGIN_BACKUP_"
STATE_DIR = Path("/var/lib/login-consumer")
_LONGEST_MONTH = 31
_SHORTEST_KEY = 32
# The path of a socket takes 107 bytes at most: below this one come "/login-consumer-check" and Spark's "/.UUID.sock".
_LONGEST_LOCAL_DIR = 43

Positive = Annotated[int, Field(gt=0)]


def _master(value: str) -> str:
    if not re.fullmatch(r"local\[.+\]|spark://(\[[0-9a-fA-F:.]+\]|[^\s:,\[\]]+):[0-9]{1,5}", value):
        raise ValueError("should be local[tasks,tries] or spark://host:port, of one master")
    return value


def _short(value: Path) -> Path:
    if len(os.fsencode(value)) > _LONGEST_LOCAL_DIR:
        raise ValueError(f"should have {_LONGEST_LOCAL_DIR} bytes at most: Spark makes sockets below it")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kafka(KafkaSettings):
    """Where the events come from."""

    format: Literal[FORMATS] = "native"  # type: ignore[valid-type]  # the names are known at run time only
    """The format of records whose sender tells none in the header login-format."""
    group_prefix: str = "login-consumer"
    max_offsets_per_trigger: Positive = 200_000
    starting_offsets: Literal["earliest", "latest"] = "earliest"
    """Where to start without a checkpoint and without a progress document."""
    allow_data_loss: bool = False
    """Go on when records that were not yet read are gone from Kafka, instead of stopping."""


class Elasticsearch(ElasticsearchSettings):
    """Where the documents go."""

    retry_seconds: Positive = 30
    """How long a worker repeats a request before it hands the batch back; the batch is then repeated."""
    bulk_bytes: Positive = 8 << 20
    """Size of one bulk request; Elasticsearch takes 100 MB, and 5 to 15 MB work best."""


class Replay(_Section):
    """The accounts that send dead letters back: that of Kafka may write to the topic and read nothing, that of
    Elasticsearch marks letters, which the consumer's own key cannot.
    """

    username: str
    password: SecretStr | None = None
    password_file: Path | None = None
    api_key_file: Path | None = None
    """Without it the consumer's own API key marks the letters, and has to be able to update them."""

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give exactly one of password and password_file")
        return self


class Erase(_Section):
    """The API key of `login-consumer erase`, which alone may replace events: playbooks/erase.yml makes it each time."""

    api_key_file: Path


class Events(_Section):
    """Which events are taken, and into which indices."""

    period: Period = "month"
    max_future_seconds: Annotated[int, Field(ge=0)] = MAX_FUTURE_SECONDS
    max_age_days: Positive = MAX_AGE_DAYS
    """Older events are refused, and the indices of their time may be gone: an audit does not compare those."""
    late_after_seconds: Positive = 600
    """An event that arrives later than this after its own time is marked login.late."""


class GeoIP(_Section):
    """Databases in MaxMind's format that tell where an address is; files that the user supplies, on each host that
    reads records: this one, or all workers of a cluster.
    """

    places: Path | None = None
    """Countries, or cities."""
    networks: Path | None = None
    """Autonomous systems."""

    def open(self) -> Locations | None:
        """Return what they know, None without any. Raises SettingsError if one cannot be opened."""
        return Locations(self.places, self.networks) if self.places or self.networks else None


class Privacy(_Section):
    """What is stored of users and addresses. With another key, pseudonyms are others."""

    pseudonyms: tuple[Pseudonymised, ...] = ()
    key: SecretStr | None = None
    key_file: Path | None = None
    keep_original: bool = True
    """Whether an event keeps its record in event.original, where its format does."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.pseudonyms)) < len(self.pseudonyms):
            raise ValueError("pseudonyms names something twice")
        if self.pseudonyms and (self.key is None) == (self.key_file is None):
            raise ValueError("with pseudonyms, give exactly one of key and key_file")
        if self.pseudonyms and self.keep_original:
            raise ValueError("with pseudonyms, keep_original must be false: the record holds what they hide")
        return self

    def with_secret(self) -> Self:
        """Return the same with the key itself, for processes that may not read its file. Raises SettingsError."""
        if not self.pseudonyms:
            return self.model_copy(update={"key": None, "key_file": None})
        if self.key is not None:
            key = self.key.get_secret_value()
        else:
            assert self.key_file is not None  # noqa: S101  (kept by _consistent; tells the type checker)
            key = read_text(self.key_file, "key of the pseudonyms (privacy.key_file)").strip()
        if len(key) < _SHORTEST_KEY:
            raise SettingsError(f"privacy: the key has fewer than {_SHORTEST_KEY} characters")
        return self.model_copy(update={"key": SecretStr(key), "key_file": None})

    def protection(self) -> Protection:
        """Return what makes the pseudonyms. Raises SettingsError if the key cannot be read."""
        key = self.with_secret().key
        return Protection(self.pseudonyms, key.get_secret_value() if key else "", self.keep_original)


class Metrics(_Section):
    """The counts by window, country, browser and outcome."""

    window_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60

    @model_validator(mode="after")
    def _divides_a_day(self) -> Self:
        # windows start at multiples since 1970; others would not line up with days
        if 86_400 % self.window_seconds:
            raise ValueError("window_seconds must divide a day (86400)")
        return self


class Spark(_Section):
    """The Spark driver. `conf` is passed on as it is."""

    master: Annotated[str, AfterValidator(_master)] = "local[2,4]"
    """local[tasks,tries] in this process (plain local[2] tries a task once), or spark://host:port of a cluster."""
    properties_file: Path | None = None
    """Further options, as Spark's own properties files have them: those of a cluster, and its secret."""
    driver_memory: str = "1g"
    local_dir: Annotated[Path, AfterValidator(_short)] = STATE_DIR / "spark"
    jars_dir: Path | None = None
    """Where the Kafka connector's jars are, if they are not in Spark's own folder jars."""
    ui: bool = False
    trigger_ms: Annotated[int, Field(ge=0)] = 200
    small_batch: Annotated[int, Field(ge=0)] = 5000
    """A batch of fewer records runs as one task: that is quicker for few."""
    conf: dict[str, str] = Field(default_factory=dict)

    @property
    def cluster(self) -> tuple[str, int] | None:
        """Host and port of the cluster's master, None if Spark runs in this process alone."""
        return None if self.master.startswith("local") else host_and_port(self.master.removeprefix("spark://"))


class Settings(_Section):
    """All settings of login-consumer."""

    kafka: Kafka
    elasticsearch: Elasticsearch
    events: Events = Events()
    geoip: GeoIP = GeoIP()
    privacy: Privacy = Privacy()
    metrics: Metrics = Metrics()
    spark: Spark = Spark()
    replay: Replay | None = None
    """Without it nothing can be replayed; the consumer itself does not need it."""
    erase: Erase | None = None
    """Without it nobody can be erased; the consumer itself does not need it."""
    promise_file: Path | None = None
    """What the playbook has made in Kafka and Elasticsearch; without it, deviations are not looked for."""
    refresh: Literal["batch", "none"] = "batch"
    """batch: make each batch visible at once; none: leave it to the index's refresh_interval."""
    checkpoint_dir: Path = STATE_DIR / "checkpoint"
    ready_file: Path = Path("/run/login-consumer/ready")
    """Made when the query runs, gone when it does not: what a deployment or a monitor can wait for."""
    stop_seconds: Positive = 30
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def metrics_file(self) -> Path:
        """What Prometheus is told, beside `ready_file`."""
        return self.ready_file.with_name(exposition.FILE)

    @property
    def waiting_file(self) -> Path:
        """What a batch waits for, beside `ready_file`; it is there only while one waits."""
        return self.ready_file.with_name("waiting.json")

    def for_workers(self) -> Self:
        """Return what Spark's Python workers get, which may run as another user on another host: with the API key and
        that of the pseudonyms themselves, read anew from their files, and no way to any other secret. Raises
        SettingsError.
        """
        kafka = self.kafka.model_copy(update={"password": None, "password_file": None})
        return self.model_copy(
            update={
                "kafka": kafka,
                "elasticsearch": self.elasticsearch.with_secret(),
                "privacy": self.privacy.with_secret(),
                "replay": None,
                "erase": None,
            }
        )

    def kafka_for_replay(self) -> Kafka:
        """Return where to send dead letters, and as whom. Raises SettingsError without a section replay."""
        if self.replay is None:
            raise SettingsError(
                "the settings have no account that may write to the topic: add a section [replay] with username "
                "and password_file, of a Kafka user with Write and Describe on kafka.topic"
            )
        return self.kafka.model_copy(update=self.replay.model_dump(exclude={"api_key_file"}))

    def elasticsearch_for_replay(self) -> Elasticsearch:
        """Return where the letters stand, and as whom they are marked."""
        if self.replay is None or self.replay.api_key_file is None:
            return self.elasticsearch
        return self.elasticsearch.model_copy(update={"api_key": None, "api_key_file": self.replay.api_key_file})

    def elasticsearch_for_erasure(self) -> Elasticsearch:
        """Return where to erase, and by which key. Raises SettingsError unless the key is there."""
        if self.erase is None or not self.erase.api_key_file.exists():
            raise SettingsError(
                "the API key that may replace events is there only while playbooks/erase.yml runs: erase by that "
                "playbook. Without --yes this command says what would be erased"
            )
        return self.elasticsearch.model_copy(update={"api_key": None, "api_key_file": self.erase.api_key_file})


class RetentionSettings(_Section):
    """The settings of `login-consumer retention`: a file of its own, since its API key may delete indices."""

    elasticsearch: Elasticsearch
    topic: str = "login-events"
    """Whose newest account must stay: the consumer's kafka.topic."""
    events_days: Positive = 400
    """For events and windows; at least the consumer's events.max_age_days."""
    dead_letters_days: Positive = 90
    progress_days: Positive = 35
    """For the accounts of the batches, and for checkpoints that were kept aside."""
    witness_days: Positive = 3
    """Nothing is deleted unless accounts show that the clock has been right for so many days."""
    checkpoint_dir: Path = STATE_DIR / "checkpoint"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _letters_outlive_their_accounts(self) -> Self:
        if self.dead_letters_days < self.progress_days + _LONGEST_MONTH:
            raise ValueError(
                f"dead_letters_days must be at least progress_days + {_LONGEST_MONTH}: an audit compares the accounts "
                "of a whole month with the dead letters of their time"
            )
        return self

    def days_of(self, family: str) -> int:
        """Return how long indices of a family are kept."""
        return {DEAD_LETTERS: self.dead_letters_days, PIPELINE: self.progress_days}.get(family, self.events_days)


class BackupSettings(_Section):
    """The settings of `login-consumer backup`, backups and restore: a file of its own, with an API key of its own."""

    elasticsearch: Elasticsearch
    repository: str
    """Registered in Elasticsearch."""
    topic: str = "login-events"
    """Whose position is kept with a backup: the consumer's kafka.topic."""
    kibana: bool = False
    """Also what Kibana keeps in Elasticsearch, its feature state."""
    keep_days: Positive = 30
    keep_least: Positive = 3
    """So many good backups stay, however old they are."""
    witness_days: Positive = 3
    """No backup is deleted unless accounts show that the clock has been right for so many days."""
    verify_free_percent: Annotated[int, Field(ge=1, le=99)] = 20
    """So much of a node's disk must be free beside the copy of the largest index, which a verification makes.
    Elasticsearch itself gives a disk no more data from 15 % on.
    """
    verified_file: Path = STATE_DIR / "backup-verified.json"
    """What the last verification has found."""
    verified_metrics: Path | None = None
    """The same for Prometheus, if given."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


def load_retention_settings(path: Path | None) -> RetentionSettings:
    """Read the settings from `path`, else $LOGIN_RETENTION_SETTINGS, else RETENTION_FILE.

    Raises SettingsError.
    """
    file = settings_file(path, RETENTION_ENV_PREFIX, RETENTION_FILE)
    return load(RetentionSettings, file, RETENTION_ENV_PREFIX)


def load_backup_settings(path: Path | None) -> BackupSettings:
    """Read the settings from `path`, else $LOGIN_BACKUP_SETTINGS, else BACKUP_FILE.

    Raises SettingsError.
    """
    return load(BackupSettings, settings_file(path, BACKUP_ENV_PREFIX, BACKUP_FILE), BACKUP_ENV_PREFIX)


def load_settings(path: Path | None) -> Settings:
    """Read the settings from `path`, else $LOGIN_CONSUMER_SETTINGS, else DEFAULT_FILE.

    Raises SettingsError.
    """
    return load(Settings, settings_file(path, ENV_PREFIX, DEFAULT_FILE), ENV_PREFIX)
