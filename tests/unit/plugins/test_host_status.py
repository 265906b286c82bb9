# SPDX-License-Identifier: Apache-2.0
"""What a host tells of itself; with real hosts: tests/pipeline/test_status.py."""

from pathlib import Path
from typing import Any

import host_status
import pytest
from host_status import api_keys


def key(name: str, creation: int, **other: Any) -> dict[str, Any]:
    return {"name": name, "creation": creation, "invalidated": False, **other}


def test_of_each_api_key_the_newest_counts_that_is_valid() -> None:
    found = [
        key("login-a", 3, expiration=3000, invalidated=True),
        key("login-a", 2, expiration=2000),
        key("login-a", 1, expiration=1000),
        key("login-b", 1),
        key("login-of-a-person", 1, expiration=1000),
    ]
    assert api_keys(found, ["login-c", "login-a", "login-b"]) == {"login-a": 2.0, "login-b": None, "login-c": 0}


@pytest.mark.parametrize("file", [f"lib/python3.{minor}/site-packages/login_common/VERSION" for minor in (11, 13)])
def test_the_status_tells_it_before_the_hash_of_the_build(tmp_path: Path, file: str) -> None:
    build = tmp_path / "694521bf"
    (build / file).parent.mkdir(parents=True)
    (build / file).write_text("1.2.3\n")
    (tmp_path / "current").symlink_to("694521bf")
    assert host_status.version(str(tmp_path)) == "1.2.3-694521bf"


def test_the_status_tells_other_builds_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to("4.4.0-b1cf326f")
    (tmp_path / "4.4.0-b1cf326f").mkdir()
    assert host_status.version(str(tmp_path)) == "4.4.0-b1cf326f"
    assert host_status.version(str(tmp_path / "nowhere")) == ""
    assert host_status.version("") == ""
