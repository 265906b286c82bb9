# SPDX-License-Identifier: Apache-2.0
"""The API keys' privileges, as the roles give them: none may change fields, and what is stored stays as it is."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

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
    """Return the patterns of the actions that these privileges allow. Raises KeyError for one that is not known."""
    return {pattern for each in privileges for pattern in ([each] if each.startswith("indices:") else NAMED[each])}


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
    found = [each for each in CONSUMER["__spark_consumer_role_descriptors"]["login-consumer"]["indices"]]
    return {pattern for each in found if index in each["names"] for pattern in actions(each["privileges"])}


def test_what_the_consumer_may_never_do_is_not_among_its_privileges() -> None:
    asked: list[dict[str, Any]] = CONSUMER["__spark_consumer_never"]
    for each in asked:
        for index in each["names"]:
            for action in each["privileges"]:
                assert not any(fnmatchcase(action, pattern) for pattern in granted(index)), (index, action)


@pytest.mark.parametrize("family", ["events", "dead-letters", "metrics", "pipeline"])
def test_the_promise_asks_about_each_family(family: str) -> None:
    never = {
        action
        for each in CONSUMER["__spark_consumer_never"]
        if f"login-{family}-*" in each["names"]
        for action in each["privileges"]
    }
    assert {"indices:admin/create", "indices:admin/delete", "indices:admin/mapping/put"} <= never
    writes = ("index:op_type/create", "index:op_type/index", "update", "delete")
    may = {
        each
        for each in writes
        for pattern in granted(f"login-{family}-*")
        if fnmatchcase(f"indices:data/write/{each}", pattern)
    }
    # each way to write is granted or asked for, except that what may be replaced may as well be created
    asked = {each for each in writes if f"indices:data/write/{each}" in never}
    assert may | asked >= set(writes) - {"index:op_type/create"} and not may & asked
