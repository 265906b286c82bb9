# SPDX-License-Identifier: Apache-2.0
"""Settings: what is refused, and what never leaves them."""

import json
import pickle
from pathlib import Path

import pytest
from login_common.settings import SettingsError, describe
from login_consumer.cli import main
from login_consumer.settings import Replay, Settings, Spark, load_settings
from login_consumer.spark import kafka_options, session
from pydantic import ValidationError

GOOD = """
[kafka]
bootstrap_servers = ["kafka.example.org:9092"]
username = "consumer"
password = "kafka-secret"
ca_file = "/ca.pem"
[elasticsearch]
hosts = ["https://es.example.org:9200"]
ca_file = "/ca.pem"
api_key = "elastic-secret"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "consumer.toml"
    path.write_text(text)
    return path


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, GOOD))
    assert settings.spark.master == "local[2,4]", "plain local[N] does not try a task again"
    assert settings.checkpoint_dir == Path("/var/lib/login-consumer/checkpoint")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('ca_file = "/ca.pem"', 'ca_fil = "/ca.pem"', "kafka.ca_fil: unknown key"),
        ('api_key = "elastic-secret"', "", "exactly one of api_key and api_key_file"),
        ('api_key = "elastic-secret"', 'api_key = "x"\napi_key_file = "/x"', "exactly one of api_key and api_key_file"),
        ("https://es", "http://es", "https://host:port"),
        ("es.example.org:9200", "es.example.org", "https://host:port"),
        ("[kafka]", "[metrics]\nwindow_seconds = 7\n[kafka]", "must divide a day"),
        ("[kafka]", '[events]\nperiod = "week"\n[kafka]', "events.period"),
        ("[kafka]", "[nonsense]\n[kafka]", "unknown key"),
    ],
)
def test_refused(tmp_path: Path, old: str, new: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(write(tmp_path, GOOD.replace(old, new, 1)))
    assert text in str(caught.value)
    assert "secret" not in str(caught.value)


def test_environment_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGIN_CONSUMER_SPARK__TRIGGER_MS", "0")
    monkeypatch.setenv("LOGIN_CONSUMER_SETTINGS", str(write(tmp_path, GOOD)))
    assert load_settings(None).spark.trigger_ms == 0


def test_the_described_settings_hold_no_secret(tmp_path: Path) -> None:
    told = json.dumps(describe(load_settings(write(tmp_path, GOOD))))
    assert "kafka.example.org" in told
    assert "secret" not in told


def test_key_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc\n")
    text = GOOD.replace('api_key = "elastic-secret"', f'api_key_file = "{tmp_path}/key"')
    assert load_settings(write(tmp_path, text)).elasticsearch.secret() == "abc"
    (tmp_path / "key").unlink()
    with pytest.raises(SettingsError, match="api_key_file"):
        load_settings(tmp_path / "consumer.toml").elasticsearch.secret()


def test_password_is_quoted_for_jaas(settings: Settings) -> None:
    options = kafka_options(settings.kafka, "earliest")
    assert options["kafka.sasl.jaas.config"].endswith(r'username="consumer" password="p\"a\\ss $";')
    assert options["failOnDataLoss"] == "true"


def test_missing_spark_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPARK_HOME", raising=False)
    with pytest.raises(SettingsError, match="SPARK_HOME is not set"):
        session(settings, "test")
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    with pytest.raises(SettingsError, match="no python/pyspark"):
        session(settings, "test")


def test_wrong_settings_end_with_2_and_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--settings", str(write(tmp_path, "[kafka")), "status"]) == 2
    assert "not valid TOML" in capsys.readouterr().err


@pytest.mark.parametrize("master", ["spark://master.example.org:7077", "spark://[2001:db8::1]:7077"])
def test_a_cluster_is_told_by_its_master(master: str) -> None:
    host, port = Spark(master=master).cluster or ("", 0)
    assert (host, port) in {("master.example.org", 7077), ("2001:db8::1", 7077)}
    assert Spark(master="local[2,4]").cluster is None


@pytest.mark.parametrize("master", ["yarn", "spark://a:7077,b:7077", "spark://a", "local", "spark://a:7077/x"])
def test_other_masters_are_refused(master: str) -> None:
    with pytest.raises(ValidationError, match=r"local\[tasks,tries\] or spark://host:port"):
        Spark(master=master)


def test_workers_get_the_api_key_and_no_other_secret(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("the-api-key\n")
    elastic = settings.elasticsearch.model_copy(update={"api_key": None, "api_key_file": file})
    replay = Replay(username="replay", password_file=tmp_path / "replay-password")
    told = settings.model_copy(update={"elasticsearch": elastic, "replay": replay}).for_workers()
    travels = pickle.dumps(told)
    assert b"the-api-key" in travels
    for other in (settings.kafka.secret(), "replay-password", str(file)):
        assert other.encode() not in travels
    assert "the-api-key" not in f"{told} {told!r} {told.model_dump_json()}"


def test_a_folder_too_long_for_sockets_is_refused() -> None:
    assert Spark(local_dir=Path("/" + 42 * "a"))
    with pytest.raises(ValidationError, match="43 bytes at most"):
        Spark(local_dir=Path("/" + 42 * "a" + "b"))


def test_letters_are_marked_with_the_key_of_replays(settings: Settings, tmp_path: Path) -> None:
    assert settings.elasticsearch_for_replay() == settings.elasticsearch
    file = tmp_path / "replay-key"
    file.write_text("the-replay-key\n")
    replay = Replay(username="replay", password_file=tmp_path / "replay-password", api_key_file=file)
    told = settings.model_copy(update={"replay": replay})
    assert told.elasticsearch_for_replay().secret() == "the-replay-key"
    assert told.elasticsearch.secret() != "the-replay-key"
    assert told.kafka_for_replay().username == "replay"
