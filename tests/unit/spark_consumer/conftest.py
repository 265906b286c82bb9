# SPDX-License-Identifier: Apache-2.0
"""Settings that need no services."""

from pathlib import Path

import pytest
from login_consumer.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {
            "kafka": {
                "bootstrap_servers": ["kafka.example.org:9092"],
                "username": "consumer",
                "password": 'p"a\\ss $',
                "ca_file": "/ca.pem",
            },
            "elasticsearch": {
                "hosts": ["https://es.example.org:9200"],
                "ca_file": "/ca.pem",
                "api_key": "key",
                "retry_seconds": 5,
            },
            "checkpoint_dir": str(tmp_path / "checkpoint"),
            "ready_file": str(tmp_path / "ready"),
        }
    )
