#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: what one host of the pipeline tells of itself. Changes nothing; a fault is an answer like others.

What the answers are worth is judged on the controller, where those of all hosts come together.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.service_api import Cluster, Refused

DOCUMENTATION = r"""
module: host_status
short_description: What one host of the pipeline tells of itself
description: [Looks at units, software, doors, disks and the services' own status. Changes nothing.]
options:
  units: {description: 'Units that must run, or patterns of instances.', type: list, elements: str, default: []}
  jobs: {description: Units that a timer starts., type: list, elements: str, default: []}
  software: {description: Mapping of a unit to the folder of its builds., type: dict, default: {}}
  doors:
    description: TLS listeners of this host; each with name, host and port. One whose service is not there is left out.
    type: list
    elements: dict
    default: []
  ca_file: {description: CA certificates that the doors' certificates are checked with., type: path, required: true}
  disks: {description: Folders whose file systems are looked at., type: list, elements: path, default: []}
  consumer: {description: Whether the consumer runs here., type: bool, default: false}
  backups: {description: Whether backups are made here., type: bool, default: false}
  elasticsearch_url: {description: 'Elasticsearch of this host, if there is one.', type: str, default: ''}
  elasticsearch_password: {description: Password of the user elastic., type: str, default: ''}
  api_keys: {description: Names of API keys of Elasticsearch to look at., type: list, elements: str, default: []}
"""

RETURN = r"""
status: {description: Mapping with the answers., type: dict, returned: success}
"""

SYSTEMD = Path("/etc/systemd/system")
PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "StateChangeTimestamp",
    "NRestarts",
    "ControlGroup",
)
CONSUMER_TIMEOUT_S = 120
DOOR_TIMEOUT_S = 10
PAGE = os.sysconf("SC_PAGE_SIZE")


def output(*command: str, timeout: float | None = 30) -> str:
    """Return what a command prints. Raises OSError, SubprocessError."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout).stdout


def instances(pattern: str) -> set[str]:
    """Return the units of a pattern that systemd knows, or that are to start at boot."""
    known = output("systemctl", "list-units", "--all", "--plain", "--no-legend", pattern).splitlines()
    return {line.split()[0] for line in known} | {link.name for link in SYSTEMD.glob(f"*.wants/{pattern}")}


def units(names: list[str], job: bool, software: dict[str, str]) -> list[dict[str, Any]]:
    wanted = sorted(set().union(*(instances(name) if "*" in name else {name} for name in names)))
    if not wanted:
        return []
    told = output("systemctl", "show", "--timestamp=unix", f"--property={','.join(PROPERTIES)}", *wanted)
    parts = [dict(line.split("=", 1) for line in part.splitlines()) for part in told.strip().split("\n\n")]
    return [unit(name, part, job, software) for name, part in zip(wanted, parts, strict=True)]


def unit(name: str, told: dict[str, str], job: bool, software: dict[str, str]) -> dict[str, Any]:
    since = told["StateChangeTimestamp"].removeprefix("@")
    service = name.removesuffix(".service")
    return {
        "name": service,
        "job": job,
        "there": told["LoadState"] == "loaded",
        "state": told["ActiveState"],
        "substate": told["SubState"],
        "enabled": told["UnitFileState"] == "enabled",
        "result": told.get("Result", ""),
        "since": int(since) if since.isdigit() else None,
        "restarts": int(told.get("NRestarts") or 0),
        "memory_mb": memory_mb(told.get("ControlGroup", "")),
        "version": version(software.get(service.split("@")[0], "")),
    }


def memory_mb(group: str) -> int:
    """Return the resident memory of a unit's processes, shared pages counted once for each."""
    pages = 0
    try:
        for process in Path(f"/sys/fs/cgroup{group}/cgroup.procs").read_text().split() if group else ():
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except OSError:  # a process, or all of them, has ended meanwhile
        pass
    return pages * PAGE // 2**20


def version(folder: str) -> str:
    """Return the build that a folder's `current` is, the pipeline's version before the hash of an own program."""
    link = Path(folder) / "current"
    if not folder or not link.is_symlink():
        return ""
    told = next(iter(link.glob("lib/python3.*/site-packages/login_common/VERSION")), None)
    own = f"{told.read_text(encoding='ascii').strip()}-" if told and told.is_file() else ""
    return own + str(link.readlink())


def door(name: str, host: str, port: int, ca_file: str) -> dict[str, Any]:
    """Return when the certificate ends that this listener shows, or why none can be had."""
    told: dict[str, Any] = {"name": name, "port": port, "certificate_ends": None, "fault": ""}
    try:
        context = ssl.create_default_context(cafile=ca_file)
        with (
            socket.create_connection((host, port), timeout=DOOR_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            told["certificate_ends"] = ssl.cert_time_to_seconds(wrapped.getpeercert()["notAfter"])
    except OSError as error:  # all errors of ssl are among them
        told["fault"] = str(error)
    return told


def ca_ends(ca_file: str) -> list[float]:
    """Return when each of the CA certificates ends that are trusted, the first first; none without a CA."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError:
        return []
    return sorted(ssl.cert_time_to_seconds(each["notAfter"]) for each in context.get_ca_certs())


def disk(folder: str) -> dict[str, Any]:
    path = Path(folder)
    while not path.exists():
        path = path.parent
    told = os.statvfs(path)
    free, total = (number * told.f_frsize >> 20 for number in (told.f_bavail, told.f_blocks))
    # some file systems make inodes as they are needed, and tell none
    files = 100 * told.f_favail // told.f_files if told.f_files else 100
    return {
        "folder": folder,
        "device": path.stat().st_dev,
        "free_mb": free,
        "total_mb": total,
        "free_files_percent": files,
    }


def producers() -> list[dict[str, Any]]:
    """Return what running producers say of themselves; each writes a file once a second."""
    told = []
    for file in sorted(Path("/run").glob("login-producer*/status.json")):
        # the folder of login-producer@journal is login-producer-journal
        name = file.parent.name.replace("login-producer-", "login-producer@", 1)
        try:
            told.append({"name": name, "fault": "", **json.loads(file.read_text())})
        except (OSError, ValueError) as error:
            told.append({"name": name, "fault": f"{file}: {error}"})
    return told


def consumer(command: str) -> dict[str, Any]:
    """Return what a command of login-consumer tells, or its fault."""
    try:
        return {"fault": "", **json.loads(output("login-consumer", command, "--json", timeout=CONSUMER_TIMEOUT_S))}
    except subprocess.CalledProcessError as error:
        return {"fault": error.stderr.strip().splitlines()[-1] if error.stderr.strip() else str(error)}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return {"fault": str(error)}


def elasticsearch(url: str, password: str, ca_file: str, keys: list[str]) -> dict[str, Any]:
    cluster = Cluster({"url": url, "ca_file": ca_file, "username": "elastic", "password": password})
    try:
        health = cluster.call("GET", "/_cluster/health?level=indices")
        found = cluster.call("GET", "/_security/api_key?name=login-*")["api_keys"] if keys else []
    except Refused as error:
        return {"fault": str(error)}
    told = {key: health[key] for key in ("status", "number_of_nodes", "unassigned_shards")}
    indices = {name: each["status"] for name, each in health["indices"].items() if each["status"] != "green"}
    return {"fault": "", **told, "indices": dict(sorted(indices.items())), "api_keys": api_keys(found, keys)}


def api_keys(found: list[dict[str, Any]], wanted: list[str]) -> dict[str, float | None]:
    """Return when each of these API keys ends, in seconds since 1970: None for never, 0 if there is none of the name.

    One that is being renewed has a successor of the same name, which counts.
    """
    newest = {key["name"]: key for key in sorted(found, key=lambda each: each["creation"]) if not key["invalidated"]}
    ends: dict[str, float | None] = dict.fromkeys(sorted(wanted), 0)
    for name in ends.keys() & newest.keys():
        ends[name] = newest[name]["expiration"] / 1000 if "expiration" in newest[name] else None
    return ends


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "str", "default": []},
            "jobs": {"type": "list", "elements": "str", "default": []},
            "software": {"type": "dict", "default": {}},
            "doors": {"type": "list", "elements": "dict", "default": []},
            "ca_file": {"type": "path", "required": True},
            "disks": {"type": "list", "elements": "path", "default": []},
            "consumer": {"type": "bool", "default": False},
            "backups": {"type": "bool", "default": False},
            "elasticsearch_url": {"type": "str", "default": ""},
            "elasticsearch_password": {"type": "str", "default": "", "no_log": True},
            "api_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
        },
        supports_check_mode=True,
    )
    told, ca = module.params, module.params["ca_file"]
    url, password = told["elasticsearch_url"], told["elasticsearch_password"]
    status = {
        "units": units(told["units"], False, told["software"]) + units(told["jobs"], True, told["software"]),
        "doors": [
            door(each["name"], each["host"], int(each["port"]), ca)
            for each in told["doors"]
            if (SYSTEMD / f"{each['name']}.service").exists()
        ],
        "ca_ends": ca_ends(ca),
        "disks": [disk(folder) for folder in told["disks"]],
        "producers": producers(),
        "consumer": consumer("status") if told["consumer"] else None,
        "backups": consumer("backups") if told["backups"] else None,
        "elasticsearch": elasticsearch(url, password, ca, told["api_keys"]) if url else None,
    }
    module.exit_json(changed=False, status=status)


if __name__ == "__main__":
    main()
