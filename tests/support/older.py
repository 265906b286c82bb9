# SPDX-License-Identifier: Apache-2.0
"""Older versions of Kafka and Elasticsearch: their archives, their settings, and which version runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playbook import ROOT, run_playbook
from testinfra.host import Host

OLDER = {"kafka": "4.3.1", "elasticsearch": "8.16.6"}
WANTED = {"kafka": "4.4.0", "elasticsearch": "8.19.13"}
# Kept: the second time they are only checked.
ARCHIVES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "login-pipeline/older"


def make_archives(inventory: Path) -> None:
    """Make the archives of `OLDER` for the hosts of an inventory."""
    made = run_playbook(ROOT / "tests/upgrade/older.yml", inventory, "-e", f"folder={ARCHIVES}")
    assert made.returncode == 0, made.output


def settings(versions: dict[str, str] | None) -> dict[str, Any]:
    """Return the settings by which playbooks deploy these versions; without any, the project's own."""
    if not versions:
        return {}
    return {
        "artifact_sources": dict.fromkeys(versions, "local"),
        "artifact_versions": versions,
        "artifact_local_dir": str(ARCHIVES),
    }


def running(host: Host, product: str) -> str:
    """Return the version that a product's running process has open."""
    pid = host.check_output("systemctl show --value --property=MainPID %s", product)
    command = f"ls -l /proc/{pid}/fd | grep -o '/opt/{product}/[0-9][^/]*/' | sort -u"
    (folder,) = host.check_output(command).split()
    return str(folder.split("/")[3].rpartition("-")[0])
