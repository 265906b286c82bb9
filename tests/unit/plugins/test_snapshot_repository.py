# SPDX-License-Identifier: Apache-2.0
"""The repository of the backups: registered if it differs, tried each time; really: tests/pipeline/test_backup.py."""

from typing import Any

import pytest
from ansible.module_utils.service_api import Refused
from elasticsearch_resources import repository_change

HERE = {"type": "fs", "settings": {"location": "/srv/backup"}, "uuid": "u"}


class Cluster:
    """Holds one repository, and keeps what is asked."""

    def __init__(self, stored: dict[str, Any] | None, works: bool = True) -> None:
        self.stored, self.works = stored, works
        self.asked: list[str] = []

    def call(self, method: str, path: str, body: Any = None, missing: int | None = 404) -> Any:
        self.asked.append(method)
        if method == "POST" and not self.works:
            raise Refused("POST: 500: [[a-1] is not accessible]")
        return {"backups": self.stored} if method == "GET" and self.stored else None


@pytest.mark.parametrize(
    ("stored", "folder", "check", "changes", "asked"),
    [
        (None, "/srv/backup", False, ["snapshot repository backups: registered"], ["GET", "PUT", "POST"]),
        (None, "/srv/backup", True, ["snapshot repository backups: registered"], ["GET"]),
        (HERE, "/srv/backup", False, [], ["GET", "POST"]),
        (HERE, "/srv/other", False, ["snapshot repository backups: changed"], ["GET", "PUT", "POST"]),
        ({"type": "s3", "settings": {}}, "", False, [], ["GET", "POST"]),
    ],
)
def test_a_repository(stored: Any, folder: str, check: bool, changes: list[str], asked: list[str]) -> None:
    cluster: Any = Cluster(stored)
    assert repository_change(cluster, "backups", folder, check) == changes
    assert cluster.asked == asked


def test_one_that_is_there_and_cannot_be_written_is_refused() -> None:
    cluster: Any = Cluster(HERE, works=False)
    with pytest.raises(Refused, match=r"not every node .* one file system that all share: .*a-1"):
        repository_change(cluster, "backups", "/srv/backup", False)


def test_one_that_was_named_and_is_not_there_is_refused() -> None:
    cluster: Any = Cluster(None)
    with pytest.raises(Refused, match=r"has no snapshot repository backups: register it"):
        repository_change(cluster, "backups", "", False)
