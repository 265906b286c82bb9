#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: shipped saved objects (data views, searches, dashboards) in Kibana.

Kibana migrates what it imports, so that contents cannot be compared. A record on the host holds the hash of each object
as it was shipped last: an object is imported when it is not there, or when what is shipped has another hash. What users
change or copy in Kibana stays until then. An object that is there without a record of it is taken as it is.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.service_api import OPTIONS, Refused, Service, outcome

DOCUMENTATION = r"""
module: kibana_saved_objects
short_description: Shipped saved objects in Kibana
description:
  - Imports the objects that are missing, and those whose shipped version is another than the one imported last.
options:
  url: {description: Kibana's URL with its base path., type: str, required: true}
  ca_file: {description: CA certificates., type: path, required: true}
  username: {description: A user that may manage saved objects., type: str, default: elastic}
  password: {description: The user's password., type: str, required: true}
  objects:
    description: Exports as Kibana writes them, one JSON object a line.
    type: list
    elements: str
    required: true
  record: {description: File on the host that keeps the hashes of what was imported., type: path, required: true}
"""

RETURN = r"""
changes: {description: 'What was imported and why; one line each.', type: list, elements: str, returned: success}
"""

Key = tuple[str, str]
"""Type and id."""


class Kibana(Service):
    """One Kibana."""

    timeout_s = 120

    def call(self, path: str, data: str, content_type: str = "application/json") -> Any:
        """The parsed answer to a POST. Raises Refused."""
        return self.request("POST", path, data, {"Content-Type": content_type, "kbn-xsrf": "login-pipeline"})

    def present(self, keys: list[Key]) -> set[Key]:
        """Those of `keys` that are there."""
        asked = json.dumps([{"type": type_, "id": id_} for type_, id_ in keys])
        told = self.call("/api/saved_objects/_bulk_get", asked)["saved_objects"]
        return {(each["type"], each["id"]) for each in told if "error" not in each}

    def put(self, lines: list[str]) -> None:
        """Import objects over those that are there. Raises Refused also if Kibana answers 200 and took not all."""
        boundary = uuid.uuid4().hex
        head = (
            'Content-Disposition: form-data; name="file"; filename="login.ndjson"\r\nContent-Type: application/ndjson'
        )
        form = f"--{boundary}\r\n{head}\r\n\r\n" + "\n".join(lines) + f"\r\n--{boundary}--\r\n"
        told = self.call("/api/saved_objects/_import?overwrite=true", form, f"multipart/form-data; boundary={boundary}")
        problems = [_problem(each) for each in told.get("errors", [])]
        problems += [f"warning: {each.get('message')}" for each in told.get("warnings", [])]
        if problems or not told.get("success"):
            raise Refused("Kibana did not take all objects: " + ("; ".join(problems) or json.dumps(told)))


def _problem(error: dict[str, Any]) -> str:
    why = error.get("error", {})
    missing = ", ".join(f"{each['type']} {each['id']}" for each in why.get("references", []))
    title = error.get("meta", {}).get("title", "")
    return f"{error.get('type')} {error.get('id')} ({title}): {why.get('type')}{': ' + missing if missing else ''}"


def shipped(exports: list[str]) -> dict[Key, str]:
    """Each object's line by its key, in their order."""
    lines = [line for export in exports for line in export.splitlines() if line.strip()]
    return {(told["type"], told["id"]): line for line in lines for told in [json.loads(line)]}


def apply(kibana: Kibana, objects: dict[Key, str], record: Path, check: bool) -> list[str]:
    """-> what is imported, or would be. Raises Refused."""
    known: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    hashes = {key: hashlib.sha256(line.encode()).hexdigest() for key, line in objects.items()}
    there = kibana.present(list(objects))
    changes, lines = [], []
    for key, line in objects.items():
        name = "/".join(key)
        if key in there and known.setdefault(name, hashes[key]) == hashes[key]:
            continue
        title = json.loads(line).get("attributes", {}).get("title", "")
        why = "its shipped version is another, changes made in Kibana are lost" if key in there else "it was not there"
        changes.append(f"{key[0]} {title or key[1]} imported: {why}")
        lines.append(line)
        known[name] = hashes[key]
    if check:
        return changes
    if lines:
        kibana.put(lines)
    text = json.dumps(known, indent=1, sort_keys=True)
    if not record.exists() or record.read_text() != text:
        new = record.with_name(record.name + ".new")
        new.write_text(text)
        new.replace(record)
    return changes


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "objects": {"type": "list", "elements": "str", "required": True},
            "record": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        changes = apply(Kibana(params), shipped(params["objects"]), Path(params["record"]), module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error))
    module.exit_json(**outcome(changes))


if __name__ == "__main__":
    main()
