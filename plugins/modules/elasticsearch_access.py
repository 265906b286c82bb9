#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: roles, users and the token of a service account of an Elasticsearch cluster, in one call.

What was written carries the hash of its content (``metadata``), and is written again only when the wanted content has
another hash. A password or token is tried, since it cannot be compared. A password that is being replaced is set anew;
one that was changed elsewhere is told, never reset. A token that does not work is issued anew.
Nothing is deleted but keys and tokens whose place another one has taken.
"""

from __future__ import annotations

import base64
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.service_api import HASH, OPTIONS, Cluster, Refused, basic, hash_of, outcome

DOCUMENTATION = r"""
module: elasticsearch_access
short_description: Roles, users and a service account's token of an Elasticsearch cluster
description:
  - Writes the roles and users that differ from what is wanted, and issues a token if the stored one does not work.
options:
  url: {description: "The nodes' URLs, separated by commas.", type: str, required: true}
  ca_file: {description: CA certificates., type: path, required: true}
  username: {description: A user that may manage security., type: str, default: elastic}
  password: {description: The user's password., type: str, required: true}
  roles: {description: Mapping of name to descriptor., type: dict, default: {}}
  users:
    description: Users of the native realm.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the user., type: str, required: true}
      full_name: {description: Name to show., type: str, default: ''}
      password: {description: The user's password., type: str, required: true}
      replaced_passwords:
        description: What the user may still have instead.
        type: list
        elements: str
        default: []
      roles: {description: Names of the user's roles., type: list, elements: str, required: true}
  service_account: {description: 'A service account, such as elastic/kibana.', type: str}
  token_name: {description: What the names of the account's tokens begin with., type: str, default: login-pipeline}
  token: {description: The token if there is one already., type: str, default: ''}
  token_is_replaced: {description: Whether an older token is still in use., type: bool, default: false}
  sole_api_keys:
    description: API keys in their encoded form. All others of the same names are invalidated.
    type: list
    elements: str
    default: []
  sole_token: {description: A token. Its account's others whose names begin so are deleted., type: str, default: ''}
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode; one line each.
  type: list
  elements: str
  returned: success
token:
  description: The new token, if there was none or it did not work; else empty.
  type: str
  returned: when service_account is given
rejected: {description: 'Whether it failed because a password was changed elsewhere.', type: bool, returned: failure}
"""


class Rejected(Exception):
    """Elasticsearch has other passwords than the stored ones; the text says whose."""


def role_changes(cluster: Cluster, wanted: dict[str, Any], check: bool) -> list[str]:
    changes = []
    for name, descriptor in wanted.items():
        stored = (cluster.call("GET", f"/_security/role/{name}") or {}).get(name)
        content = {**descriptor, "metadata": {HASH: hash_of(descriptor)}}
        if stored and stored.get("metadata", {}).get(HASH) == content["metadata"][HASH]:
            continue
        changes.append(f"role {name}: {'changed' if stored else 'created'}")
        if not check:
            cluster.call("PUT", f"/_security/role/{name}", content)
    return changes


def user_changes(cluster: Cluster, wanted: list[dict[str, Any]], check: bool) -> list[str]:
    """Raises Rejected, with nothing written, if a user has a password that is not known here."""
    changes, writes, rejected = [], [], []
    for user in wanted:
        name, password = user["name"], user["password"]
        described = {"full_name": user["full_name"], "roles": sorted(user["roles"])}
        content: dict[str, Any] = {**described, "metadata": {HASH: hash_of(described)}}
        stored = (cluster.call("GET", f"/_security/user/{name}") or {}).get(name)
        same = bool(stored) and stored.get("metadata", {}).get(HASH) == content["metadata"][HASH]
        works = bool(stored) and _works(cluster, basic(name, password))
        if stored and not works and not any(_works(cluster, basic(name, old)) for old in user["replaced_passwords"]):
            rejected.append(name)
        if same and works:
            continue
        what = "created" if not stored else "password set" if same else "changed"
        changes.append(f"user {name}: {what}")
        writes.append((name, content if works else {**content, "password": password}))
    if rejected:
        raise Rejected(
            f"Elasticsearch rejects the stored password of {', '.join(rejected)} (401): it was changed outside this "
            "deployment. Nothing was changed. Put the password that is in use into the store of secrets, or delete the "
            "user in Elasticsearch, and run this again"
        )
    for name, content in writes if not check else ():
        cluster.call("PUT", f"/_security/user/{name}", content)
    return changes


def _works(cluster: Cluster, authorization: str) -> bool:
    return bool(cluster.call("GET", "/_security/_authenticate", authorization=authorization, missing=401))


def token_change(
    cluster: Cluster, account: str, prefix: str, token: str, check: bool, is_replaced: bool = False
) -> tuple[list[str], str]:
    """-> changes, the token if it is a new one, else ''. Older ones are deleted, unless they are still in use."""
    if token and _works(cluster, f"Bearer {token}"):
        return [], ""
    # A name of its own: it has to work beside the one that it replaces.
    name = f"{prefix}-{time.time_ns():x}"
    change = f"token {name} of {account}: {'the stored one does not work, a new one was issued' if token else 'issued'}"
    if check:
        return [change], ""
    new = cluster.call("POST", f"/_security/service/{account}/credential/token/{name}")["token"]["value"]
    return [change, *([] if is_replaced else other_tokens(cluster, prefix, new, check))], new


def other_tokens(cluster: Cluster, prefix: str, kept: str, check: bool) -> list[str]:
    """Delete the tokens of one's account whose names begin so, but for this one."""
    # four bytes, then account/name:secret
    account, own = base64.b64decode(kept + "==")[4:].decode().split(":")[0].rsplit("/", 1)
    path = f"/_security/service/{account}/credential"
    told = (cluster.call("GET", path) or {}).get("tokens", {})
    others = sorted(name for name in told if name.startswith(prefix) and name != own)
    for name in others if not check else ():
        cluster.call("DELETE", f"{path}/token/{name}")
    return [f"token {name} of {account}: deleted, another one has its place" for name in others]


def other_api_keys(cluster: Cluster, kept: list[str], check: bool) -> list[str]:
    """Invalidate the API keys that have the name of one of these."""
    changes = []
    for encoded in kept:
        own = base64.b64decode(encoded).decode().split(":")[0]
        name = cluster.call("GET", f"/_security/api_key?id={own}")["api_keys"][0]["name"]
        found = cluster.call("GET", f"/_security/api_key?name={name}")["api_keys"]
        others = [each["id"] for each in found if not each["invalidated"] and each["id"] != own]
        if others and not check:
            cluster.call("DELETE", "/_security/api_key", {"ids": others})
        changes += [f"API key {name} ({each}): invalidated, another one has its place" for each in others]
    return changes


def main() -> None:
    user = {
        "name": {"type": "str", "required": True},
        "full_name": {"type": "str", "default": ""},
        "password": {"type": "str", "required": True, "no_log": True},
        "replaced_passwords": {"type": "list", "elements": "str", "default": [], "no_log": True},
        "roles": {"type": "list", "elements": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "roles": {"type": "dict", "default": {}},
            "users": {"type": "list", "elements": "dict", "default": [], "options": user},
            "service_account": {"type": "str"},
            "token_name": {"type": "str", "default": "login-pipeline", "no_log": False},
            "token": {"type": "str", "default": "", "no_log": True},
            "token_is_replaced": {"type": "bool", "default": False, "no_log": False},
            "sole_api_keys": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "sole_token": {"type": "str", "default": "", "no_log": True},
        },
        supports_check_mode=True,
    )
    told, check, cluster = module.params, module.check_mode, Cluster(module.params)
    account, prefix = told["service_account"], told["token_name"]
    result: dict[str, Any] = {}
    try:
        changes = role_changes(cluster, told["roles"], check) + user_changes(cluster, told["users"], check)
        if account:
            more, result["token"] = token_change(
                cluster, account, prefix, told["token"], check, told["token_is_replaced"]
            )
            changes += more
        if told["sole_token"]:
            changes += other_tokens(cluster, prefix, told["sole_token"], check)
        changes += other_api_keys(cluster, told["sole_api_keys"], check)
    except Refused as error:
        module.fail_json(msg=str(error))
    except Rejected as error:
        module.fail_json(msg=str(error), rejected=True)
    module.exit_json(**outcome(changes), **result)


if __name__ == "__main__":
    main()
