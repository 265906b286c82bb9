# SPDX-License-Identifier: Apache-2.0
"""What tests of several sources need."""

import pytest
from login_producer.sources import files, watch


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "POLL_S", 0)
    monkeypatch.setattr(files, "GRACE_S", 0)
    monkeypatch.setattr(files, "_REST", 0)
    monkeypatch.setattr(watch, "_AGAIN_S", 0)
    monkeypatch.setattr(watch, "_PACKING_S", 0)
