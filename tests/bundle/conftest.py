# SPDX-License-Identifier: Apache-2.0
"""A bundle, and two bare hosts, a controller and one to deploy to, in a network that leads nowhere."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_pair import CONTROLLER, HOST, INVENTORY, NETWORK, PROJECT, REPOSITORY, SYSTEM, Machine, podman


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bundle", help="folder of a bundle that is there already; it is changed for a moment")


def testhost(*words: str | Path, port: int = 0) -> None:
    environment = {**os.environ, "TESTHOST_SSH_PORT": str(port), "TESTHOST_SUITE": SYSTEM.partition("-")[0]}
    subprocess.run([REPOSITORY / "tools/testhost/testhost", *words], env=environment, check=True)


def remove() -> None:
    """Remove both hosts, with all that is on them, and their network."""
    for name in (CONTROLLER, HOST):
        testhost("down", name)
    if NETWORK in podman("network", "ls", "--format", "{{.Name}}").split():
        podman("network", "rm", NETWORK)


@pytest.fixture(scope="session")
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle for the hosts."""
    given: str | None = request.config.getoption("--bundle")
    if given:
        return Path(given).resolve()
    folder = tmp_path_factory.mktemp("made") / "bundle"
    subprocess.run([REPOSITORY / "tools/bundle", INVENTORY, folder, SYSTEM], check=True, cwd=REPOSITORY)
    return folder


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The host to deploy to."""
    state = tmp_path_factory.mktemp("ssh")
    remove()  # what an interrupted run may have left
    podman("network", "create", "--internal", NETWORK)
    testhost("up", HOST, state, "--network", NETWORK, port=int(os.environ.get("TESTHOST_SSH_PORT", "2242")))
    yield Machine(HOST, state)
    remove()


@pytest.fixture(scope="session")
def controller(bundle: Path, host: Machine, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """The machine to deploy from: the bundle, the project's files and the key of the host, and nothing else."""
    options = ["--network", NETWORK, "--volume", f"{bundle}:/srv/bundle:ro"]
    port = int(os.environ.get("TESTHOST_SSH_PORT", "2242")) + 1
    testhost("up", CONTROLLER, tmp_path_factory.mktemp("ssh"), *options, port=port)
    machine = Machine(CONTROLLER)
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=REPOSITORY, capture_output=True)
    machine.unpack(REPOSITORY, files.stdout, PROJECT)
    machine.unpack(host.state, b"id_ed25519\0known_hosts\0", f"{PROJECT}/{INVENTORY}/ssh")
    # Here the host is reached by its name, not by a published port.
    machine.run(f"sed -i 's/^[^ ]*/{HOST}/' {INVENTORY}/ssh/known_hosts && chmod 600 {INVENTORY}/ssh/id_ed25519")
    return machine
