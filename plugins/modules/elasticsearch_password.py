#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: wait until an Elasticsearch node lets its first user in, with the password that is wanted.

A password that is being replaced is changed with the old one, through the API. One that was changed elsewhere is told,
never reset. While a node starts it answers 401 to the right password too, so that a refusal counts only from a node
that is up for a while.
"""

from __future__ import annotations

import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.service_api import OPTIONS, Cluster, Refused, basic, outcome

DOCUMENTATION = r"""
module: elasticsearch_password
short_description: The password of Elasticsearch's first user
description: [Waits for a node on this host, and changes the user's password if the node still has an old one.]
options:
  url: {description: The node's URL., type: str, required: true}
  ca_file: {description: CA certificates., type: path, required: true}
  username: {description: A user that may change its own password., type: str, default: elastic}
  password: {description: The password that is wanted., type: str, required: true}
  replaced_passwords:
    description: What the node may still have instead.
    type: list
    elements: str
    default: []
  unit: {description: 'The node''s unit, which tells how long it is up.', type: str, default: elasticsearch}
  wait_seconds: {description: How long to wait for the node., type: int, default: 0}
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  type: list
  elements: str
  returned: success
rejected: {description: 'Whether it failed because the node refuses all passwords.', type: bool, returned: failure}
"""

SETTLED = 60.0  # seconds after its start from which on a node's 401 is its last word
STEP = 1.0


def accepts(cluster: Any, user: str, password: str) -> bool:
    """Log in. Raises Refused if the node can tell nothing."""
    header = basic(user, password)
    return cluster.call("GET", "/_security/_authenticate", authorization=header, missing=401) is not None


def password_change(cluster: Any, user: str, wanted: str, replaced: list[str], check: bool) -> list[str] | None:
    """-> changes, None if the node refuses all passwords. Raises Refused if it can tell nothing."""
    if accepts(cluster, user, wanted):
        return []
    old = next((each for each in replaced if accepts(cluster, user, each)), None)
    if old is None:
        return None
    if not check:
        path = f"/_security/user/{user}/_password"
        # 401: another node's run has done it just now, or this node is still starting
        if cluster.call("POST", path, {"password": wanted}, basic(user, old), missing=401) is None:
            return None
    return [f"user {user}: password changed"]


def up_seconds(unit: str) -> float:
    """Return how long a unit is up, 0 if it is not."""
    shown = "ActiveState,ActiveEnterTimestampMonotonic"
    command = ["systemctl", "show", unit, f"--property={shown}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    values = dict(line.split("=", 1) for line in told.splitlines())
    if values["ActiveState"] != "active":
        return 0.0
    return time.monotonic() - int(values["ActiveEnterTimestampMonotonic"]) / 1e6


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "replaced_passwords": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "unit": {"type": "str", "default": "elasticsearch"},
            "wait_seconds": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    told, cluster = module.params, Cluster(module.params)
    user, end = told["username"], time.monotonic() + told["wait_seconds"]
    while True:
        try:
            changes = password_change(
                cluster, user, told["password"], told["replaced_passwords"], check=module.check_mode
            )
        except Refused as error:
            last = str(error)
        else:
            if changes is not None:
                module.exit_json(**outcome(changes))
            last = "it answers 401, as a node does while it starts"
            if up_seconds(told["unit"]) > SETTLED:
                module.fail_json(
                    rejected=True,
                    msg=f"Elasticsearch rejects the stored password of its user {user} (401): it was changed outside "
                    "this deployment. Nothing was changed. Put the password that is in use into the store of secrets, "
                    "or set the stored one in Elasticsearch, and run this again",
                )
        if time.monotonic() >= end:
            where, seconds = told["url"], told["wait_seconds"]
            module.fail_json(msg=f"{where} did not let its user {user} in within {seconds} s: {last}")
        time.sleep(STEP)


if __name__ == "__main__":
    main()
