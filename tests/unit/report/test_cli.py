# SPDX-License-Identifier: Apache-2.0
"""The command: its files, its range, and for each failure one line and an exit code."""

import socket
from pathlib import Path
from typing import Any

import pytest
import trustme
from elastic_errors import api_error
from elastic_transport import ConnectionTimeout
from login_common import readable
from login_common.settings import SettingsError
from login_common.times import moment
from login_report import service
from login_report.cli import chosen_span, main
from login_report.numbers import Answers
from login_report.queries import Span

SETTINGS = """
[elasticsearch]
hosts = ["https://localhost:{port}"]
ca_file = "{ca}"
api_key = "correct-horse"
"""
NOW = moment("2026-11-25T18:00:42Z")
BROKEN = {"error": {"type": "search_phase_execution_exception", "reason": "all shards failed"}}


class Client:
    """Answers the question for privileges and the one for the numbers, or fails."""

    def __init__(self, answer: list[dict[str, Any]] | Exception, unreadable: str = "") -> None:
        self.answer, self.unreadable = answer, unreadable
        self.security = self.indices = self
        self.states: dict[str, int] = {}
        """Indices, and the status of a search for each one alone."""

    def has_privileges(self, index: list[dict[str, Any]]) -> dict[str, Any]:
        names = [name for each in index for name in each["names"]]
        return {"index": {name: {"read": name != self.unreadable, "view_index_metadata": True} for name in names}}

    def resolve_index(self, **_: Any) -> dict[str, Any]:
        return {"indices": [{"name": name, "attributes": ["open"]} for name in self.states]}

    def msearch(self, searches: list[dict[str, Any]]) -> dict[str, Any]:
        if isinstance(searches[0]["index"], str):
            told = [self.states[header["index"]] for header in searches[::2]]
            return {"responses": [{"status": 200} if each == 200 else BROKEN | {"status": each} for each in told]}
        left = {name for name, status in self.states.items() if status != 200}
        assert {each[1:] for header in searches[::2] for each in header["index"][1:]} == left
        if isinstance(self.answer, Exception):
            raise self.answer
        assert len(searches) == 2 * len(self.answer)
        return {"responses": self.answer}

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """Settings that lead to a port where nobody listens."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = tmp_path / "report.toml"
    path.write_text(SETTINGS.format(port=port, ca=tmp_path / "ca.pem"))
    return path


def answering(monkeypatch: pytest.MonkeyPatch, answer: list[dict[str, Any]] | Exception, unreadable: str = "") -> None:
    monkeypatch.setattr(service, "connect", lambda _: Client(answer, unreadable))


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("login-report: ")
    assert "correct-horse" not in told.err
    return told.err


def test_a_page_and_its_charts(
    settings_file: Path, tmp_path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, list(answers.values()))
    page, folder = tmp_path / "page.html", tmp_path / "charts"
    page.write_text("an older one")
    assert main(["--settings", str(settings_file), "--output", str(page), "--png", str(folder)]) == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert page.stat().st_mode & 0o777 == 0o640
    assert {each.name for each in folder.iterdir()} >= {"over_time.png", "months.png", "latency.png"}
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o640}
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")], "no temporary file is left"


def test_before_there_is_an_index(
    settings_file: Path, tmp_path: Path, no_answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, list(no_answers.values()))
    for name in ("latency.png", "mine.png"):
        (tmp_path / name).write_text("an older one")
    page = tmp_path / "page.html"
    assert main(["--settings", str(settings_file), "--output", str(page), "--png", str(tmp_path)]) == 0
    assert "No data in this range" in page.read_text()
    assert [each.name for each in tmp_path.glob("*.png")] == ["mine.png"], "no chart of an older report is left"


def test_what_cannot_be_read_is_left_out_and_told(
    settings_file: Path,
    tmp_path: Path,
    answers: Answers,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = Client(list(answers.values()))
    client.states = {"login-events-2026.01": 503, "login-metrics-2026.01": 200, "login-pipeline-2026.01": 503}
    monkeypatch.setattr(service, "connect", lambda _: client)
    monkeypatch.setattr(readable, "_PASSES_S", -1)
    page = tmp_path / "page.html"
    assert main(["--settings", str(settings_file), "--output", str(page)]) == 3
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2].split()[0] for line in told] == ["login-events-2026.01", "login-pipeline-2026.01"]
    assert "Not complete:" in page.read_text() and "<li>login-events-2026.01 is red: GET" in page.read_text()


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ("2026-11-24T18:00:42Z", "2026-11-25T18:00:42Z")),
        ("2026-11-01", None, ("2026-11-01", "2026-11-25T18:00:42Z")),
        (None, "2026-11-02", ("2026-11-01", "2026-11-02")),
        ("2026-11-01", "2026-12-01", ("2026-11-01", "2026-11-25T18:00:42Z")),
        ("1066-10-14", "2026-01-01", ("1970-01-01", "2026-01-01")),
    ],
)
def test_the_range(start: str | None, end: str | None, expected: tuple[str, str]) -> None:
    span = chosen_span(start and moment(start), end and moment(end), NOW)
    assert span == Span(moment(expected[0]), moment(expected[1]))


@pytest.mark.parametrize(
    ("start", "end"), [("2026-11-02", "2026-11-01"), ("2027-01-01", None), ("2027-01-01", "2028-01-01")]
)
def test_no_range(start: str, end: str | None) -> None:
    with pytest.raises(SettingsError, match="--from must be before --to, and before now"):
        chosen_span(moment(start), end and moment(end), NOW)


def test_an_empty_range_is_2(settings_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    range_ = ["--from", "2026-02-02", "--to", "2026-02-01"]
    assert main(["--settings", str(settings_file), "--output", str(tmp_path / "p"), *range_]) == 2
    assert "is empty" in one_line(capsys)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("hosts =", 'host = "x"\nhosts =', "elasticsearch.host: unknown key"),
        ('api_key = "correct-horse"', "", "exactly one of api_key and api_key_file"),
        ('api_key = "correct-horse"', 'api_key_file = "/nowhere/key"', "/nowhere/key: the API key file"),
        ("correct-horse", "key\u20ac", "the API key holds signs that no key has"),
        ("https:", "http:", "https://host:port"),
        ("ca.pem", "none.pem", "check elasticsearch.ca_file"),
        ("ca.pem", "report.toml", "check elasticsearch.ca_file"),
    ],
)
def test_wrong_settings_are_2(
    settings_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, text: str
) -> None:
    settings_file.write_text(settings_file.read_text().replace(old, new, 1))
    assert main(["--settings", str(settings_file), "--output", str(tmp_path / "page.html")]) == 2
    told = capsys.readouterr().err
    assert text in told.splitlines()[0]
    assert "correct-horse" not in told
    assert not (tmp_path / "page.html").exists()


def test_no_settings_file_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGIN_REPORT_SETTINGS", str(tmp_path / "none.toml"))
    assert main(["--output", str(tmp_path / "page.html")]) == 2
    assert "none.toml: the settings file cannot be read" in one_line(capsys)


@pytest.mark.parametrize("options", [[], ["--output", "x", "--from", "yesterday"], ["--output", "x", "--speed", "1"]])
def test_wrong_options_are_2(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(options)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_nobody_listens_is_1(settings_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    page.write_text("an older one")
    assert main(["--settings", str(settings_file), "--output", str(page)]) == 1
    assert "refuses the connection; is it running" in one_line(capsys)
    assert page.read_text() == "an older one"


ERROR = {"type": "search_phase_execution_exception", "reason": "all shards failed", "root_cause": [{"reason": "boom"}]}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (api_error(401), "refuses the API key (401)"),
        (api_error(403, "security_exception", "action is unauthorized"), "lacks a privilege"),
        (ConnectionTimeout("no answer"), "did not answer in time"),
        ([{"error": ERROR, "status": 503}] * 8, "not ready (503, search_phase_execution_exception: boom)"),
        ([{"timed_out": False, "_shards": {"failed": 1}}] * 8, "could not look at all its data"),
        ([{"timed_out": True, "_shards": {"failed": 0}}] * 8, "could not look at all its data"),
    ],
)
def test_what_elasticsearch_does_not_answer_is_1(
    settings_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: list[dict[str, Any]] | Exception,
    text: str,
) -> None:
    answering(monkeypatch, answer)
    assert main(["--settings", str(settings_file), "--output", str(tmp_path / "page.html")]) == 1
    assert text in one_line(capsys)


def test_what_the_key_may_not_read_is_1(
    settings_file: Path,
    tmp_path: Path,
    no_answers: Answers,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Elasticsearch answers as if there were no such index
    answering(monkeypatch, list(no_answers.values()), "login-metrics-*")
    assert main(["--settings", str(settings_file), "--output", str(tmp_path / "page.html")]) == 1
    assert "the API key may not read login-metrics-*; make one" in one_line(capsys)


@pytest.mark.parametrize("option", ["--output", "--png"])
def test_what_cannot_be_written_is_1(
    settings_file: Path,
    tmp_path: Path,
    no_answers: Answers,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
) -> None:
    answering(monkeypatch, list(no_answers.values()))
    options = {"--output": str(tmp_path / "page.html")} | {option: str(tmp_path / "no" / "where")}
    assert main(["--settings", str(settings_file), *(word for pair in options.items() for word in pair)]) == 1
    assert f"{tmp_path / 'no'}" in one_line(capsys)
