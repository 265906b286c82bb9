# SPDX-License-Identifier: Apache-2.0
"""tools/deploy: what it tells when the run fails, or is ended."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playbook import ROOT
from waiting import wait_until

HOST = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1"}


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    made = Deploy(tmp_path / "hosts.yml")
    yield made
    made.log.unlink()


class Deploy:
    """A run of the program against one host whose sshd is said to be at a port."""

    log = Path()

    def __init__(self, inventory: Path) -> None:
        self._inventory = inventory

    def start(self, port: int) -> subprocess.Popen[str]:
        hosts = {"far": {**HOST, "ansible_port": port}}
        self._inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "DEPLOY_"))}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        process = subprocess.Popen(
            [ROOT / "tools/deploy", self._inventory, "--tags", "kafka"], env=env, start_new_session=True, **pipes
        )
        assert process.stdout
        first = process.stdout.readline()
        told = re.fullmatch(r"All detail: (build/logs/deploy-[\d-]+\.log)\n", first)
        assert told, first + process.communicate()[0]
        self.log = ROOT / told[1]
        return process


def test_a_host_that_is_away(deploy: Deploy) -> None:
    process = deploy.start(port=1)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 4, output
    assert "FAILED [far] pipeline : Keep other runs away from the host" in output and "Connection refused" in output
    assert output.endswith(f"\nFailed. All detail: {deploy.log.relative_to(ROOT)}\n")
    assert "UNREACHABLE!" in deploy.log.read_text()
    assert deploy.log.stat().st_mode & 0o077 == 0


def test_it_is_interrupted(deploy: Deploy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = deploy.start(silent.getsockname()[1])
        wait_until(lambda: "PLAY [One run at a time]" in deploy.log.read_text(), "the run has begun", 60)
        os.killpg(process.pid, signal.SIGINT)
        output = process.communicate(timeout=60)[0]
    assert process.returncode not in (0, None), output
    assert output.endswith(f"\nFailed. All detail: {deploy.log.relative_to(ROOT)}\n"), output
