# SPDX-License-Identifier: Apache-2.0
"""The running producer on a source that ends, with a client that settles at once or never."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.future import Future
from login_producer import service, status
from login_producer.settings import ProducerSettings
from login_producer.sources import SourceError


class Client:
    """Takes events; `acknowledges` tells whether Kafka does."""

    def __init__(self, acknowledges: bool) -> None:
        self._acknowledges = acknowledges
        self.values: list[bytes] = []

    def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def send(self, topic: str, value: bytes, key: bytes | None, headers: Any, partition: int) -> Any:
        self.values.append(value)
        return Future().success(None) if self._acknowledges else Future()

    def flush(self, timeout: float) -> None:
        raise KafkaTimeoutError("not settled")

    def close(self, timeout: float) -> None:
        pass


class Stop:
    """Comes once the client has so many events."""

    received = False

    def __init__(self, client: Client, after: int) -> None:
        self._client, self._after = client, after

    def wait(self, seconds: float) -> bool:
        self.received = len(self._client.values) >= self._after
        return self.received


class Connection:
    topic = "login-events"

    def __init__(self, client: Client) -> None:
        self._client = client

    def open(self) -> Client:
        return self._client

    def diagnose(self) -> str:
        return "no cause known"


def settings(folder: Path, **source: Any) -> ProducerSettings:
    (folder / "logs").mkdir(exist_ok=True)
    return ProducerSettings.model_validate({
        "kafka": {"bootstrap_servers": ["k:1"], "username": "u", "password": "p", "ca_file": "ca.pem"},
        "source": {
            "type": "file", "format": "native", "follow": False, "paths": [f"{folder}/logs/*"],
        } | source,
        "delivery": {"stop_timeout_s": 0},
        "status_file": folder / "status.json",
        "state_file": folder / "counters.json",
    })  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, settings: ProducerSettings, client: Client, stop_after: int = 999) -> bool:
    monkeypatch.setattr(service, "Connection", lambda *_: Connection(client))
    return service.run(settings, Stop(client, stop_after))  # type: ignore[arg-type]


def test_files_read_once_end_well_and_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured = settings(tmp_path)
    (tmp_path / "logs" / "a").write_text("one\ntwo")
    client = Client(acknowledges=True)
    assert run(monkeypatch, configured, client)
    assert client.values == [b"one", b"two"]
    assert json.loads((tmp_path / "counters.json").read_text())["acked"] == 2
    again = Client(acknowledges=True)
    assert run(monkeypatch, configured, again)
    assert again.values == []


def test_what_kafka_did_not_acknowledge_is_sent_again_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configured = settings(tmp_path)
    (tmp_path / "logs" / "a").write_text("one\ntwo\n")
    assert not run(monkeypatch, configured, Client(acknowledges=False), stop_after=2)
    assert "not delivered yet, but again at the next start, 2" in caplog.text
    client = Client(acknowledges=True)
    assert run(monkeypatch, configured, client)
    assert client.values == [b"one", b"two"]


def test_what_could_not_be_read_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configured = settings(tmp_path)
    (tmp_path / "logs" / "a").write_text("one\n")
    (tmp_path / "logs" / "b.gz").write_text("no gzip")
    client = Client(acknowledges=True)
    assert not run(monkeypatch, configured, client)
    assert client.values == [b"one"]
    assert "not everything was read: " in caplog.text


def test_nothing_to_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError):
        run(monkeypatch, settings(tmp_path), Client(acknowledges=True))


def test_status_tells_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a").write_text("one\n")
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(status.StatusFile, "remove", lambda _: seen.append(status.read(tmp_path / "status.json")))
    assert run(monkeypatch, settings(tmp_path), Client(acknowledges=True))
    assert seen[0]["source"] == {
        "type": "file", "lag_bytes": 0, "more_files": 0,
        "files": [{"path": f"{tmp_path}/logs/a", "offset": 4, "lag_bytes": 0}],
    }  # fmt: skip


WAITS = """
from login_producer.service import StopRequest
stop = StopRequest()
while not stop.wait(0.01):
    print("goes on", flush=True)
print("was stopped", flush=True)
"""


def test_a_process_that_was_halted_goes_on_until_it_is_stopped() -> None:
    """As after a debugger, or when the host was frozen."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", WAITS], env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(20):
                assert process.stdout and process.stdout.readline() == "goes on\n"
                process.send_signal(signal.SIGSTOP)
                os.waitpid(process.pid, os.WUNTRACED)
                time.sleep(0.02)  # halted for longer than it meant to wait
                process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            assert process.stdout.read().splitlines()[-1] == "was stopped"
            assert process.wait() == 0
        finally:
            process.kill()
