# SPDX-License-Identifier: Apache-2.0
"""New fields of a template come to the indices that are there, or nothing is changed; a pattern has an index."""

import base64
from typing import Any

import pytest
from ansible.module_utils.service_api import HASH, Refused, hash_of
from elasticsearch_resources import DAY_S, api_key_change, first_index_changes, need_winning, template_changes

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


NOW = 1_790_000_000
RIGHTS = {"login-report": {"indices": []}}


class Keys:
    """Issues keys, and knows one by its metadata and end (seconds since 1970)."""

    def __init__(self, ends: float | None, rights: Any = None) -> None:
        self.ends, self.rights = ends, RIGHTS if rights is None else rights
        self.written: list[tuple[str, str, Any]] = []

    def call(self, method: str, path: str, body: Any = None, authorization: str = "", missing: int = 404) -> Any:
        if path == "/_security/_authenticate":
            return {"username": "elastic"} if authorization == f"ApiKey {KEY}" else None
        if method == "GET":
            assert path == "/_security/api_key?id=id-1"
            expiration = {} if self.ends is None else {"expiration": int(self.ends * 1000)}
            return {"api_keys": [{"metadata": {HASH: hash_of(self.rights)}, **expiration}]}
        self.written.append((method, path, body))
        days = int(body["expiration"].removesuffix("d")) if method == "POST" else 0
        return {"encoded": "new", "expiration": (NOW + days * DAY_S) * 1000}


KEY = base64.b64encode(b"id-1:secret").decode()


def key_change(cluster: Any, encoded: str = KEY, check: bool = False) -> tuple[list[str], dict[str, Any]]:
    params = {
        "api_key_name": "login-report",
        "api_key_role_descriptors": RIGHTS,
        "api_key_encoded": encoded,
        "api_key_days": 397,
        "api_key_renew_before_days": 30,
    }
    return api_key_change(cluster, params, NOW, check)


def test_a_key_is_issued_with_an_end() -> None:
    cluster = Keys(None)
    changes, told = key_change(cluster, "")
    assert changes == ["API key login-report: issued"]
    assert told == {"api_key_encoded": "new", "api_key_renewed": False, "api_key_ends": NOW + 397 * DAY_S}
    assert [body["expiration"] for _, _, body in cluster.written] == ["397d"]


def test_a_key_that_does_not_work_is_replaced() -> None:
    changes, told = key_change(Keys(None), base64.b64encode(b"id-0:gone").decode())
    assert changes == ["API key login-report: the stored one is not valid, a new one was issued"]
    assert told["api_key_encoded"] == "new" and not told["api_key_renewed"]


@pytest.mark.parametrize("days", [30, 31, 396.9, 397.1])
def test_a_key_that_lasts_is_left(days: float) -> None:
    cluster = Keys(NOW + days * DAY_S)
    changes, told = key_change(cluster)
    assert changes == [] and cluster.written == []
    assert told == {"api_key_encoded": "", "api_key_renewed": False, "api_key_ends": int(NOW + days * DAY_S)}


def test_other_privileges_leave_the_key_and_its_end() -> None:
    cluster = Keys(NOW + 300 * DAY_S, {"login-report": {"indices": ["other"]}})
    assert key_change(cluster)[0] == ["API key login-report: privileges changed"]
    assert [(method, path, "expiration" in body) for method, path, body in cluster.written] == [
        ("PUT", "/_security/api_key/id-1", False)
    ]


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        (NOW + 29.9 * DAY_S, "it ends in 29 days"),
        (None, "it would never end"),
        (NOW + 400 * DAY_S, "it would end in 400 days"),
    ],
)
def test_a_key_that_ends_soon_or_at_another_time_gets_a_successor_once(ends: float | None, why: str) -> None:
    cluster = Keys(ends)
    assert key_change(cluster, check=True)[0] == [f"API key login-report: {why}, a new one was issued"]
    assert cluster.written == []
    changes, told = key_change(cluster)
    assert changes == [f"API key login-report: {why}, a new one was issued"]
    assert told == {"api_key_encoded": "new", "api_key_renewed": True, "api_key_ends": NOW + 397 * DAY_S}
    assert [(method, path) for method, path, _ in cluster.written] == [("POST", "/_security/api_key")]
    # and that one is left
    assert key_change(Keys(told["api_key_ends"]))[0] == []
