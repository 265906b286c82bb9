#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: take the lock of a host for a run. Called by the action plugin of the same name."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.run_lock import Process, keepers, take

DOCUMENTATION = r"""
module: run_lock
short_description: Keep other runs away from a host, or from the state folder on the controller
description:
  - Fails if another run holds the lock, which ends with the run. In check mode nothing is done.
  - run and ended are given by the action plugin.
options:
  state_dir: {description: 'The folder of secrets and CA, to be locked instead of the host.', type: path}
  path: {description: The lock file., type: path, default: /run/login-pipeline.lock}
  run: {description: Whose run it is., type: dict}
  ended: {description: Processes of runs that are known to be over., type: list, elements: list, default: []}
"""

RETURN = r"""
holder: {description: 'The run that holds the lock, empty if it was taken.', type: dict, returned: success}
"""


def main() -> None:
    module = AnsibleModule(
        {
            "state_dir": {"type": "path"},
            "path": {"type": "path", "default": "/run/login-pipeline.lock"},
            "run": {"type": "dict"},
            "ended": {"type": "list", "elements": "list", "default": []},
        }
    )
    path, run = Path(module.params["path"]), module.params["run"]
    ended = [Process(*each) for each in module.params["ended"]]
    try:
        holder = take(path, run, keepers(Process(*run["process"])), ended)
    except OSError as error:
        module.fail_json(f"The lock {path} cannot be taken: {error.strerror}")
    module.exit_json(changed=False, holder=holder or {})


if __name__ == "__main__":
    main()
