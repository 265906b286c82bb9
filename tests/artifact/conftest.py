# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a run of the role, and a publisher's site on loopback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import ansible.module_utils
import pytest

HERE = Path(__file__).parent
ROLE = HERE.parents[1] / "roles" / "artifact"
# Ansible merges a role's modules and module_utils into its own; here the same is done for plain imports.
ansible.module_utils.__path__.append(str(ROLE / "module_utils"))
sys.path += [str(HERE), str(ROLE / "library")]

from artifact_kit import Play, Site, certificate, run_role, serve  # noqa: E402  (found by the path set above)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Return a function that runs an entry point of the role with variables."""
    return functools.partial(run_role, tmp_path)


@pytest.fixture(params=[True])
def site(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site over HTTPS, or over HTTP where a test asks for it by indirect parameter False."""
    made = Site(tmp_path / "site")
    made.folder.mkdir()
    server = serve(made, certificate(tmp_path) if request.param else None)
    monkeypatch.setenv("SSL_CERT_FILE", made.certificate)
    yield made
    server.shutdown()
    server.server_close()
