# SPDX-License-Identifier: Apache-2.0
"""summary.py HOST STATE: what a demo host runs, where to look, and counts that grow.

Reads the services' own status commands inside the podman container HOST. Exits 1 when a service does not run or
nothing arrives.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SERVICES = ("kafka", "elasticsearch", "login-producer", "login-consumer")
SAMPLES = 4
SECONDS_BETWEEN = 3


def on_host(host: str, command: str) -> str:
    """Output of a shell command on the host. Raises CalledProcessError with its error output."""
    return subprocess.run(
        ["podman", "exec", host, "sh", "-c", command], check=True, capture_output=True, text=True
    ).stdout


def memory_mb(host: str, service: str) -> int:
    """Resident memory of a service's processes in MB, shared pages counted once for each process."""
    group = f"cat /sys/fs/cgroup/system.slice/{service}.service/cgroup.procs"
    return sum(int(n) for n in on_host(host, f"ps -o rss= -p $({group} | paste -sd,)").split()) // 1024


def kibana(host: str) -> str:
    """The line that says where Kibana is, or how to get it."""
    if on_host(host, "systemctl is-active kibana || true").strip() == "active":
        return "Kibana             https://localhost:5601 (user analyst)"
    return "Kibana             not deployed: no package registry has it; README, Kibana, says how to bring it"


def report(host: str, state: Path) -> Path:
    """Have the page about the logins written, and bring it here. Return where it is."""
    on_host(host, "systemctl start login-report")
    page = state / "report.html"
    page.write_text(on_host(host, "cat /var/lib/login-report/report.html"), encoding="utf-8")
    return page


def sample(host: str) -> dict[str, Any]:
    producer = json.loads(on_host(host, "login-producer status --json"))["counters"]
    consumer = json.loads(on_host(host, "login-consumer status --json"))
    batch = consumer["last_batch"] or {}
    return {
        "sent": producer["acked"],
        "indexed": consumer["events"],
        "windows": consumer["windows"],
        "dead": consumer["dead_letters"],
        "lag": batch.get("lag", "-"),
    }


def main(host: str, state: Path) -> int:
    states = on_host(host, f"systemctl is-active {' '.join(SERVICES)} || true").split()
    print("\nservice            state     memory")
    for service, active in zip(SERVICES, states, strict=True):
        memory = f"{memory_mb(host, service):5} MB" if active == "active" else ""
        print(f"{service:18} {active:8} {memory}")
    if states != ["active"] * len(SERVICES):
        print(f"\nA service does not run: podman exec {host} journalctl -u NAME shows why.", file=sys.stderr)
        return 1
    print(f"""
Elasticsearch      https://localhost:9200 (user elastic)
Kafka              localhost:9094 (SASL_SSL, SCRAM-SHA-512, users admin, producer, consumer, replay)
CA certificate     {state}/ca/ca.pem
Credentials        {state}/secrets.yml
{kibana(host)}
Report             {report(host, state)} (the last 24 hours; open it in a browser)

The counts, every {SECONDS_BETWEEN} s:
      sent   indexed   windows      dead       lag""")
    rows = []
    for number in range(SAMPLES):
        if number:
            time.sleep(SECONDS_BETWEEN)
        rows.append(sample(host))
        print("".join(f"{rows[-1][name]:>10}" for name in ("sent", "indexed", "windows", "dead", "lag")), flush=True)
    if rows[-1]["indexed"] <= rows[0]["indexed"]:
        print(f"\nNothing arrives: podman exec {host} login-consumer check shows which hop fails.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
