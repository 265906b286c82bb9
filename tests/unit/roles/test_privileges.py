# SPDX-License-Identifier: Apache-2.0
"""The API keys' privileges, as the roles give them: none may change fields, and what is stored stays as it is."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CONSUMER = yaml.safe_load((ROOT / "roles/spark_consumer/vars/main.yml").read_text())
KEYS = {
    name: descriptor
    for file in sorted((ROOT / "roles").glob("*/vars/main.yml"))
    for variable, value in yaml.safe_load(file.read_text()).items()
    if re.fullmatch(r"__\w+role_descriptors", variable) and isinstance(value, dict)
    for name, descriptor in value.items()
}
# Elasticsearch's own names, with the actions that they stand for
NAMED = {
    "read": ["indices:data/read/*"],
    "delete": ["indices:data/write/delete*", "indices:data/write/bulk*"],
    "create_doc": [
        "indices:data/write/index",
        "indices:data/write/index[*",
        "indices:data/write/index:op_type/create",
        "indices:data/write/bulk*",
    ],
    "create_index": [f"indices:admin/{each}" for each in ("create", "auto_create", "data_stream/create")],
    "delete_index": ["indices:admin/delete", "indices:admin/data_stream/delete"],
    "maintenance": [f"indices:admin/{each}*" for each in ("refresh", "flush", "synced_flush", "forcemerge")],
    "view_index_metadata": ["indices:admin/get*", "indices:admin/mappings/*get*", "indices:monitor/settings/get"],
    "monitor": ["indices:monitor/*"],
}
# In Elasticsearch 8 they let put mappings, too, although that is not among their actions.
PUT_MAPPINGS = {"create", "create_doc", "index", "write", "manage", "all", "auto_configure", "create_index"}
OF_THEIR_OWN = "login-check-*"  # what a check makes and removes; nothing of the pipeline reads it
OF_A_RESTORE = {"login-restore"}  # for as long as it takes


def actions(privileges: list[str]) -> set[str]:
    """Return the patterns of the actions that these privileges allow. Raises KeyError for one that is not known.

    Elasticsearch takes an action for the beginning of its name.
    """
    found: set[str] = set()
    for each in privileges:
        found |= {f"{each}*"} if each.startswith("indices:") else set(NAMED[each])
    return found


def test_the_keys_of_all_roles_are_looked_at() -> None:
    expected = {"login-consumer", "login-replay", "login-retention", "login-backup", "login-metrics"}
    assert expected <= KEYS.keys()


@pytest.mark.parametrize("key", sorted(KEYS.keys() - OF_A_RESTORE))
def test_no_key_may_put_mappings(key: str) -> None:
    for each in KEYS[key].get("indices", []):
        if each["names"] != [OF_THEIR_OWN]:
            assert not PUT_MAPPINGS & set(each["privileges"]), each
            allowed = actions(each["privileges"])
            assert not any(fnmatchcase("indices:admin/mapping/put", pattern) for pattern in allowed), each


def granted(index: str) -> set[str]:
    found = CONSUMER["__spark_consumer_role_descriptors"]["login-consumer"]["indices"]
    return {pattern for each in found if index in each["names"] for pattern in actions(each["privileges"])}


def has(index: str, privilege: str) -> bool:
    """Return what Elasticsearch's API has_privileges says."""
    return all(any(fnmatchcase(each, pattern) for pattern in granted(index)) for each in actions([privilege]))


def never(index: str) -> set[str]:
    asked: list[dict[str, list[str]]] = CONSUMER["__spark_consumer_never"]
    return {privilege for each in asked if index in each["names"] for privilege in each["privileges"]}


@pytest.mark.parametrize("family", ["events", "dead-letters", "metrics", "pipeline"])
def test_what_the_consumer_may_never_do_is_not_among_its_privileges(family: str) -> None:
    index = f"login-{family}-*"
    # what may put mappings (create_doc is a part of create, index and write), make or delete indices
    assert {"create_doc", "create_index", "delete_index", "indices:admin/mapping/put"} <= never(index)
    assert [privilege for privilege in never(index) if has(index, privilege)] == []
    assert has(index, "read") and has(index, "indices:admin/auto_create")


@pytest.mark.parametrize(
    ("family", "may"),
    [
        ("events", {"index:op_type/create"}),
        ("dead-letters", {"index:op_type/create"}),
        ("pipeline", {"index:op_type/index"}),
        ("metrics", {"index:op_type/index", "update", "delete"}),
    ],
)
def test_each_way_to_write_is_granted_or_asked_about(family: str, may: set[str]) -> None:
    index, ways = f"login-{family}-*", {"index:op_type/create", "index:op_type/index", "update", "delete"}
    assert {way for way in ways if has(index, f"indices:data/write/{way}")} == may
    told = {way for way in ways if f"indices:data/write/{way}" in never(index)}
    # who may replace a document gains nothing by creating one
    assert told | may >= ways - {"index:op_type/create"} and not told & may
