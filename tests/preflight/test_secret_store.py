# SPDX-License-Identifier: Apache-2.0
"""The store of secrets: made once, kept private, and kept encrypted when it is an Ansible Vault."""

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
    - secret_store:
        path: "{{ store }}"
        generate: [made]
        given: "{{ given | default({}) }}"
        draw: "{{ draw | default([]) }}"
        issued: "{{ issued | default({}) }}"
        forget: "{{ forget | default(false) }}"
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
        command = [Path(sys.executable).with_name("ansible-vault"), action, self.path, "--output=-"]
        given = options or ("--vault-password-file", self.password)
        return subprocess.run([*command, *given], check=True, capture_output=True, text=True).stdout

    def encrypt(self, text: str, *options: str) -> None:
        self.path.parent.mkdir()
        self.path.write_text(text)
        self.path.write_text(self.vault("encrypt", *options))

    @property
    def variables(self) -> Path:
        """A file of variables for a run."""
        return self.folder / "variables.yml"

    @property
    def with_password(self) -> str:
        return f"--vault-password-file={self.password}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_new_store_is_private_and_lasts(store: Store) -> None:
    first = store.run()
    assert (first.returncode, first.changed) == (0, 1), first.output
    secret = yaml.safe_load(store.path.read_text())["made"]
    assert len(secret) >= 24
    assert secret not in first.output
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700

    second = store.run()
    assert (second.returncode, second.changed) == (0, 0)
    assert yaml.safe_load(store.path.read_text()) == {"made": secret}


def test_check_mode_makes_no_store(store: Store) -> None:
    run = store.run("--check")
    assert (run.returncode, run.changed) == (0, 1)
    assert "there are 1 secrets" in run.text
    assert not store.path.parent.exists()


def test_an_issued_secret_is_stored_beside_the_others(store: Store) -> None:
    store.run()
    before = yaml.safe_load(store.path.read_text())
    run = store.run("-e", '{"issued": {"key": "issued by a service"}}')
    assert (run.returncode, run.changed) == (0, 1)
    assert yaml.safe_load(store.path.read_text()) == {**before, "key": "issued by a service"}


def test_a_vault_is_read_and_written_back_encrypted(store: Store) -> None:
    store.encrypt("old: stays\n")
    run = store.run(store.with_password)
    assert (run.returncode, run.changed) == (0, 1), run.output
    assert store.path.read_text().startswith("$ANSIBLE_VAULT;")
    assert store.path.stat().st_mode & 0o777 == 0o600
    content = yaml.safe_load(store.vault("decrypt"))
    assert content["old"] == "stays" and set(content) == {"old", "made"}
    assert content["made"] not in run.output

    assert store.run(store.with_password).changed == 0


def test_a_vault_keeps_its_id_and_password(store: Store) -> None:
    store.encrypt("old: stays\n", "--encrypt-vault-id", "prod", "--vault-id", f"prod@{store.password}")
    head = store.path.read_text().splitlines()[0]
    assert head.endswith(";prod")
    # A password of another vault comes first, as it may in a run that opens several.
    other = store.folder / "other-password"
    other.write_text("other\n")
    ids = (f"--vault-id=dev@{other}", f"--vault-id=prod@{store.password}")
    run = store.run(*ids)
    assert (run.returncode, run.changed) == (0, 1), run.output
    assert store.path.read_text().splitlines()[0] == head
    assert set(yaml.safe_load(store.vault("decrypt"))) == {"old", "made"}
    assert store.run(*ids).changed == 0


def test_a_secret_is_replaced_beside_the_old_one(store: Store) -> None:
    store.encrypt("made: the first\n")
    store.variables.write_text(yaml.safe_dump({"given": {"made": ODD}}).replace("made:", "made: !unsafe"))
    run = store.run(store.with_password, "-vvv", "-e", f"@{store.variables}")
    assert (run.returncode, run.changed) == (0, 1), run.output
    assert "the first" not in run.output and "odd" not in run.output
    assert yaml.safe_load(store.vault("decrypt")) == {"made": ODD, "replaced": {"made": ["the first"]}}
    assert store.run(store.with_password).changed == 0

    assert store.run(store.with_password, "-e", "forget=true").changed == 1
    assert yaml.safe_load(store.vault("decrypt")) == {"made": ODD}


def test_a_drawn_secret_is_told_in_check_mode_only(store: Store) -> None:
    store.run()
    before = store.path.read_text()
    run = store.run("--check", "-e", '{"draw": ["made"]}')
    assert (run.returncode, run.changed) == (0, 1), run.output
    assert store.path.read_text() == before


def test_a_given_secret_that_cannot_be_one_is_refused(store: Store) -> None:
    store.run()
    before = store.path.read_text()
    run = store.run("-e", '{"given": {"made": "shorty", "maid": "long enough"}}')
    assert run.returncode != 0
    assert "maid cannot be given; these can: made" in run.text and "made has 6 characters" in run.text
    assert "shorty" not in run.text
    assert store.path.read_text() == before


def test_a_vault_without_its_password_is_left_alone(store: Store) -> None:
    store.encrypt("old: stays\n")
    before = store.path.read_text()
    run = store.run()
    assert run.returncode != 0
    assert f"{store.path} is an Ansible Vault and no vault password was given: add --ask-vault-pass" in run.text
    assert store.path.read_text() == before


def test_a_vault_with_another_password_is_left_alone(store: Store) -> None:
    store.encrypt("old: stays\n")
    before = store.path.read_text()
    store.password.write_text("wrong\n")
    run = store.run(store.with_password)
    assert run.returncode != 0
    assert "Decryption failed" in run.text
    assert store.path.read_text() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_store_that_others_can_read_is_refused(mode: int, store: Store) -> None:
    store.path.parent.mkdir()
    store.path.write_text("old: secret text\n")
    store.path.chmod(mode)
    run = store.run()
    assert run.returncode != 0
    assert f"run chmod 600 {store.path}" in run.text
    assert "secret text" not in run.output


def test_a_store_that_is_no_mapping_is_refused(store: Store) -> None:
    store.path.parent.mkdir()
    store.path.write_text("- a list\n")
    store.path.chmod(0o600)
    run = store.run()
    assert run.returncode != 0
    assert f"{store.path} must be a YAML mapping" in run.text
