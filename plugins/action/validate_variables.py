# SPDX-License-Identifier: Apache-2.0
"""Action plugin: refuse unknown and ill-typed role variables before anything is touched.

Every variable of this host whose name starts with a role's prefix is looked up in that role's
``meta/argument_specs.yml``: an unknown name fails with the nearest known one, a value of the wrong type or
outside its choices fails with Ansible's own message. All problems are listed at once.
"""

from __future__ import annotations

import difflib
from pathlib import Path

import yaml
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

ROLES_DIR = Path(__file__).parents[2] / "roles"

# A secret's value never belongs into a message, whatever is wrong with it.
SPEC_KEYS = ("type", "elements", "choices", "options", "required", "no_log")


def load_specs(roles_dir: Path) -> dict[str, dict[str, dict]]:
    """Role name -> variable name -> option spec, the entry points of a role merged."""
    specs: dict[str, dict[str, dict]] = {}
    for file in sorted(roles_dir.glob("*/meta/argument_specs.yml")):
        entries = yaml.safe_load(file.read_text())["argument_specs"]
        specs[file.parent.parent.name] = {
            name: option for entry in entries.values() for name, option in (entry.get("options") or {}).items()
        }
    return specs


def spec_of(option: dict) -> dict:
    """The part of an option that ArgumentSpecValidator understands; documentation and defaults left out."""
    spec = {key: option[key] for key in SPEC_KEYS if key in option}
    if "options" in spec:
        spec["options"] = {name: spec_of(sub) for name, sub in spec["options"].items()}
    return spec


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        specs = load_specs(ROLES_DIR)
        problems = []
        for name in sorted(task_vars):
            # The longest prefix owns the name: spark_consumer_x belongs to spark_consumer, not to spark.
            role = max((r for r in specs if name.startswith(f"{r}_")), key=len, default=None)
            if role is None:
                continue
            if name not in specs[role]:
                near = difflib.get_close_matches(name, specs[role], n=1)
                listing = f"roles/{role}/meta/argument_specs.yml lists its settings"
                hint = f"did you mean {near[0]}?" if near else listing
                problems.append(f"{name} is not a setting of role {role}: {hint}")
                continue
            option = spec_of(specs[role][name])
            option["required"] = False
            value = self._templar.template(task_vars[name])
            result = ArgumentSpecValidator({name: option}).validate({name: value})
            problems.extend(f"{name}: {message}" for message in result.error_messages)
        if problems:
            raise AnsibleActionFail(
                f"{task_vars['inventory_hostname']}: settings are wrong, nothing was changed.\n- "
                + "\n- ".join(problems)
            )
        return {"changed": False, "msg": "all role settings are known and well typed"}
