# SPDX-License-Identifier: Apache-2.0
"""The modules find their shared code as Ansible gives it to them."""

from pathlib import Path

import ansible.module_utils

ansible.module_utils.__path__.append(str(Path(__file__).parents[3] / "plugins/module_utils"))
