# SPDX-License-Identifier: Apache-2.0
"""Which versions of products may be chosen, and which are going to change: locked_versions, version_steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def locked_versions(
    versions: Mapping[str, str], products: Mapping[str, Mapping[str, Any]], sources: Mapping[str, str], source: str
) -> list[str]:
    """Return the products whose chosen version would not be taken: they come from the registry, in a locked version."""
    return [
        product
        for product in versions
        if sources.get(product, source) == "registry" and "registry" in products.get(product, {})
    ]


def version_steps(steps: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Return a line for each product that gets another version, from the steps by host and product (artifact_step)."""
    return [
        f"{host}: {product} {step['installed']} -> {step['wanted']}"
        for host, products in steps.items()
        for product, step in products.items()
        if step["kind"] in ("forward", "back")
    ]


class FilterModule:
    """Ansible looks for a class of this name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"locked_versions": locked_versions, "version_steps": version_steps}
