# SPDX-License-Identifier: Apache-2.0
"""How often systemd has started the pipeline's services."""

from __future__ import annotations

import json
from collections import Counter

from testinfra.host import Host

# systemd's message id of "unit has been started"
STARTED = "39f53479d3a045ac8e11786248231fbf"


def starts(host: Host) -> Counter[str]:
    """Return how often each unit has been started since boot; not the jobs of timers, whose hour may come any time."""
    # process 1: a login's own systemd tells of other units
    command = f"journalctl --boot --quiet --output=json --output-fields=UNIT _PID=1 MESSAGE_ID={STARTED}"
    lines = host.check_output(command)
    jobs = host.check_output("systemctl show --property=Unit --value 'login-*.timer'").split()
    return Counter(unit for line in lines.splitlines() if (unit := json.loads(line)["UNIT"]) not in jobs)


def services(counts: Counter[str]) -> Counter[str]:
    """Leave out what systemd starts by itself, such as sessions."""
    return Counter(
        {unit: number for unit, number in counts.items() if unit.startswith(("kafka", "elasticsearch", "login-"))}
    )
