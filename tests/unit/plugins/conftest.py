# SPDX-License-Identifier: Apache-2.0
"""The modules find their shared code as Ansible gives it to them."""

from pathlib import Path

import ansible.module_utils

ROOT = Path(__file__).parents[3]
ansible.module_utils.__path__ += [
    str(ROOT / folder) for folder in ("plugins/module_utils", "roles/artifact/module_utils", "roles/kafka/module_utils")
]
