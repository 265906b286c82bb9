# SPDX-License-Identifier: Apache-2.0
"""The command line: options over the file, exit codes, no traces."""

import json
import signal
from pathlib import Path

import pytest
from login_common import __version__
from login_producer import service
from login_producer.cli import main
from login_producer.settings import ProducerSettings
from login_producer.sources import SourceError

SETTINGS = """
[kafka]
bootstrap_servers = ["localhost:9093"]
username = "producer"
password = "correct-horse"
ca_file = "{ca}"
[source]
rate = 5
seed = 3
"""


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text("certificate")
    path = tmp_path / "producer.toml"
    path.write_text(SETTINGS.format(ca=tmp_path / "ca.pem"))
    return path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ProducerSettings]:
    """The settings that the service was started with; it does nothing and reports failure."""
    seen: list[ProducerSettings] = []

    def run(settings: ProducerSettings, stop: object) -> bool:
        seen.append(settings)
        return False

    monkeypatch.setattr(service, "run", run)
    monkeypatch.setattr(service, "StopRequest", object)
    return seen


def test_options_override_the_file(settings_file: Path, started: list[ProducerSettings]) -> None:
    code = main(["run", "--settings", str(settings_file), "--rate", "0", "--total", "9", "--profile", "seed"])
    assert code == 1
    source = started[0].source
    assert (source.events_per_second, source.limit, source.profile, source.seed) == (0, 9, "seed", 3)


def test_start_line_hides_the_password(
    settings_file: Path, started: list[ProducerSettings], capfd: pytest.CaptureFixture[str]
) -> None:
    main(["run", "--settings", str(settings_file)])
    line = capfd.readouterr().err
    assert f"login-producer {__version__} starts with" in line
    assert "correct-horse" not in line


def test_bad_settings_exit_2_with_one_line(
    settings_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "StopRequest", object)
    monkeypatch.setenv("LOGIN_PRODUCER_SETTINGS", str(settings_file))
    monkeypatch.setenv("LOGIN_PRODUCER_SOURCE__SPEED", "1")
    assert main(["run"]) == 2
    error = capsys.readouterr().err
    assert "source.speed: unknown key" in error
    assert error.count("\n") == 1


def test_bad_option_exit_2(settings_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--total", "0"]) == 2
    assert "--total: Input should be greater than or equal to 1" in capsys.readouterr().err


def test_generate_prints_events(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["generate", "--total", "3"]) == 0
    assert [
        json.loads(line)["outcome"] in ("success", "failure") for line in capfdbinary.readouterr().out.splitlines()
    ] == [True] * 3


def test_status_without_a_producer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--status-file", str(tmp_path / "none.json")]) == 1
    assert "systemctl status login-producer" in capsys.readouterr().err


STDIN = ["--source", "stdin", "--format", "native"]


def test_standard_input_takes_the_place_of_the_source_in_the_settings(
    settings_file: Path, started: list[ProducerSettings]
) -> None:
    main(["run", "--settings", str(settings_file), *STDIN, "--timezone", "Europe/Berlin"])
    assert started[0].source.model_dump() == {
        "type": "stdin", "format": "native", "timezone": "Europe/Berlin", "layout": "lines",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([*STDIN, "--rate", "3"], "--rate is not for --source stdin"),
        (["--format", "native"], "--format needs --source stdin"),
        (["--source", "stdin"], "--format is required: one of native, "),
        (["--source", "stdin", "--format", "nativ"], "--format: should be one of native, "),
        ([*STDIN, "--timezone", "Berlin"], "--timezone: should be a zone of the IANA database"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    settings_file: Path, started: list[ProducerSettings], options: list[str], expected: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert main(["run", "--settings", str(settings_file), *options]) == 2
    assert expected in capsys.readouterr().err


def test_options_of_made_up_events_are_refused_for_real_ones(
    settings_file: Path, started: list[ProducerSettings], capsys: pytest.CaptureFixture[str]
) -> None:
    text = settings_file.read_text()
    settings_file.write_text(text[: text.index("[source]")] + '[source]\ntype = "journal"\n')
    assert main(["run", "--settings", str(settings_file), "--profile", "seed"]) == 2
    assert "--profile is for made-up events, but source.type in the settings is journal" in capsys.readouterr().err


def test_status_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counters = {"generated": 3, "sent": 3, "acked": 2, "resent": 0, "failed": {"too_large": 1}, "untrusted": 0}
    source = {"type": "file", "lag_bytes": 8, "files": [], "more_files": 0}
    path = tmp_path / "status.json"
    path.write_text(json.dumps({
        "state": "sending", "pid": 7, "counters": counters, "unacknowledged": 0, "rate": {"acked": 0.5},
        "unreachable_since": None, "source": source,
    }))  # fmt: skip
    assert main(["status", "--status-file", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "failed 1 {'too_large': 1}", "source type file, lag bytes 8, more files 0",
    ]  # fmt: skip


class Stop:
    """A stop request that has come, or not."""

    def __init__(self, number: int) -> None:
        self.number, self.received = number, bool(number)


@pytest.mark.parametrize(
    ("number", "whole", "code"),
    [
        (0, True, 0),  # the source has ended
        (0, False, 1),
        (signal.SIGTERM, True, 143),
        (signal.SIGINT, True, 130),
        (signal.SIGHUP, True, 129),
        (signal.SIGTERM, False, 1),  # events were not delivered
    ],
)
def test_the_exit_code_tells_an_end_of_the_source_from_a_stop(
    number: int, whole: bool, code: int, settings_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first is no reason to start again."""
    monkeypatch.setattr(service, "StopRequest", lambda: Stop(number))
    monkeypatch.setattr(service, "run", lambda *_: whole)
    assert main(["run", "--settings", str(settings_file)]) == code


def test_a_source_that_cannot_be_read_now_is_tried_again(
    settings_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> bool:
        raise SourceError("journalctl ends again and again")

    monkeypatch.setattr(service, "StopRequest", lambda: Stop(0))
    monkeypatch.setattr(service, "run", fails)
    assert main(["run", "--settings", str(settings_file)]) == 1
    assert "journalctl ends again and again" in capfd.readouterr().err
