# SPDX-License-Identifier: Apache-2.0
"""What a host tells before anything is changed there; on hosts, each deployment of the tests asks."""

from __future__ import annotations

from pathlib import Path

import host_state
import pytest

SOCKETS = """\
LISTEN 0      128          0.0.0.0:22         0.0.0.0:*
LISTEN 0      4096       127.0.0.1:9092       0.0.0.0:*
LISTEN 0      4096            [::]:22            [::]:*
LISTEN 0      4096               *:9200             *:*
LISTEN 0      4096  [::ffff:10.0.0.1]:9300        *:*
LISTEN 0      4096           [::1]:9300          [::]:*
"""


def test_who_listens() -> None:
    assert host_state.listening(SOCKETS) == sorted(
        ["0.0.0.0:22", "127.0.0.1:9092", ":::22", "*:9200", "10.0.0.1:9300", "::1:9300"]
    )
    assert host_state.listening("") == []


def test_a_folder_that_is_not_there_yet_has_the_space_of_where_it_will_be(tmp_path: Path) -> None:
    assert host_state.free_mb(tmp_path / "a/b/c") == pytest.approx(host_state.free_mb(tmp_path), rel=0.1)
    assert host_state.free_mb(tmp_path) > 0
