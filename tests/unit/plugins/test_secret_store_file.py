# SPDX-License-Identifier: Apache-2.0
"""The file of secrets: made once, kept private, and kept encrypted when it is an Ansible Vault.

The plugin is called by Ansible's engine in this process; with the command of a user: tests/local/test_secret_store.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from preflight_tasks import Host, Outcome, Preflight, vault_secrets

ODD = 'it\'s "odd" \\ $HOME ${x} `id` #1 %d {{ y }} äß€😀 : - '
RIGHT, OTHER = VaultSecret(b"correct horse"), VaultSecret(b"other")

PLAY = """
- hosts: all
  tasks:
    - name: Keep secrets
      secret_store:
        path: "{{ store }}"
        generate: [made]
        given: "{{ given | default({}) }}"
        draw: "{{ draw | default([]) }}"
        issued: "{{ issued | default({}) }}"
        forget: "{{ forget | default(false) }}"
      check_mode: "{{ check | default(false) }}"
"""


class Store:
    """A store in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.path, self.play = folder / "state" / "secrets.yml", folder / "play.yml"
        self.play.write_text(PLAY)

    def run(self, *secrets: tuple[str, VaultSecret], **settings: Any) -> Outcome:
        """Keep the secrets, with these passwords of vaults by their ids."""
        with vault_secrets(*secrets):
            return Preflight(Host({"store": str(self.path), **settings}), self.play).do("Keep secrets")

    def changes(self, *secrets: tuple[str, VaultSecret], **settings: Any) -> bool:
        outcome = self.run(*secrets, **settings)
        assert outcome.refusals == []
        (result,) = outcome.results
        assert result["_ansible_no_log"] is True
        return bool(result["changed"])

    def refuses(self, *secrets: tuple[str, VaultSecret], **settings: Any) -> str:
        before = self.path.read_bytes()
        (told,) = self.run(*secrets, **settings).refusals
        assert self.path.read_bytes() == before
        return told

    def write(self, text: str, mode: int = 0o600) -> None:
        self.path.parent.mkdir()
        self.path.write_text(text)
        self.path.chmod(mode)

    def encrypt(self, text: str, vault_id: str | None = None) -> None:
        self.write(VaultLib().encrypt(text, RIGHT, vault_id).decode())

    def decrypt(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(VaultLib([("default", RIGHT)]).decrypt(self.path.read_bytes()))
        return found

    def plain(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.path.read_text())
        return found

    def modes(self) -> tuple[int, int]:
        return self.path.stat().st_mode & 0o777, self.path.parent.stat().st_mode & 0o777


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    yield Store(tmp_path)


def test_a_new_store_is_private_and_lasts(store: Store) -> None:
    assert store.changes()
    secret = store.plain()["made"]
    assert len(secret) >= 24
    assert store.modes() == (0o600, 0o700)
    assert not store.changes()
    assert store.plain() == {"made": secret}


def test_check_mode_makes_no_store(store: Store) -> None:
    assert store.changes(check=True)
    assert not store.path.parent.exists()


def test_an_issued_secret_is_stored_beside_the_others(store: Store) -> None:
    store.run()
    before = store.plain()
    assert store.changes(issued={"key": "issued by a service"})
    assert store.plain() == {**before, "key": "issued by a service"}


def test_a_vault_is_read_and_written_back_encrypted(store: Store) -> None:
    store.encrypt("old: stays\n")
    assert store.changes(("default", RIGHT))
    assert store.path.read_text().startswith("$ANSIBLE_VAULT;1.1;")
    assert store.modes()[0] == 0o600
    content = store.decrypt()
    assert content["old"] == "stays" and set(content) == {"old", "made"}
    assert not store.changes(("default", RIGHT))


def test_a_vault_keeps_its_id_and_password(store: Store) -> None:
    store.encrypt("old: stays\n", "prod")
    head = store.path.read_text().splitlines()[0]
    assert head.endswith(";prod")
    # A password of another vault comes first, as it may in a run that opens several.
    ids = (("dev", OTHER), ("prod", RIGHT))
    assert store.changes(*ids)
    assert store.path.read_text().splitlines()[0] == head
    assert set(store.decrypt()) == {"old", "made"}
    assert not store.changes(*ids)


def test_a_secret_is_replaced_beside_the_old_one(store: Store) -> None:
    store.encrypt("made: the first\n")
    assert store.changes(("default", RIGHT), given={"made": ODD})
    assert store.decrypt() == {"made": ODD, "replaced": {"made": ["the first"]}}
    assert not store.changes(("default", RIGHT), given={"made": ODD})
    assert store.changes(("default", RIGHT), forget=True)
    assert store.decrypt() == {"made": ODD}


def test_a_drawn_secret_is_told_in_check_mode_only(store: Store) -> None:
    store.run()
    before = store.path.read_text()
    assert store.changes(draw=["made"], check=True)
    assert store.path.read_text() == before
    assert store.changes(draw=["made"])
    assert store.path.read_text() != before


def test_a_given_secret_that_cannot_be_one_is_refused(store: Store) -> None:
    store.run()
    told = store.refuses(given={"made": "shorty", "maid": "long enough"})
    assert "maid cannot be given; these can: made" in told and "made has 6 characters" in told
    assert "shorty" not in told


def test_a_vault_without_its_password_is_left_alone(store: Store) -> None:
    store.encrypt("old: stays\n")
    told = store.refuses()
    assert f"{store.path} is an Ansible Vault and no vault password was given: add --ask-vault-pass" in told


def test_a_vault_with_another_password_is_left_alone(store: Store) -> None:
    store.encrypt("old: stays\n")
    before = store.path.read_text()
    with pytest.raises(RuntimeError, match="Decryption failed"):
        store.run(("default", OTHER))
    assert store.path.read_text() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_store_that_others_can_read_is_refused(mode: int, store: Store) -> None:
    store.write("old: secret text\n", mode)
    told = store.refuses()
    assert f"run chmod 600 {store.path}" in told and "secret text" not in told


def test_a_store_that_is_no_mapping_is_refused(store: Store) -> None:
    store.write("- a list\n")
    assert f"{store.path} must be a YAML mapping" in store.refuses()
