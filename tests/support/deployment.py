# SPDX-License-Identifier: Apache-2.0
"""A deployed pipeline as the tests see it: its host by ssh, its ports through one ssh tunnel, its secrets."""

from __future__ import annotations

import base64
import json
import random
import shlex
import socket
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import testinfra
import yaml
from elasticsearch import Elasticsearch
from playbook import ROOT, Run, run_playbook
from testinfra.host import Host
from waiting import wait_until


@dataclass(frozen=True)
class Deployment:
    """Where everything is, from the inventory by describe.yml, which explains the fields."""

    inventory: Path
    name: str
    container: str
    """Of podman, where the tests have booted the host."""
    address: str
    ssh_port: int
    ssh_user: str
    ssh_key: str
    ssh_args: str
    secrets_file: Path
    ca_dir: Path
    pipeline_address: str
    kafka_bootstrap_servers: str
    topic: str
    window_seconds: int
    kafka_port: int
    broker_port: int
    controller_port: int
    extra_ports: list[int]
    elasticsearch_port: int
    transport_port: int
    kafka_data_dir: str
    elasticsearch_data_dir: str
    backup_dir: str
    """Empty if no backups are made."""
    metrics_ports: dict[str, int]
    """Where Prometheus asks, by what is told there; empty without metrics."""

    @classmethod
    def of(cls, inventory: Path, report: Path) -> Deployment:
        """Ask ansible what `inventory` says; `report` is a file to use on the way."""
        options = ("--tags", "describe", "-e", f"report={report}")
        run = run_playbook(ROOT / "tests/support/describe.yml", inventory, *options)
        assert run.returncode == 0, run.output
        told = json.loads(report.read_text())
        return cls(inventory, **{**told, **{name: Path(told[name]) for name in ("secrets_file", "ca_dir")}})

    @property
    def secrets(self) -> dict[str, str]:
        return yaml.safe_load(self.secrets_file.read_text())

    @property
    def ca_file(self) -> str:
        return str(self.ca_dir / "ca.pem")

    def deploy(self, *options: str) -> Run:
        """Run site.yml."""
        return run_playbook(ROOT / "site.yml", self.inventory, *options)

    def reboot(self) -> None:
        """Restart the host as a power cycle would."""
        subprocess.run([ROOT / "tools/testhost/testhost", "reboot", self.container], check=True)

    def host(self) -> Host:
        """Return the host for testinfra, over one lasting ssh connection."""
        shared = f"-o ControlMaster=auto -o ControlPersist=60 -o ControlPath={tempfile.mkdtemp()}/%C"
        return testinfra.get_host(
            f"ssh://{self.ssh_user}@{self.address}:{self.ssh_port}",
            ssh_identity_file=self.ssh_key or None,
            ssh_extra_args=f"{self.ssh_args} {shared}",
            sudo=self.ssh_user != "root",
        )

    def ssh(self, *arguments: str) -> list[str]:
        """Return an ssh command line with these further arguments before the host."""
        key = ["-i", self.ssh_key] if self.ssh_key else []
        login = f"{self.ssh_user}@{self.address}"
        return ["ssh", *shlex.split(self.ssh_args), *key, "-p", str(self.ssh_port), *arguments, login]

    def python(self, program: str, user: str = "root", python: str = "python3") -> Any:
        """Run a Python program on the host, given by standard input so that it shows nowhere; return its JSON."""
        root = [] if self.ssh_user == "root" else ["sudo", "-n"]
        command = [*self.ssh(), *root, "runuser", "-u", user, "--", python, "-"]
        done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class Tunnel:
    """The host's ports on this machine, so that real clients can be used from here, with full checks of names."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        ports = (
            deployment.kafka_port,
            deployment.broker_port,
            deployment.controller_port,
            deployment.elasticsearch_port,
            deployment.transport_port,
            *deployment.metrics_ports.values(),
        )
        *local, self._socks = free_ports(len(ports) + 1)
        self._local = dict(zip(ports, local, strict=True))
        self._ssh: subprocess.Popen[str] | None = None

    def __getitem__(self, port: int) -> int:
        """The port on this machine that leads to the host's."""
        return self._local[port]

    @property
    def proxy_url(self) -> str:
        """For Kafka clients: brokers tell names that only the host can resolve."""
        return f"socks5h://127.0.0.1:{self._socks}"

    def open(self) -> None:
        """Connect, also anew after a reboot. Raises AssertionError after two minutes without a connection."""
        address = self._deployment.pipeline_address
        target = f"[{address}]" if ":" in address else address
        forwards = [f"-L127.0.0.1:{local}:{target}:{port}" for port, local in self._local.items()]
        socks = f"-D127.0.0.1:{self._socks}"
        quiet = ["-o", "LogLevel=ERROR"]  # its standard error is read only when it has ended
        options = ["-N", "-S", "none", *quiet, "-o", "ExitOnForwardFailure=yes", socks, *forwards]

        def connected() -> bool:
            if self._ssh is not None and self._ssh.poll() is not None:
                why = self._ssh.communicate()[1]
                self._ssh = None
                raise ConnectionError(why)
            if self._ssh is None:
                self._ssh = subprocess.Popen(self._deployment.ssh(*options), stderr=subprocess.PIPE, text=True)
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self._socks)) == 0

        self.close()
        wait_until(connected, f"an ssh tunnel to {self._deployment.name}", 120, ignoring=(ConnectionError,))

    def close(self) -> None:
        if self._ssh is not None:
            self._ssh.terminate()
            self._ssh.wait()
            self._ssh = None


def free_ports(count: int) -> list[int]:
    """Return different ports, below those that the kernel gives to outgoing connections: it might take them."""
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found[:count]


def elasticsearch_client(deployment: Deployment, tunnel: Tunnel, **login: Any) -> Elasticsearch:
    """Return a client that checks the server's certificate; `login` is basic_auth or api_key, or nothing."""
    url = f"https://localhost:{tunnel[deployment.elasticsearch_port]}"
    if "basic_auth" in login:
        # The client itself takes only ASCII.
        login["basic_auth"] = base64.b64encode(":".join(login["basic_auth"]).encode()).decode()
    return Elasticsearch(url, ca_certs=deployment.ca_file, request_timeout=30, max_retries=0, **login)


def kafka_options(deployment: Deployment, tunnel: Tunnel, user: str) -> dict[str, Any]:
    """Return the options of any kafka-python client for one of the users admin, producer, consumer, replay."""
    return {
        "bootstrap_servers": deployment.kafka_bootstrap_servers.split(","),
        "proxy_url": tunnel.proxy_url,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": deployment.ca_file,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user,
        "sasl_plain_password": deployment.secrets[f"kafka_{user}_password"],
        "bootstrap_timeout_ms": 15_000,
    }
