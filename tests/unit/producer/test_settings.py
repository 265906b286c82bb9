# SPDX-License-Identifier: Apache-2.0
"""The source in the settings: each type has its own keys, and whatever else stands there is refused."""

from pathlib import Path

import pytest
from login_common.settings import SettingsError, load
from login_producer.settings import ENV_PREFIX, FileSettings, JournalSettings, ProducerSettings, SyntheticSettings

KAFKA = """
[kafka]
bootstrap_servers = ["localhost:9093"]
username = "producer"
password = "correct-horse"
ca_file = "ca.pem"
[source]
"""


def loaded(tmp_path: Path, source: str) -> ProducerSettings:
    path = tmp_path / "producer.toml"
    path.write_text(KAFKA + source)
    return load(ProducerSettings, path, ENV_PREFIX)


def test_each_type_has_its_own_keys(tmp_path: Path) -> None:
    assert isinstance(loaded(tmp_path, "rate = 5").source, SyntheticSettings)
    journal = loaded(tmp_path, 'type = "journal"').source
    assert isinstance(journal, JournalSettings)
    assert (journal.format, journal.since, "sshd" in journal.identifiers) == ("sshd", "now", True)
    file = loaded(tmp_path, 'type = "file"\nformat = "native"\npaths = ["/var/log/app/*.json"]').source
    assert isinstance(file, FileSettings)
    assert (file.paths, file.follow, file.layout) == (("/var/log/app/*.json",), True, "lines")


def test_positions_are_kept_by_type(tmp_path: Path) -> None:
    settings = loaded(tmp_path, 'type = "journal"')
    assert settings.positions_file == Path("/var/lib/login-producer/counters.journal.json")


def test_the_environment_reaches_into_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGIN_PRODUCER_SOURCE__SINCE", "boot")
    source = loaded(tmp_path, 'type = "journal"').source
    assert isinstance(source, JournalSettings)
    assert source.since == "boot"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('type = "jurnal"', "source: type should be one of synthetic, journal, file, stdin"),
        ('type = "journal"\nrate = 5', "source.rate: unknown key; known keys here: type, format, identifiers, "),
        ("speed = 5", "source.speed: unknown key; known keys here: type, profile, "),
        ('type = "file"\nformat = "native"', "source.paths: Field required"),
        ('type = "file"\npaths = ["/x"]', "source.format: Field required"),
        ('type = "file"\npaths = ["/x"]\nformat = "x"', "source.format: should be one of native, "),
        ('type = "file"\npaths = ["x"]\nformat = "native"', "source.paths.0: should be an absolute path"),
        ('type = "stdin"\nformat = "native"\ntimezone = "CET/x"', "source.timezone: should be a zone of the IANA"),
        ('type = "journal"\ntimezone = "UTC"', "source.timezone: unknown key"),
        ("[source.source]", "source.source: unknown key"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path: Path, source: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, source)
    assert expected in str(caught.value)
    assert "correct-horse" not in str(caught.value)
