# SPDX-License-Identifier: Apache-2.0
"""Ansible as part of a test process goes by the project's own settings, wherever pytest was called."""

import os
from pathlib import Path

os.environ["ANSIBLE_CONFIG"] = str(Path(__file__).parents[2] / "ansible.cfg")  # read when Ansible is imported
