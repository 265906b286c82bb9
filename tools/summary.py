# SPDX-License-Identifier: Apache-2.0
"""summary.py HOST STATE: where to look at a demo host, and counts that grow.

Reads the services' own status commands inside the podman container HOST. Exits 1 when nothing arrives.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SAMPLES = 4
SECONDS_BETWEEN = 3


def on_host(host: str, command: str) -> str:
    """Output of a shell command on the host. Raises CalledProcessError with its error output."""
    return subprocess.run(
        ["podman", "exec", host, "sh", "-c", command], check=True, capture_output=True, text=True
    ).stdout


def kibana(host: str) -> str:
    """The line that says where Kibana is, or how to get it."""
    if on_host(host, "systemctl is-active kibana || true").strip() == "active":
        return "Kibana             https://localhost:5601 (user analyst)"
    return "Kibana             not deployed: no package registry has it; README, Kibana, says how to bring it"


def report(host: str, state: Path) -> Path:
    """Have the page about the logins written, and bring it here. Return where it is."""
    on_host(host, "systemctl start login-report")
    page = state / "report.html"
    written = on_host(host, "cat /var/lib/login-report/report.html")
    page.unlink(missing_ok=True)  # one that an older version has left may be readable for everybody
    page.touch(mode=0o600)
    page.write_text(written, encoding="utf-8")
    return page


def sample(host: str) -> dict[str, Any]:
    producer = json.loads(on_host(host, "login-producer status --json"))["counters"]
    consumer = json.loads(on_host(host, "login-consumer status --json"))
    return {
        "sent": producer["acked"],
        "indexed": consumer["events"],
        "windows": consumer["windows"],
        "dead": consumer["dead_letters"],
        "lag": "-" if consumer["not_read_yet"] is None else consumer["not_read_yet"],
    }


def main(host: str, state: Path) -> int:
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
    try:
        sys.exit(main(sys.argv[1], Path(sys.argv[2])))
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[-1]} failed with exit code {error.returncode}:\n{error.stdout}{error.stderr}")
