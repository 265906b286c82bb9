# SPDX-License-Identifier: Apache-2.0
"""The store of secrets by the commands of a user: nothing of it is shown, and ansible-vault reads what is written.

What is kept and what is refused: tests/unit/plugins/test_secret_store_file.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from playbook import Run, run_playbook

ODD = 'it\'s "odd" \\ $HOME ${x} `id` #1 %d {{ y }} äß€😀 : - '

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - secret_store: {path: "{{ store }}", generate: [made], given: "{{ given | default({}) }}"}
      register: told
    - debug: {msg: "there are {{ told.secrets | length }} secrets"}
"""


class Store:
    """A store in a folder of its own, with the password file of a vault."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "state" / "secrets.yml"
        self.password = folder / "vault-password"
        self.password.write_text("correct horse\n")
        (folder / "play.yml").write_text(PLAY)
        (folder / "hosts").write_text("localhost ansible_connection=local\n")

    def run(self, *options: str) -> Run:
        given = ("-v", "--diff", "-e", f"store={self.path}", *options)
        return run_playbook(self.folder / "play.yml", self.folder / "hosts", *given)

    def vault(self, action: str, *options: str) -> str:
        command = [Path(sys.executable).with_name("ansible-vault"), action, self.path, "--output=-", *options]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_new_store_is_not_shown(store: Store) -> None:
    tried = store.run("--check")
    assert (tried.returncode, tried.changed) == (0, 1), tried.output
    assert "there are 1 secrets" in tried.text and not store.path.parent.exists()
    first = store.run()
    assert (first.returncode, first.changed) == (0, 1), first.output
    assert yaml.safe_load(store.path.read_text())["made"] not in first.output
    assert store.run().changed == 0


def test_a_vault_of_the_users_is_written_back_and_not_shown(store: Store) -> None:
    store.path.parent.mkdir()
    store.path.write_text("made: the first\nold: stays\n")
    prod = f"--vault-id=prod@{store.password}"
    store.path.write_text(store.vault("encrypt", "--encrypt-vault-id=prod", prod))
    head = store.path.read_text().splitlines()[0]
    # A password of another vault comes first, as it may in a run that opens several.
    other, variables = store.folder / "other-password", store.folder / "variables.yml"
    other.write_text("other\n")
    variables.write_text(yaml.safe_dump({"given": {"made": ODD}}).replace("made:", "made: !unsafe"))
    options = (f"--vault-id=dev@{other}", prod, "-vvv", "-e", f"@{variables}")
    run = store.run(*options)
    assert (run.returncode, run.changed) == (0, 1), run.output
    assert "the first" not in run.output and "odd" not in run.output
    assert store.path.read_text().splitlines()[0] == head
    found = yaml.safe_load(store.vault("decrypt", prod))
    assert found == {"made": ODD, "old": "stays", "replaced": {"made": ["the first"]}}
    assert store.run(*options).changed == 0
