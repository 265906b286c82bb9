# SPDX-License-Identifier: Apache-2.0
"""Settings files: what is accepted, what is refused, and that no secret gets out."""

import json
from pathlib import Path

import pytest
from login_common.settings import KafkaSettings, SettingsError, describe, load
from pydantic import BaseModel, ConfigDict

PREFIX = "TEST_APP_"
SECRET = "correct-horse"
GOOD = f"""
rate = 2.5
[kafka]
bootstrap_servers = ["kafka1.example.org:9093"]
username = "producer"
password = "{SECRET}"
ca_file = "ca.pem"
"""


class App(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kafka: KafkaSettings
    rate: float = 1.0


def load_text(tmp_path: Path, text: str) -> App:
    path = tmp_path / "app.toml"
    path.write_text(text)
    return load(App, path, PREFIX)


def test_file_values_and_defaults(tmp_path: Path) -> None:
    app = load_text(tmp_path, GOOD)
    assert isinstance(app, App)
    assert app.rate == 2.5
    assert app.kafka.topic == "login-events"
    assert app.kafka.secret() == SECRET


def test_environment_wins_and_leaves_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_APP_RATE", "7")
    monkeypatch.setenv("TEST_APP_KAFKA__BOOTSTRAP_SERVERS", '["a:1", "[::1]:2"]')
    monkeypatch.setenv("TEST_APP_SETTINGS", "/elsewhere")
    app = load_text(tmp_path, GOOD)
    assert app.rate == 7
    assert app.kafka.bootstrap_servers == ["a:1", "[::1]:2"]
    assert app.kafka.username == "producer"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("rate = 2.5", "rat = 2.5"), "rat: unknown key; known keys here: kafka, rate"),
        (
            ('username = "producer"', 'user = "x"\nusername = "y"'),
            "kafka.user: unknown key; known keys here: boot",
        ),
        (("rate = 2.5", 'rate = "fast"'), "rate: Input should be a valid number"),
        (('"kafka1.example.org:9093"', '"kafka1.example.org"'), 'should be "host:port"'),
        (('["kafka1.example.org:9093"]', "[]"), "kafka.bootstrap_servers: List should have at least 1 item"),
        (('ca_file = "ca.pem"', ""), "kafka.ca_file: Field required"),
        (
            ('ca_file = "ca.pem"', 'ca_file = "ca.pem"\npassword_file = "p"'),
            "exactly one of password and password_file",
        ),
        ((f'password = "{SECRET}"', ""), "exactly one of password and password_file"),
        ((f'password = "{SECRET}"', f'passwrd = "{SECRET}"'), "kafka.passwrd: unknown key"),
        (("rate = 2.5", "rate = "), "not valid TOML"),
    ],
)
def test_refused_with_place_and_expectation(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, GOOD.replace(*change))
    text = str(caught.value)
    assert expected in text
    assert text.startswith(str(tmp_path / "app.toml"))
    assert SECRET not in text


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("TEST_APP_KAFAK__TOPIC", "t", "TEST_APP_KAFAK__TOPIC: unknown key 'kafak'; known keys: kafka, rate"),
        ("TEST_APP_KAFKA__TOPIK", "t", "kafka.topik: unknown key"),
        ("TEST_APP_KAFKA__BOOTSTRAP_SERVERS", "a:1,b:2", "write lists and tables as JSON"),
        ("TEST_APP_RATE", "fast", "with TEST_APP_RATE from the environment"),
    ],
)
def test_environment_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=expected.replace("(", r"\(")):
        load_text(tmp_path, GOOD)


def test_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml: the settings file cannot be read: No such file"):
        load(App, tmp_path / "nowhere.toml", PREFIX)


def test_describe_masks_secrets(tmp_path: Path) -> None:
    described = describe(load_text(tmp_path, GOOD))
    assert SECRET not in json.dumps(described)
    assert described["kafka"]["username"] == "producer"


def test_password_file_loses_only_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" with spaces \n\n")
    kafka = KafkaSettings(
        bootstrap_servers=["a:1"],
        username="u",
        password_file=tmp_path / "password",
        ca_file=tmp_path / "ca.pem",
    )
    assert kafka.secret() == " with spaces \n"


def test_client_config_is_secure_and_needs_the_ca(tmp_path: Path) -> None:
    kafka = load_text(tmp_path, GOOD.replace("ca.pem", str(tmp_path / "ca.pem"))).kafka
    with pytest.raises(SettingsError, match="CA file cannot be read"):
        kafka.client_config()
    (tmp_path / "ca.pem").write_text("certificate")
    config = kafka.client_config()
    assert config["security_protocol"] == "SASL_SSL"
    assert config["sasl_mechanism"] == "SCRAM-SHA-512"
    assert config["ssl_check_hostname"] is True
    assert config["sasl_plain_password"] == SECRET
