#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: index templates, first indices, API keys and a snapshot repository of an Elasticsearch cluster.

A template or key carries the hash of what this module wrote (``_meta``, ``metadata``); it is written again only when
the wanted content has another hash. Elasticsearch adds defaults and changes forms, so that the contents themselves
cannot be compared. Nothing is deleted.

A key ends by itself. One that is about to, or that ends at another time than is wanted, gets a successor while it still
works: who uses it is to get the new one before the old one is invalidated, which is another module's business.

A template is for indices to come. Its new fields are put onto the indices that are there as well, and before the
template is written: if that fails, the template keeps its old hash, so that the next run tries both again.
"""

from __future__ import annotations

import base64
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.service_api import HASH, OPTIONS, Cluster, Refused, hash_of, outcome

DOCUMENTATION = r"""
module: elasticsearch_resources
short_description: Index templates, first indices, API keys and a snapshot repository of an Elasticsearch cluster
description:
  - Writes the templates and the key that differ from what is wanted, then makes the first indices that are missing.
  - Before a template is written, the properties of its mappings are added to the existing indices that match its
    patterns. Fields are only added; a field whose type differs stops the run before the template is changed.
options:
  url: {description: "The nodes' URLs, separated by commas.", type: str, required: true}
  ca_file: {description: CA certificates., type: path, required: true}
  username: {description: A user that may manage templates and API keys., type: str, default: elastic}
  password: {description: The user's password., type: str, required: true}
  index_templates: {description: Mapping of name to body., type: dict, default: {}}
  first_indices:
    description: Mapping of an index pattern to the name of the index to be made, empty, if none matches the pattern.
    type: dict
    default: {}
  api_key_name: {description: Name of an API key., type: str}
  api_key_role_descriptors: {description: What the key may do., type: dict, default: {}}
  api_key_encoded: {description: The key in its encoded form if there is one already., type: str, default: ''}
  api_key_days: {description: Days for which a new key is valid. Needed with api_key_name., type: int}
  api_key_renew_before_days:
    description: Days before its end at which a key gets a successor. Needed with api_key_name.
    type: int
  snapshot_repository: {description: Name of a repository that each node must be able to write to., type: str}
  snapshot_folder:
    description: The repository's folder on the nodes; if empty, the repository must be registered already.
    type: str
    default: ''
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode; one line each, also for mappings of existing indices.
  type: list
  elements: str
  returned: success
api_key_encoded:
  description: The new key in its encoded form, if there was none, or it was not valid or is to be renewed; else empty.
  type: str
  returned: when api_key_name is given
api_key_renewed:
  description: Whether the key that was given still works, beside the new one.
  type: bool
  returned: when api_key_name is given
api_key_ends:
  description: When the key ends that is to be used, in seconds since 1970; 0 if there is none yet, as in check mode.
  type: int
  returned: when api_key_name is given
"""


DAY_S = 86_400


def template_changes(cluster: Cluster, wanted: dict[str, Any], check: bool) -> list[str]:
    changes = []
    for name, body in wanted.items():
        stored = cluster.call("GET", f"/_index_template/{name}")
        meta = stored["index_templates"][0]["index_template"].get("_meta", {}) if stored else {}
        digest = hash_of(body)
        # Also with a template that is right: a restored index may be older than it.
        changes += mapping_changes(cluster, name, body, check)
        if meta.get(HASH) == digest:
            continue
        changes.append(f"index template {name}: {'changed' if stored else 'created'}")
        if not check:
            cluster.call("PUT", f"/_index_template/{name}", {**body, "_meta": {**body.get("_meta", {}), HASH: digest}})
    return changes


def mapping_changes(cluster: Cluster, name: str, body: dict[str, Any], check: bool) -> list[str]:
    """Put the fields of template `name` onto the indices that are there.

    Raises Refused, with nothing written, if a field has another type in one of them.
    """
    wanted = body.get("template", {}).get("mappings", {}).get("properties", {})
    stored = cluster.call("GET", f"/{','.join(body['index_patterns'])}/_mapping") or {} if wanted else {}
    lacking = {}
    for index, told in sorted(stored.items()):
        new, other = differences(told["mappings"].get("properties", {}), wanted)
        if other:
            raise Refused(
                f"index template {name} was left as it was, since index {index} has fields of other types: "
                f"{'; '.join(other)}. A field cannot change its type: copy the index into a new one (_reindex), or "
                "delete it if its documents are not needed, then run this again"
            )
        if new:
            lacking[index] = new
    for index in () if check else lacking:
        try:
            cluster.call("PUT", f"/{index}/_mapping", {"properties": wanted})
        except Refused as error:
            raise Refused(
                f"index template {name} was left as it was, since index {index} does not take its new fields: {error}"
            ) from error
    return [f"index {index}: fields added: {', '.join(new)}" for index, new in lacking.items()]


def differences(stored: dict[str, Any], wanted: dict[str, Any], path: str = "") -> tuple[list[str], list[str]]:
    """-> the wanted fields that are not stored, and those that are stored with another type.

    Other parameters are not compared: Elasticsearch leaves out those that have their default.
    """
    new: list[str] = []
    other: list[str] = []
    for name, field in wanted.items():
        if name not in stored:
            new.append(path + name)
            continue
        has, wants = stored[name].get("type", "object"), field.get("type", "object")
        if has != wants:
            other.append(f"{path}{name} is {has}, wanted is {wants}")
            continue
        for inner in ("properties", "fields"):
            more_new, more_other = differences(stored[name].get(inner, {}), field.get(inner, {}), f"{path}{name}.")
            new += more_new
            other += more_other
    return new, other


def need_winning(cluster: Cluster, templates: dict[str, Any], indices: dict[str, str]) -> None:
    """Raise Refused if a foreign template would shape one of these indices (by pattern) in the place of ours."""
    for pattern, index in indices.items():
        ours = [name for name, body in templates.items() if pattern in body["index_patterns"]]
        told = cluster.call("POST", f"/_index_template/_simulate_index/{index}") if ours else {}
        beaten = {each["name"] for each in told.get("overlapping", [])} & set(ours)
        if beaten:
            raise Refused(
                f"another index template wins for {index} over {', '.join(beaten)}, whose priority is "
                f"{templates[ours[0]].get('priority', 0)}. GET /_index_template shows all: delete it, narrow its "
                "index_patterns, or lower its priority, then run this again"
            )


def first_index_changes(cluster: Cluster, wanted: dict[str, str], check: bool) -> list[str]:
    """Make an index for each pattern that has none: who reads a pattern learns its fields from an index alone."""
    changes = []
    for pattern, index in wanted.items():
        if cluster.call("GET", f"/_resolve/index/{pattern}")["indices"]:
            continue
        changes.append(f"index {index}: created, the first one of {pattern}")
        if not check:
            cluster.call("PUT", f"/{index}")
    return changes


def api_key_change(
    cluster: Cluster, params: dict[str, Any], now: float, check: bool
) -> tuple[list[str], dict[str, Any]]:
    """-> changes, the results `api_key_*`; the key itself only if it is a new one.

    A key that was given is not returned: Ansible would mask it in the result, as it masks every given secret.
    """
    name, descriptors, encoded = params["api_key_name"], params["api_key_role_descriptors"], params["api_key_encoded"]
    content = {"role_descriptors": descriptors, "metadata": {HASH: hash_of(descriptors)}}
    why, ends, renewed = "", 0, False
    if encoded and cluster.call("GET", "/_security/_authenticate", authorization=f"ApiKey {encoded}", missing=401):
        key_id = base64.b64decode(encoded).decode().split(":")[0]
        stored = cluster.call("GET", f"/_security/api_key?id={key_id}")["api_keys"][0]
        ends = stored.get("expiration", 0) // 1000
        why = reason_to_renew(ends, params, now)
        renewed = bool(why)
        if not renewed:
            same = stored.get("metadata", {}).get(HASH) == content["metadata"][HASH]
            if not same and not check:
                cluster.call("PUT", f"/_security/api_key/{key_id}", content)
            changes = [] if same else [f"API key {name}: privileges changed"]
            return changes, {"api_key_encoded": "", "api_key_renewed": False, "api_key_ends": ends}
    elif encoded:
        why = "the stored one is not valid"
    change = f"API key {name}: {why}, a new one was issued" if why else f"API key {name}: issued"
    if check:
        return [change], {"api_key_encoded": "", "api_key_renewed": False, "api_key_ends": ends}
    wanted = {"name": name, "expiration": f"{params['api_key_days']}d", **content}
    issued = cluster.call("POST", "/_security/api_key", wanted)
    ends = issued["expiration"] // 1000
    return [change], {"api_key_encoded": issued["encoded"], "api_key_renewed": renewed, "api_key_ends": ends}


def reason_to_renew(ends: int, params: dict[str, Any], now: float) -> str:
    """Return why a key that works until `ends` (seconds since 1970, 0 for ever) gets a successor, '' if it need not."""
    if not ends:
        return "it would never end"
    if ends < now + params["api_key_renew_before_days"] * DAY_S:
        return f"it ends in {int((ends - now) // DAY_S)} days"
    # a day more, since the clocks of this host and of Elasticsearch may differ
    if ends > now + (params["api_key_days"] + 1) * DAY_S:
        return f"it would end in {int((ends - now) // DAY_S)} days"
    return ""


def repository_change(cluster: Cluster, name: str, folder: str, check: bool) -> list[str]:
    """Register a repository in `folder` and let each node write to it, also to one that was there. Raises Refused."""
    path, wanted = f"/_snapshot/{name}", {"type": "fs", "settings": {"location": folder}}
    stored = (cluster.call("GET", path) or {}).get(name)
    if not stored and not folder:
        raise Refused(
            f"Elasticsearch has no snapshot repository {name}: register it (PUT /_snapshot/{name}), or empty "
            "backup_repository and set pipeline_backup_dir"
        )
    differs = bool(folder) and (not stored or {key: stored.get(key) for key in wanted} != wanted)
    if differs and check:
        return [f"snapshot repository {name}: {'changed' if stored else 'registered'}"]
    if differs:
        cluster.call("PUT", f"{path}?verify=false", wanted)
    try:
        cluster.call("POST", f"{path}/_verify", missing=None)
    except Refused as error:
        raise Refused(
            f"not every node of Elasticsearch can write to the snapshot repository {name}. Its folder must be writable "
            f"by the user elasticsearch, and with several nodes one file system that all share: {error}"
        ) from error
    return [f"snapshot repository {name}: {'changed' if stored else 'registered'}"] if differs else []


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "index_templates": {"type": "dict", "default": {}},
            "first_indices": {"type": "dict", "default": {}},
            "api_key_name": {"type": "str"},
            "api_key_role_descriptors": {"type": "dict", "default": {}, "no_log": False},
            "api_key_encoded": {"type": "str", "default": "", "no_log": True},
            "api_key_days": {"type": "int"},
            "api_key_renew_before_days": {"type": "int"},
            "snapshot_repository": {"type": "str"},
            "snapshot_folder": {"type": "str", "default": ""},
        },
        required_by={"api_key_name": ("api_key_days", "api_key_renew_before_days")},
        supports_check_mode=True,
    )
    cluster = Cluster(module.params)
    result: dict[str, Any] = {}
    try:
        changes = template_changes(cluster, module.params["index_templates"], module.check_mode)
        if not module.check_mode:  # before that, ours may not be there
            need_winning(cluster, module.params["index_templates"], module.params["first_indices"])
        changes += first_index_changes(cluster, module.params["first_indices"], module.check_mode)
        if module.params["api_key_name"]:
            more, result = api_key_change(cluster, module.params, time.time(), module.check_mode)
            changes += more
        if module.params["snapshot_repository"]:
            repository, folder = module.params["snapshot_repository"], module.params["snapshot_folder"]
            changes += repository_change(cluster, repository, folder, module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(**outcome(changes), **result)


if __name__ == "__main__":
    main()
