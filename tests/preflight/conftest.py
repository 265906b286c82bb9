# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a bare host of these tests' own, which only test_certificates.py changes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "support")]

from bare_host import NAME, SSH_PORT, BareHost  # noqa: E402  (found by the path set above)
from playbook import ROOT  # noqa: E402

TESTHOST = ROOT / "tools/testhost/testhost"


@pytest.fixture(scope="session")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareHost]:
    ssh = tmp_path_factory.mktemp("ssh")
    subprocess.run([TESTHOST, "down", NAME], check=True)  # what an interrupted run may have left
    subprocess.run([TESTHOST, "up", NAME, ssh], env={**os.environ, "TESTHOST_SSH_PORT": SSH_PORT}, check=True)
    try:
        options = f"-o UserKnownHostsFile={ssh}/known_hosts -o IdentitiesOnly=yes"
        host = testinfra.get_host(
            f"ssh://root@127.0.0.1:{SSH_PORT}",
            ssh_identity_file=str(ssh / "id_ed25519"),
            ssh_extra_args=f"{options} -o ControlMaster=auto -o ControlPersist=60 -o ControlPath={ssh}/%C",
        )
        yield BareHost(host, ssh)
    finally:
        subprocess.run([TESTHOST, "down", NAME], check=True)


@pytest.fixture
def bare(booted: BareHost, tmp_path: Path) -> BareHost:
    return BareHost(booted.host, booted.ssh, tmp_path)
