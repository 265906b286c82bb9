# SPDX-License-Identifier: Apache-2.0
"""The report's settings: one TOML file that says how to reach Elasticsearch."""

from pathlib import Path

from login_common.settings import ElasticsearchSettings, load, settings_file
from pydantic import BaseModel, ConfigDict

DEFAULT_FILE = Path("/etc/login-report/report.toml")
ENV_PREFIX = "LOGIN_REPORT_"


class Settings(BaseModel):
    """All settings of login-report."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    elasticsearch: ElasticsearchSettings


def load_settings(path: Path | None) -> Settings:
    """Read the settings from `path`, else $LOGIN_REPORT_SETTINGS, else DEFAULT_FILE. Raises SettingsError."""
    return load(Settings, settings_file(path, ENV_PREFIX, DEFAULT_FILE), ENV_PREFIX)
