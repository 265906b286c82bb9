#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: roles, users and the token of a service account of an Elasticsearch cluster, in one call.

What was written carries the hash of its content (``metadata``), and is written again only when the wanted content has
another hash. A password or token is tried, since it cannot be compared: one that does not work is set anew.
Nothing is deleted but a token that is replaced.
"""

from __future__ import annotations

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
      roles: {description: Names of the user's roles., type: list, elements: str, required: true}
  service_account: {description: 'A service account, such as elastic/kibana.', type: str}
  token_name: {description: Name of the service account's token., type: str, default: login-pipeline}
  token: {description: The token if there is one already., type: str, default: ''}
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
"""


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
    changes = []
    for user in wanted:
        name, password = user["name"], user["password"]
        described = {"full_name": user["full_name"], "roles": sorted(user["roles"])}
        content: dict[str, Any] = {**described, "metadata": {HASH: hash_of(described)}}
        stored = (cluster.call("GET", f"/_security/user/{name}") or {}).get(name)
        same = bool(stored) and stored.get("metadata", {}).get(HASH) == content["metadata"][HASH]
        works = bool(stored) and cluster.call(
            "GET", "/_security/_authenticate", authorization=basic(name, password), missing=401
        )
        if same and works:
            continue
        what = "created" if not stored else "password set" if same else "changed"
        changes.append(f"user {name}: {what}")
        if not check:
            cluster.call("PUT", f"/_security/user/{name}", content if works else {**content, "password": password})
    return changes


def token_change(cluster: Cluster, account: str, name: str, token: str, check: bool) -> tuple[list[str], str]:
    """-> changes, the token if it is a new one, else ''."""
    header = f"Bearer {token}"
    if token and cluster.call("GET", "/_security/_authenticate", authorization=header, missing=401):
        return [], ""
    change = f"token {name} of {account}: {'the stored one does not work, a new one was issued' if token else 'issued'}"
    if check:
        return [change], ""
    path = f"/_security/service/{account}/credential/token/{name}"
    cluster.call("DELETE", path)  # one of this name whose value is lost
    return [change], cluster.call("POST", path)["token"]["value"]


def main() -> None:
    user = {
        "name": {"type": "str", "required": True},
        "full_name": {"type": "str", "default": ""},
        "password": {"type": "str", "required": True, "no_log": True},
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
        },
        supports_check_mode=True,
    )
    told, check, cluster = module.params, module.check_mode, Cluster(module.params)
    result: dict[str, Any] = {}
    try:
        changes = role_changes(cluster, told["roles"], check) + user_changes(cluster, told["users"], check)
        if told["service_account"]:
            more, result["token"] = token_change(
                cluster, told["service_account"], told["token_name"], told["token"], check
            )
            changes += more
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(**outcome(changes), **result)


if __name__ == "__main__":
    main()
