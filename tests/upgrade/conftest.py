# SPDX-License-Identifier: Apache-2.0
"""A bare host of these tests' own, and the archives of older versions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "support")]

from older import make_archives  # noqa: E402  (found by the path set above)
from playbook import ROOT  # noqa: E402
from upgraded_host import NAME, SSH_PORT, UpgradedHost, write_inventory  # noqa: E402

TESTHOST = ROOT / "tools/testhost/testhost"


@pytest.fixture(scope="session")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpgradedHost]:
    """The host, on which nothing is deployed yet."""
    inventory = tmp_path_factory.mktemp("inventory")
    subprocess.run([TESTHOST, "down", NAME], check=True)  # what an interrupted run may have left
    environment = {**os.environ, "TESTHOST_SSH_PORT": str(SSH_PORT)}
    subprocess.run([TESTHOST, "up", NAME, inventory / "state/ssh"], env=environment, check=True)
    try:
        write_inventory(inventory)
        make_archives(inventory)
        yield UpgradedHost(inventory)
    finally:
        subprocess.run([TESTHOST, "down", NAME], check=True)
