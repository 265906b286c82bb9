#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Tells the step from a product's installed version to the wanted one, and whether its vendor allows it."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.artifact_steps import misfit, step
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: artifact_step
short_description: Tells the step from a product's installed version to the wanted one
description:
  - Runs on the host, changes nothing, and fails if the vendor does not allow the step.
options:
  product: {type: str, required: true, description: Name of the product.}
  dest: {type: path, required: true, description: "Folder of its builds; current points to the one in use."}
  wanted: {type: str, required: true, description: The version that is to be installed.}
  data:
    description: What an installed version has written. Where it is not there, any version will do.
    type: str
    default: ""
  writer:
    description: The version that has written it, if that is known; otherwise it is taken to be the installed one.
    type: str
    default: ""
  elasticsearch: {type: str, default: "", description: "For Kibana: the version of Elasticsearch that is wanted."}
author: The login data pipeline
"""
RETURN = """
installed: {type: str, returned: always, description: "Version that is installed, or empty."}
wanted: {type: str, returned: always, description: Version that is wanted.}
kind: {type: str, returned: always, description: "first, same, forward or back."}
"""


def installed_version(dest: Path) -> str:
    """Return the version that the name of the current build tells; the digits of its hash are left out."""
    current = dest / "current"
    return current.readlink().name.rpartition("-")[0] if current.is_symlink() else ""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "product": {"type": "str", "required": True},
            "dest": {"type": "path", "required": True},
            "wanted": {"type": "str", "required": True},
            "data": {"type": "str", "default": ""},
            "writer": {"type": "str", "default": ""},
            "elasticsearch": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted, data = params["wanted"], params["data"]
    installed = installed_version(Path(params["dest"]))
    try:
        writer = params["writer"] or (installed if not data or Path(data).exists() else "")
        found = step(params["product"], installed, wanted, data, writer)
        refusal = found.refusal or (misfit(wanted, params["elasticsearch"]) if params["elasticsearch"] else "")
    except ValueError as error:
        module.fail_json(msg=str(error))
    result = {"installed": installed, "wanted": wanted, "kind": found.kind}
    if refusal:
        module.fail_json(msg=f"Nothing was changed. {refusal}", **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
