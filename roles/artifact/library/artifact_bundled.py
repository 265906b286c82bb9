#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Checks a bundle, or one file of it, against the bundle's manifest."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.artifact_bundle import bundled, contents
from ansible.module_utils.artifact_hashes import ArtifactError
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: artifact_bundled
short_description: Checks a bundle, or one file of it, against the bundle's manifest
description:
  - Fails with both hashes at the first file that is not what it was when the bundle was made.
options:
  bundle_dir: {type: path, required: true, description: Folder of the bundle.}
  name: {type: str, default: "", description: "The file's name below that folder; empty for all files."}
author: The login data pipeline
"""
RETURN = """
path: {type: str, returned: always, description: Path of the file or of the bundle.}
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={"bundle_dir": {"type": "path", "required": True}, "name": {"type": "str", "default": ""}},
        supports_check_mode=True,
    )
    bundle, name = Path(module.params["bundle_dir"]), module.params["name"]
    try:
        for each in [name] if name else contents(bundle):
            bundled(bundle, each)
        module.exit_json(changed=False, path=str(bundle / name))
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
