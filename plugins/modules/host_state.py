#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: what a host is like before anything is changed there. Changes nothing itself."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: host_state
short_description: What a host is like before anything is changed there
description:
  - Reads in one call what the preflight decides from. Changes nothing.
options:
  folders: {description: 'Folders, or where they are going to be.', type: list, elements: path, default: []}
  services: {description: Units of which those that are active are returned., type: list, elements: str, default: []}
"""

RETURN = r"""
state:
  description:
    - uid of the tasks; now, in seconds since 1970; map_count, vm.max_map_count, and whether it is map_count_writable;
      user_namespaces, whether root can make one; listening, the addresses with port that somebody listens on;
      active, the services, and 'login' if software of the pipeline lies in /opt; apt_lists, how many lists of
      packages apt has; free, megabytes by folder.
  type: dict
  returned: success
"""

MAX_MAP_COUNT = Path("/proc/sys/vm/max_map_count")
APT_LISTS = Path("/var/lib/apt/lists")
OPT = Path("/opt")


def listening(ss_output: str) -> list[str]:
    """Return ADDRESS:PORT from the lines of `ss -Hltn`, IPv6 without brackets, IPv4 of a socket for both as IPv4."""
    fields = (line.split() for line in ss_output.splitlines())
    addresses = {each[3] for each in fields if len(each) > 3}
    return sorted(each.replace("[", "").replace("]", "").replace("::ffff:", "") for each in addresses)


def free_mb(folder: Path) -> int:
    """Return the free megabytes of the file system where a folder lies, or is going to lie."""
    while not folder.is_dir():
        folder = folder.parent
    return shutil.disk_usage(folder).free // 2**20


def state(module: AnsibleModule) -> dict[str, Any]:
    def succeeds(*command: str) -> bool:
        code, _out, _err = module.run_command(list(command))
        return bool(code == 0)

    _code, sockets, _err = module.run_command(["ss", "-Hltn"], check_rc=True)
    active = [each for each in module.params["services"] if succeeds("systemctl", "is-active", "--quiet", each)]
    return {
        "uid": os.geteuid(),
        "now": int(time.time()),
        "map_count": int(MAX_MAP_COUNT.read_text()),
        "map_count_writable": os.access(MAX_MAP_COUNT, os.W_OK),
        "user_namespaces": succeeds("unshare", "--user", "true"),
        "listening": listening(sockets),
        "active": active + (["login"] if any(OPT.glob("login-*")) else []),
        "apt_lists": len(list(APT_LISTS.rglob("*Packages*"))),
        "free": {each: free_mb(Path(each)) for each in module.params["folders"]},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folders": {"type": "list", "elements": "path", "default": []},
            "services": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, state=state(module))


if __name__ == "__main__":
    main()
