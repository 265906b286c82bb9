# SPDX-License-Identifier: Apache-2.0
"""All units of all roles: what keeps each of them alive, apart from the others, and within bounds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"
SERVICES = {path.name.removesuffix(".j2"): path for path in ROLES.glob("*/templates/*.service.j2")}
TIMERS = {path.name.removesuffix(".j2"): path for path in ROLES.glob("*/templates/*.timer.j2")}
# Drop-ins for Debian's own units
DROP_INS = {path.name.removesuffix(".conf.j2") + ".service": path for path in ROLES.glob("metrics/templates/*.conf.j2")}
UNITS = SERVICES | DROP_INS
JOBS = {timer.replace(".timer", ".service") for timer in TIMERS}
LASTING = sorted(UNITS.keys() - JOBS)

# With these exit codes a service stays ended: what was to be done is done, or a person has to act.
ENDS_FOR_GOOD = {
    "kibana.service": "64 78",  # wrong settings
    "login-backup-verify.service": "2 3",
    "login-backup.service": "2 3",
    "login-consumer.service": "2 3",  # wrong settings; an operator's decision
    "login-producer.service": "0 2",  # all that there was is sent; wrong settings
    "login-report.service": "2 3",
    "login-retention.service": "2 3",
}
# A limit would count the page cache that they live on; their heap is fixed.
UNLIMITED_MEMORY = {"elasticsearch.service", "kafka.service"}


def _variables() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("pipeline", "metrics"):
        found |= yaml.safe_load((ROLES / name / "vars/main.yml").read_text())
    return found


def properties(unit: str) -> dict[str, str]:
    """Return the properties of a unit as its template has them: the last of each, conditions taken as true."""
    text, variables = UNITS[unit].read_text(), _variables()
    while included := re.search(r"^\{\{ (pipeline_unit_hardening|__metrics_service) \}\}$", text, re.MULTILINE):
        text = text.replace(included[0], variables[included[1]])
    lines = (line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w+=", line))
    return {name: value for name, value in lines}


def test_every_unit_is_looked_at() -> None:
    assert {"kafka.service", "login-consumer.service", "prometheus-node-exporter.service"} <= set(LASTING)
    backups = {"login-backup.service", "login-backup-verify.service"}
    assert backups | {"login-report.service", "login-retention.service"} == JOBS


@pytest.mark.parametrize("unit", LASTING)
def test_a_lasting_service_comes_back_after_any_end(unit: str) -> None:
    """But by 'systemctl stop': systemd takes an end by SIGHUP, SIGINT or exit code 0 for a clean one."""
    found = properties(unit)
    assert found["Restart"] == "always" and int(found["RestartSec"]) > 0
    assert found["StartLimitIntervalSec"] == "0", "it is given up after some tries"


@pytest.mark.parametrize("unit", sorted(JOBS))
def test_a_job_is_tried_again_when_it_fails(unit: str) -> None:
    found = properties(unit)
    assert found["Type"] == "oneshot" and found["Restart"] == "on-failure" and int(found["RestartSec"]) >= 60
    assert found["StartLimitIntervalSec"] == "0" and "TimeoutStartSec" in found


@pytest.mark.parametrize("timer", sorted(TIMERS))
def test_what_a_timer_has_missed_is_made_up_for(timer: str) -> None:
    """While the host was off, and when the clock was set back: systemd counts from the time of the last run."""
    lines = TIMERS[timer].read_text().splitlines()
    assert "Persistent=true" in lines and "OnClockChange=true" in lines


def test_only_these_ends_are_for_good() -> None:
    told = {unit: properties(unit).get("RestartPreventExitStatus") for unit in UNITS}
    assert {unit: codes for unit, codes in told.items() if codes} == ENDS_FOR_GOOD


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_every_unit_is_kept_apart_and_within_bounds(unit: str) -> None:
    found = properties(unit)
    assert found["NoNewPrivileges"] == "true" and found["ProtectSystem"] == "strict"
    # Another process of the same user is out of reach, and with it what /proc/PID/root shows of its files
    assert found["PrivateUsers"] == "true"
    assert found["LimitCORE"] == "0", "a core has the secrets of the process in it"
    assert ("MemoryMax" in found) == (unit not in UNLIMITED_MEMORY)
