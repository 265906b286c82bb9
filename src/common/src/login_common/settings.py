# SPDX-License-Identifier: Apache-2.0
"""Settings: one TOML file, overridden by the environment, checked by pydantic models."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_args
from urllib.parse import urlsplit

import pydantic_settings
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

S = TypeVar("S", bound=BaseModel)


class SettingsError(Exception):
    """The settings cannot be used. The text names the place, the fault and what is expected."""


def _host_port(value: str) -> str:
    if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):[0-9]{1,5}", value):
        raise ValueError('should be "host:port", as in "kafka1.example.org:9093"')
    return value


HostPort = Annotated[str, AfterValidator(_host_port)]


class KafkaSettings(BaseModel):
    """How to reach Kafka: always TLS with a checked host name, and SCRAM-SHA-512."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bootstrap_servers: Annotated[list[HostPort], Field(min_length=1)]
    topic: str = "login-events"
    username: str
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_file: Path

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give exactly one of password and password_file")
        return self

    def secret(self) -> str:
        """Return the password, without the newline that ends the line in a password file.

        Raises SettingsError if the password file cannot be read.
        """
        if self.password is not None:
            return self.password.get_secret_value()
        assert self.password_file is not None  # noqa: S101  (kept by _one_password; tells the type checker)
        return read_text(self.password_file, "Kafka password file").removesuffix("\n")

    def client_config(self) -> dict[str, object]:
        """Return keyword arguments for any kafka-python client (producer, consumer, admin).

        Raises SettingsError if the password or the CA file cannot be read.
        """
        read_text(self.ca_file, "CA file")  # kafka-python would only report a bootstrap time-out
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.secret(),
            "ssl_cafile": str(self.ca_file),
            "ssl_check_hostname": True,
        }


def _https(value: str) -> str:
    url = urlsplit(value)
    if url.scheme != "https" or not url.hostname or not url.port or url.path.strip("/"):
        raise ValueError('should be "https://host:port"')
    return value


class ElasticsearchSettings(BaseModel):
    """How to reach Elasticsearch: always TLS with a checked host name. The API key is in its encoded form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hosts: Annotated[tuple[Annotated[str, AfterValidator(_https)], ...], Field(min_length=1)]
    ca_file: Path
    api_key: SecretStr | None = None
    api_key_file: Path | None = None
    request_timeout: Annotated[int, Field(gt=0)] = 60
    """Seconds to wait for an answer."""

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.api_key is None) == (self.api_key_file is None):
            raise ValueError("give exactly one of api_key and api_key_file")
        return self

    def secret(self) -> str:
        """Return the API key. Raises SettingsError if its file cannot be read."""
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        assert self.api_key_file is not None  # noqa: S101  (kept by _one_key; tells the type checker)
        return read_text(self.api_key_file, "API key file (elasticsearch.api_key_file)").strip()

    def with_secret(self) -> Self:
        """Return the same with the API key itself, for processes that may not read its file. Raises SettingsError."""
        return self.model_copy(update={"api_key": SecretStr(self.secret()), "api_key_file": None})


def settings_file(path: Path | None, env_prefix: str, default: Path) -> Path:
    """Return the settings file that is meant: `path`, else $<env_prefix>SETTINGS, else `default`."""
    return path or Path(os.environ.get(f"{env_prefix}SETTINGS", default))


def load(model: type[S], path: Path, env_prefix: str) -> S:
    """Read `model` from the TOML file `path`; `<env_prefix>SECTION__FIELD` in the environment wins.

    Lists in the environment are written as JSON. `<env_prefix>SETTINGS` (the path itself) is not a field.
    Raises SettingsError: file unreadable, no TOML, unknown key, wrong or missing value. Its text never
    holds a value, since any value may be a misplaced secret.
    """

    class Bound(model, BaseSettings):  # type: ignore[valid-type, misc]  # base known at run time only
        model_config = SettingsConfigDict(env_prefix=env_prefix, env_nested_delimiter="__", extra="forbid")

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, init_settings

    try:
        content = tomllib.loads(read_text(path, "settings file"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: this is not valid TOML: {error}") from None
    overridden = _overrides(model, env_prefix)
    place = f"{path} with {' '.join(overridden)} from the environment" if overridden else str(path)
    try:
        loaded: S = Bound(**content)
    except ValidationError as error:
        faults = (f"{place}: {_fault(model, dict(fault))}" for fault in error.errors(include_input=False))
        raise SettingsError("\n".join(faults)) from None
    except pydantic_settings.SettingsError as error:
        raise SettingsError(f"{place}: {error}; write lists and tables as JSON") from None
    return loaded


def describe(settings: BaseModel) -> dict[str, Any]:
    """Return the settings as JSON-able values with every secret masked, for the log."""
    described: dict[str, Any] = json.loads(settings.model_dump_json())
    return described


def read_text(path: Path, what: str) -> str:
    """Return the text of a file that settings name; `what` says what it is.

    Raises SettingsError if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(
            f"{path}: the {what} cannot be read: {reason}; check the path and that this user may read it"
        ) from None


def _overrides(model: type[BaseModel], prefix: str) -> list[str]:
    """Return the names of the variables that override fields.

    Raises SettingsError for a name that fits no field: pydantic ignores those, so a misspelt section
    would pass in silence.
    """
    names = sorted(name for name in os.environ if name.startswith(prefix) and name != f"{prefix}SETTINGS")
    for name in names:
        section = name.removeprefix(prefix).split("__")[0].lower()
        if section not in model.model_fields:
            known = ", ".join(model.model_fields)
            raise SettingsError(f"environment {name}: unknown key '{section}'; known keys: {known}")
    return names


def _fault(model: type[BaseModel], fault: dict[str, Any]) -> str:
    section: Any = model
    names = []
    for part in fault["loc"]:
        members = _members(section)
        if part in members:  # pydantic names the chosen member of a union too: no part of the file
            section = members[part]
            continue
        names.append(str(part))
        if part in getattr(section, "model_fields", {}):
            section = section.model_fields[part].annotation
    where = ".".join(names) or "(whole file)"
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key; known keys here: {', '.join(section.model_fields)}"
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}"


def _members(annotation: Any) -> dict[str, type[BaseModel]]:
    """Return the models of a union that is told apart by the field `type`, by that type."""
    models = [model for model in get_args(annotation) if "type" in getattr(model, "model_fields", {})]
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}
