# SPDX-License-Identifier: Apache-2.0
"""What a lower retention changes: shorter_retentions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_DAYS = re.compile(r"^([a-z_]+_days) = ([0-9]+)$", re.MULTILINE)


def shorter_retentions(settings: str, wanted: Mapping[str, int | str]) -> list[str]:
    """Return a line for each retention, in days, that is shorter than what a host's retention.toml has."""
    return [
        f"{name}: {wanted[name]} instead of {days}"
        for name, days in _DAYS.findall(settings)
        if name in wanted and int(wanted[name]) < int(days)
    ]


class FilterModule:
    """Ansible looks for a class of this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"shorter_retentions": shorter_retentions}
