# SPDX-License-Identifier: Apache-2.0
"""Tasks in Ansible's usual order, done by one Python that is kept on each host, where mitogen is installed.

Ansible starts a new Python for each task, and for each item of a loop: most of the time of a run that changes nothing
(docs/performance.md has the measure). Without mitogen, as with an Ansible of the user's own, all is done Ansible's way.
"""

from __future__ import annotations

DOCUMENTATION = """
name: kept_python
short_description: Ansible's linear strategy, by mitogen if that is installed
description:
  - Tasks, their order and their results are those of the strategy linear.
version_added: "0.1"
author: login-pipeline contributors
"""

try:
    # By this name, not by the file's: mitogen's classes must not be loaded twice.
    import ansible_mitogen.affinity
    import ansible_mitogen.loaders
    import ansible_mitogen.strategy
except ImportError:
    from ansible.plugins.strategy.linear import StrategyModule
else:
    # By default mitogen keeps its processes to single processors, and what tasks start on the controller inherits
    # that: a test host would have one processor.
    ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()
    _linear = ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)

    class StrategyModule(ansible_mitogen.strategy.StrategyMixin, _linear):  # type: ignore[no-redef]
        """Ansible looks for a class of this name."""


__all__ = ["StrategyModule"]
