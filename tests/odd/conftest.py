# SPDX-License-Identifier: Apache-2.0
"""Fixtures: those of tests/pipeline, imported and not named as a plugin, since tests of there run beside these."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT), str(ROOT / "tests/pipeline"), str(ROOT / "tests/support")]

from tests.pipeline.conftest import (  # noqa: E402  (found by the path set above)
    deployment,
    elastic,
    host,
    inventory,
    kafka,
    ledger,
    pipeline,
    tunnel,
)

__all__ = ["deployment", "elastic", "host", "inventory", "kafka", "ledger", "pipeline", "tunnel"]
