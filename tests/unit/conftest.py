# SPDX-License-Identifier: Apache-2.0
"""What all unit tests need: Ansible's settings, and reports that can be sent from one process to another."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

# Ansible as part of a test process goes by the project's own settings, wherever pytest was called.
os.environ["ANSIBLE_CONFIG"] = str(Path(__file__).parents[2] / "ansible.cfg")  # read when Ansible is imported


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape names of files that are no UTF-8 in what was logged: pytest-xdist cannot send them."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report
