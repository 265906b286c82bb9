# SPDX-License-Identifier: Apache-2.0
"""A bare host, and deployments to it that are to be refused."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playbook import ROOT, Run, run_playbook
from testinfra.host import Host

# Each process of pytest-xdist has a host of its own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
NAME, SSH_PORT = f"login-preflight-{WORKER}", str(2252 + WORKER)
GROUPS = ("kafka", "elasticsearch", "consumers", "producers")
# What a deployment would leave first of all: files, users and packages
TRACES = "find /etc /opt /var/lib /usr/lib/sysusers.d /usr/local -printf '%p %m %u %s\\n' | sort; cat /etc/passwd"


@dataclass
class BareHost:
    """A bare host, and a folder for the inventories and secrets of one test."""

    host: Host
    ssh: Path
    folder: Path = field(default_factory=Path)

    def deploy(
        self,
        variables: dict[str, Any],
        groups: tuple[str, ...] = GROUPS,
        options: tuple[str, ...] = (),
        **more_hosts: dict[str, Any],
    ) -> Run:
        """Run site.yml with these variables and options against the host, in these groups.

        `more_hosts` are further names of the same host in the group kafka, with variables of their own.
        """
        connection = {
            "ansible_host": "127.0.0.1",
            "ansible_port": int(SSH_PORT),
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.ssh / "id_ed25519"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.ssh}/known_hosts -o IdentitiesOnly=yes",
        }
        children = {group: {"hosts": {NAME: {}}} for group in groups}
        for name, own in more_hosts.items():
            children["kafka"]["hosts"][name] = own
        content = {"vars": {**connection, "artifact_source": "registry", **variables}, "children": children}
        inventory = self.folder / "hosts.json"
        inventory.write_text(json.dumps({"all": content}))
        return run_playbook(ROOT / "site.yml", inventory, *options)

    def traces(self) -> str:
        return self.host.check_output(TRACES.replace("%", "%%"))
