# SPDX-License-Identifier: Apache-2.0
"""How long it takes to deploy: a bare host to the first event that can be found, and a second run that changes nothing.

Run it twice: the first time fills the cache of downloads. Second runs are made by turns with the project's settings of
Ansible, and with Ansible's own.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import machine
import paths
from deployment import Deployment
from playbook import Run, command
from waiting import wait_until

import report

NAME, PORT = "login-bench", "2242"
TESTHOST = paths.ROOT / "tools/testhost/testhost"
SITE = paths.ROOT / "site.yml"
# What ansible.cfg sets for speed, as Ansible has it by default
PLAIN = {
    "ANSIBLE_PIPELINING": "false",
    "ANSIBLE_FORKS": "5",
    "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=60s",
    "ANSIBLE_STRATEGY": "linear",
}
RUNS: dict[str, dict[str, str]] = {"second_run": {}, "second_run_plain": PLAIN}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="of the second run")
    told = parser.parse_args()
    with TemporaryDirectory() as folder:
        inventory = _inventory(Path(folder))
        env = os.environ | {"TESTHOST_SSH_PORT": PORT}
        try:
            subprocess.run([TESTHOST, "up", NAME, inventory / "state/ssh"], check=True, env=env)
            results = _measure(inventory, Path(folder), told.rounds)
        finally:
            subprocess.run([TESTHOST, "down", NAME], check=True)
    paths.RESULTS.mkdir(parents=True, exist_ok=True)
    (paths.RESULTS / "deploy.json").write_text(json.dumps(results, indent=1) + "\n")
    for row in report.targets(results):
        if row[-1] != "not measured":
            print("  ".join(row))
    print(f"second run with Ansible's own settings: {results['deploy']['second_run_plain']:.0f} s")


def _inventory(folder: Path) -> Path:
    """Return a copy of the demo's inventory for a host of the benchmark's own."""
    inventory = folder / "inventory"
    shutil.copytree(paths.ROOT / "inventory/demo", inventory, ignore=shutil.ignore_patterns("state"))
    hosts = inventory / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("login-demo", NAME).replace("2222", PORT))
    return inventory


def _measure(inventory: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """Return the machine, and the median of the seconds by what was done."""
    began = time.monotonic()
    _play(inventory, {})
    times = {"first_run": [time.monotonic() - began]}
    print(f"first run: {times['first_run'][0]:.0f} s", flush=True)
    deployment = Deployment.of(inventory, folder / "report.json")
    wait_until(lambda: _events(deployment), "the first event can be found", 120)
    times["first_event"] = [time.monotonic() - began]
    for number in range(rounds):
        for name in RUNS if number % 2 else reversed(RUNS):
            began = time.monotonic()
            changed = _play(inventory, RUNS[name]).changed
            times.setdefault(name, []).append(time.monotonic() - began)
            print(f"{name}: {times[name][-1]:.0f} s, changed={changed}", flush=True)
            assert not changed, "a second run has changed something"
    medians = {name: statistics.median(each) for name, each in times.items()}
    return {"machine": machine.describe(deployment.host()), "deploy": medians}


def _play(inventory: Path, settings: dict[str, str]) -> Run:
    """Run site.yml; `settings` are variables of the environment."""
    told = command(SITE, inventory)
    told["env"] |= settings
    done = subprocess.run(**told, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return Run(done.returncode, done.stdout + done.stderr)


def _events(deployment: Deployment) -> bool:
    """Return whether an event can be found; asked on the host, whose ports are not published."""
    login = base64.b64encode(f"elastic:{deployment.secrets['elastic_password']}".encode()).decode()
    url = f"https://{deployment.pipeline_address}:{deployment.elasticsearch_port}/login-events-*/_count"
    program = f"""
import ssl, urllib.request
request = urllib.request.Request({url!r}, headers={{"Authorization": "Basic {login}"}})
context = ssl.create_default_context(cadata={Path(deployment.ca_file).read_text()!r})
print(urllib.request.urlopen(request, context=context).read().decode())
"""
    return bool(deployment.python(program)["count"])


if __name__ == "__main__":
    main()
