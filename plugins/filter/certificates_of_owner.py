# SPDX-License-Identifier: Apache-2.0
"""The certificates of a CA of the owner: brought_certificates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def brought_certificates(leaves: list[dict[str, Any]], stem: str) -> list[dict[str, str]]:
    """Return where a CA of the owner puts the certificates of a host, and their requests; `stem` is folder and host."""
    return [
        {"file": f"{file}.pem", "request": f"{file}.csr", "subject": leaf["subject"]}
        for leaf in leaves
        for file in [f"{stem}.{leaf['name']}"]
    ]


class FilterModule:
    """Ansible looks for a class of this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"brought_certificates": brought_certificates}
