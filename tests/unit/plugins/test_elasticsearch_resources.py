# SPDX-License-Identifier: Apache-2.0
"""New fields of a template come to the indices that are there, or nothing is changed; a pattern has an index."""

from typing import Any

import pytest
from ansible.module_utils.service_api import HASH, Refused, hash_of
from elasticsearch_resources import first_index_changes, need_winning, template_changes

KEYWORD, DATE = {"type": "keyword"}, {"type": "date"}
WANTED = {"reason": KEYWORD, "replay": {"properties": {"state": KEYWORD, "at": DATE}}}
BODY = {"index_patterns": ["letters-*"], "template": {"mappings": {"properties": WANTED}}}


class Cluster:
    """Holds one template's metadata and the fields of indices, and keeps what is written."""

    def __init__(self, meta: dict[str, Any] | None, indices: dict[str, Any]) -> None:
        self.meta, self.indices = meta, indices
        self.written: list[str] = []
        self.refuses = ""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        if method == "PUT":
            if path == self.refuses:
                raise Refused("400")
            self.written.append(path)
            return {}
        if path.startswith("/_index_template/"):
            return {"index_templates": [{"index_template": {"_meta": self.meta}}]} if self.meta is not None else None
        if path.startswith("/_resolve/index/"):
            return {"indices": [{"name": index} for index in self.indices if index.startswith(path[16:-1])]}
        assert path == "/letters-*/_mapping"
        return {index: {"mappings": {"properties": fields}} for index, fields in self.indices.items()}


def changes(cluster: Any, check: bool = False) -> list[str]:
    return template_changes(cluster, {"letters": BODY}, check)


def test_new_fields_come_to_old_indices_before_the_template() -> None:
    old = {"letters-1": {"reason": KEYWORD}, "letters-2": WANTED, "letters-3": {"replay": {"properties": {"at": DATE}}}}
    cluster = Cluster({HASH: "old"}, old)
    assert changes(cluster) == [
        "index letters-1: fields added: replay",
        "index letters-3: fields added: reason, replay.state",
        "index template letters: changed",
    ]
    assert cluster.written == ["/letters-1/_mapping", "/letters-3/_mapping", "/_index_template/letters"]


def test_check_mode_tells_and_writes_nothing() -> None:
    cluster = Cluster({HASH: "old"}, {"letters-1": {}})
    assert changes(cluster, check=True) == [
        "index letters-1: fields added: reason, replay",
        "index template letters: changed",
    ]
    assert cluster.written == []


def test_a_template_that_is_as_wanted_is_left() -> None:
    cluster = Cluster({HASH: hash_of(BODY)}, {"letters-1": WANTED})
    assert changes(cluster) == []
    assert cluster.written == []


def test_a_restored_index_gets_its_fields_though_the_template_is_as_wanted() -> None:
    cluster = Cluster({HASH: hash_of(BODY)}, {"letters-1": {"reason": KEYWORD}})
    assert changes(cluster) == ["index letters-1: fields added: replay"]
    assert cluster.written == ["/letters-1/_mapping"]


def test_a_first_template_has_no_indices() -> None:
    cluster = Cluster(None, {})
    assert changes(cluster) == ["index template letters: created"]


@pytest.mark.parametrize("check", [True, False])
def test_another_type_is_told_before_anything_is_written(check: bool) -> None:
    odd = {"replay": {"properties": {"at": KEYWORD}}}
    cluster = Cluster({HASH: "old"}, {"letters-1": {}, "letters-2": odd})
    with pytest.raises(Refused, match=r"index letters-2 has .* replay.at is keyword, wanted is date.*_reindex"):
        changes(cluster, check)
    assert cluster.written == []


def test_an_index_that_refuses_is_named_and_the_template_stays() -> None:
    cluster = Cluster({HASH: "old"}, {"letters-1": {}})
    cluster.refuses = "/letters-1/_mapping"
    with pytest.raises(Refused, match="letters was left as it was, since index letters-1"):
        changes(cluster)
    assert cluster.written == []


@pytest.mark.parametrize(("check", "written"), [(False, ["/letters-2026.11"]), (True, [])])
def test_a_pattern_without_an_index_gets_one(check: bool, written: list[str]) -> None:
    cluster = Cluster(None, {"events-2025.01": {}})
    wanted = {"events-*": "events-2026.11", "letters-*": "letters-2026.11"}
    assert first_index_changes(cluster, wanted, check) == ["index letters-2026.11: created, the first one of letters-*"]
    assert cluster.written == written


class Simulated:
    """Answers what shapes an index: the templates that match and do not win."""

    def __init__(self, *overlapping: str) -> None:
        self.overlapping, self.asked = overlapping, []

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self.asked.append(f"{method} {path}")
        return {"template": {}, "overlapping": [{"name": name, "index_patterns": ["*"]} for name in self.overlapping]}


def test_an_index_is_not_made_by_a_foreign_template() -> None:
    first = {"letters-*": "letters-2026.03"}
    templates = {"letters": {**BODY, "priority": 200}}
    with pytest.raises(Refused, match=r"wins for letters-2026\.03 over letters, whose priority is 200.*delete it"):
        need_winning(Simulated("letters", "logs"), templates, first)
    well = Simulated("logs")
    need_winning(well, templates, first)
    assert well.asked == ["POST /_index_template/_simulate_index/letters-2026.03"]
    other = Simulated()
    need_winning(other, {}, first)
    assert other.asked == []
