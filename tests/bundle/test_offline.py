# SPDX-License-Identifier: Apache-2.0
"""A bare controller deploys the whole pipeline to a bare host, with a bundle and without any network but their own.

The tests build on each other, in this order.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from bare_pair import HOST, SYSTEM, Machine, flipped


def manifest(bundle: Path) -> dict[str, str]:
    return {name: value for value, name in (line.split() for line in (bundle / "SHA256SUMS").read_text().splitlines())}


def changed(output: str) -> dict[str, int]:
    """Number of changes by host, from the end of Ansible's output."""
    return {host: int(count) for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)}


def test_the_manifest_names_all_files(bundle: Path) -> None:
    files = {str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()}
    assert files == {*manifest(bundle), "SHA256SUMS"}


def test_there_is_no_way_out(controller: Machine, host: Machine) -> None:
    for machine in (controller, host):
        assert machine.run("ip -4 route show default; ip -6 route show default").strip() == "", machine.name


def test_setup_refuses_a_bundle_with_a_flipped_bit(bundle: Path, controller: Machine) -> None:
    wheel = next((bundle / "wheels").rglob("ansible_core-*.whl"))
    with flipped(wheel):
        done = controller.try_run("tools/setup deploy /srv/bundle")
    assert done.returncode == 1
    assert f"{wheel.relative_to(bundle)}: FAILED" in done.stdout
    assert "nothing was unpacked" in done.stdout


def test_the_controller_is_set_up(controller: Machine) -> None:
    controller.run("tools/setup deploy /srv/bundle")
    assert "core 2." in controller.run(".venv/bin/ansible --version")


@pytest.mark.parametrize("name", [f"archives/debian-{SYSTEM}.tar", "archives/kafka-*.tar", "wheels/*/setuptools-*.whl"])
def test_a_flipped_bit_stops_before_unpacking(bundle: Path, controller: Machine, host: Machine, name: str) -> None:
    path = next(bundle.glob(name))
    with flipped(path):
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        done = controller.deploy()
    assert done.returncode != 0
    # Ansible breaks long lines.
    told = "".join(done.stdout.split())
    assert f"expected{manifest(bundle)[str(path.relative_to(bundle))]}" in told, done.stdout
    assert f"found{found}" in told, done.stdout
    assert "nothingwasunpacked" in told
    host.run("test ! -e /var/cache/login-pipeline-debian")


def test_check_mode_before_the_first_deployment(controller: Machine) -> None:
    assert controller.deploy("--check", "--diff").returncode == 0


def test_the_pipeline_is_deployed(controller: Machine, host: Machine) -> None:
    done = controller.deploy()
    assert done.returncode == 0, done.stdout
    units = ("kafka", "elasticsearch", "login-producer", "login-consumer", "login-report.timer")
    assert host.run(f"systemctl is-active {' '.join(units)}").split() == ["active"] * len(units)


def test_each_event_is_counted(host: Machine) -> None:
    sent = json.loads(host.run("login-producer status --json"))["counters"]["acked"]
    assert sent > 0
    audit = host.run("login-consumer audit")
    assert audit.splitlines()[-1] == "balanced", audit


def test_nothing_is_left_of_the_unpacked_packages(host: Machine) -> None:
    host.run("test ! -e /var/cache/login-pipeline-debian")
    assert "login-pipeline" not in host.run("cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null; true")


def test_a_second_run_changes_nothing(controller: Machine) -> None:
    done = controller.deploy()
    assert done.returncode == 0, done.stdout
    assert changed(done.stdout)[HOST] == 0, done.stdout
