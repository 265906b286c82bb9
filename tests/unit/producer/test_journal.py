# SPDX-License-Identifier: Apache-2.0
"""The journal: which entries are trusted, what line each becomes, and going on after whatever happens."""

import json
import pwd
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from login_producer.counters import Counters
from login_producer.settings import JournalSettings
from login_producer.sources import Event, SourceError, journal
from login_producer.sources.entry import Entry, id_of
from login_producer.sources.journal import JournalSource

FAKE = Path(__file__).parents[2] / "support" / "fake_journalctl.py"


def fields(number: int = 1, **changes: Any) -> dict[str, Any]:
    """An entry of sshd, as journalctl gives it."""
    entry = {
        "__CURSOR": f"s=6494ed1d;i={number:x};b=b73684a8;m={number:x};t={number:x};x=4175ae6c",
        "__REALTIME_TIMESTAMP": "1772359205654321",
        "_SOURCE_REALTIME_TIMESTAMP": "1772359205123456",
        "_HOSTNAME": "web1",
        "SYSLOG_IDENTIFIER": "sshd",
        "_PID": "431",
        "_UID": "0",
        "_EXE": "/usr/sbin/sshd",
        "_COMM": "sshd",
        "_TRANSPORT": "syslog",
        "MESSAGE": f"Accepted publickey for user{number} from 192.0.2.1 port 50022 ssh2",
    }
    return {name: value for name, value in (entry | changes).items() if value is not None}


def entry(**changes: Any) -> Entry:
    return Entry(json.dumps(fields(**changes)).encode())


NOBODY = pwd.getpwnam("nobody").pw_uid
SUDO = {
    "SYSLOG_IDENTIFIER": "sudo",
    "_UID": str(NOBODY),
    "_EXE": "/usr/bin/sudo",
    "_COMM": "sudo",
    "MESSAGE": "  nobody : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
}
SU = SUDO | {"SYSLOG_IDENTIFIER": "su", "_EXE": "/bin/su", "MESSAGE": "FAILED SU (to root) nobody on pts/1"}
LOGGER = {"_UID": "1000", "_EXE": "/usr/bin/logger", "_COMM": "logger"}


@pytest.mark.parametrize(
    ("changes", "trusted"),
    [
        ({}, True),
        ({"_EXE": None, "_COMM": None}, True),  # root's, and had ended
        ({"_TRANSPORT": "journal", "SYSLOG_IDENTIFIER": "systemd-logind"}, True),
        (SUDO, True),
        (SUDO | {"_UID": "0"}, True),
        (SUDO | {"MESSAGE": "pam_unix(sudo:auth): conversation failed"}, True),
        (SU, True),
        (SU | {"MESSAGE": "(to root) nobody on pts/1", "_EXE": "/usr/bin/su"}, True),
        (SU | {"MESSAGE": "(to bob) root on pts/1", "_AUDIT_LOGINUID": "0"}, True),  # by su from a shell by su
        (SU | {"MESSAGE": "(to bob) root on pts/1"}, False),
        (SUDO | {"MESSAGE": "  root : TTY=pts/0 ; PWD=/home/nobody : ; USER=root ; COMMAND=/usr/bin/id"}, False),
        (SUDO | {"MESSAGE": "root : nobody : TTY=pts/0"}, False),
        (SUDO | {"_UID": "4294967294"}, False),
        (LOGGER, False),
        (LOGGER | {"SYSLOG_IDENTIFIER": "sudo"}, False),
        (SUDO | {"_EXE": None, "_COMM": None}, False),
        (SUDO | {"_EXE": "/home/mallory/usr/bin/sudo"}, False),
        (SUDO | {"SYSLOG_IDENTIFIER": "sshd"}, False),
        (SUDO | {"SYSLOG_IDENTIFIER": "su"}, False),
        ({"_UID": None}, False),
        ({"_TRANSPORT": "stdout"}, False),
        ({"SYSLOG_IDENTIFIER": ["sshd", "x"]}, False),
    ],
)
def test_only_what_journald_vouches_for_is_trusted(changes: dict[str, Any], trusted: bool) -> None:
    assert (entry(**changes).distrust is None) == trusted


def test_distrust_names_the_culprit() -> None:
    assert entry(**LOGGER).distrust == "it claims to be of sshd, and is of user id 1000, program /usr/bin/logger"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"MESSAGE": "hello"}, "2026-03-01T10:00:05.123456+00:00 web1 sshd[431]: hello"),
        ({"MESSAGE": "x", "_SOURCE_REALTIME_TIMESTAMP": None}, "2026-03-01T10:00:05.654321+00:00 web1 sshd[431]: x"),
        ({"MESSAGE": "x", "_PID": None}, "2026-03-01T10:00:05.123456+00:00 web1 sshd: x"),
        ({"MESSAGE": "a\nb\tc\x1b[1m\n"}, "2026-03-01T10:00:05.123456+00:00 web1 sshd[431]: a#012b#011c#033[1m"),
        (
            {"MESSAGE": [0x68, 0xC3, 0xA9, 0xFF, 0x0A, 0x78]},
            "2026-03-01T10:00:05.123456+00:00 web1 sshd[431]: hé�#012x",
        ),
        ({"MESSAGE": ["one", [0x32]]}, "2026-03-01T10:00:05.123456+00:00 web1 sshd[431]: one#0122"),
        ({"MESSAGE": None}, "2026-03-01T10:00:05.123456+00:00 web1 sshd[431]: "),
    ],
)
def test_an_entry_is_one_line(changes: dict[str, Any], line: str) -> None:
    assert entry(**changes).line().decode() == line


def test_the_id_outlives_the_move_from_memory_to_disk() -> None:
    cursor = fields()["__CURSOR"]
    assert id_of(cursor) == id_of(cursor.replace("s=6494ed1d;i=1", "s=dbe50624;i=7f"))
    assert id_of(cursor) != id_of(cursor.replace("m=1", "m=2"))


class Host:
    """A journal, and the source that reads it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.counters = folder, Counters()
        self._entries = folder / "entries"
        self._entries.touch()
        command = folder / "bin" / "journalctl"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {FAKE} "$@"\n')
        command.chmod(command.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(command.parent), prepend=":")
        monkeypatch.setenv("JOURNAL", str(folder))
        self.source: JournalSource | None = None

    def log(self, *numbers: int, **changes: Any) -> None:
        with self._entries.open("a") as file:
            for number in numbers:
                file.write(json.dumps(fields(number, **changes)) + "\n")

    def vacuum(self, first: int) -> None:
        lines = self._entries.read_text().splitlines(keepends=True)
        self._entries.write_text("".join(lines[first:]))

    def start(self, **settings: Any) -> "Host":
        if self.source:
            self.source.close()
        values = {"type": "journal"} | settings
        self.source = JournalSource(
            JournalSettings.model_validate(values), self.folder / "position.json", self.counters
        )
        return self

    def take(self, count: int, least_s: float = 0.0) -> list[Event]:
        """Take so many events, and what else there is until some time has passed."""
        assert self.source
        taken: list[Event] = []
        begin = time.monotonic()
        while len(taken) < count or time.monotonic() - begin < least_s:
            assert time.monotonic() - begin < 10, taken
            taken += self.source.take(100)
            time.sleep(0.005)
        return taken

    def run(self, times: int) -> None:
        """Let the source run until journalctl was started so often."""
        assert self.source
        end = time.monotonic() + 10
        while len(self.asked) < times:
            assert time.monotonic() < end, self.asked
            assert self.source.take(1) == []
            time.sleep(0.005)

    def settle(self, events: list[Event]) -> None:
        assert self.source
        for event in events:
            assert event.receipt
            event.receipt.signed = True
        self.source.save()

    @property
    def asked(self) -> list[list[str]]:
        """How journalctl was called, each time."""
        asked = self.folder / "asked"
        return [json.loads(line) for line in asked.read_text().splitlines()] if asked.exists() else []


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(journal, "_AGAIN_S", 0)
    host = Host(tmp_path, monkeypatch)
    yield host
    if host.source:
        host.source.close()


def users(events: list[Event]) -> list[str]:
    return [event.value.decode().split("for ")[1].split(" ")[0] for event in events]


def test_entries_are_sent_as_they_come(host: Host) -> None:
    host.start()
    assert host.source and list(host.source.take(10)) == []
    host.log(1, 2)
    events = host.take(2)
    assert users(events) == ["user1", "user2"]
    assert events[0].headers == [("login-format", b"sshd"), ("login-id", events[0].event_id.encode())]
    assert host.source.status()["last_entry"] == "2026-03-01T10:00:05.123+00:00"


def test_the_first_start_begins_now_and_a_restart_before_the_first_entry_no_later(host: Host) -> None:
    host.start()
    host.run(1)
    host.settle([])
    host.start()
    host.run(2)
    since = [next(option for option in asked if option.startswith("--since=")) for asked in host.asked]
    assert since[0] == since[1]
    assert abs(float(since[0].removeprefix("--since=@")) - time.time()) < 5
    assert "SYSLOG_IDENTIFIER=sshd-session" in host.asked[0]
    assert "_TRANSPORT=stdout" not in host.asked[0]


def test_history_is_read_from_where_the_settings_say(host: Host) -> None:
    host.start(since="-1 day")
    host.run(1)
    assert "--since=-1 day" in host.asked[0]


def test_a_restart_goes_on_after_what_was_acknowledged(host: Host) -> None:
    host.log(1, 2, 3)
    host.start()
    host.settle(host.take(3)[:2])
    host.log(4)
    host.start()
    again = host.take(2, 0.1)
    assert users(again) == ["user3", "user4"]


def test_journalctl_is_started_again_after_the_last_entry_read(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.log(1, 2)
    host.start()
    host.take(2)
    (host.folder / "stop").touch()
    host.log(3)
    assert users(host.take(1, 0.2)) == ["user3"]
    assert "journalctl has ended" in caplog.text
    assert "no longer has the entry" not in caplog.text


def test_removed_entries_are_said(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.log(1, 2, 3, 4)
    host.start()
    host.settle(host.take(4)[:2])
    host.vacuum(first=3)
    host.start()
    assert users(host.take(1, 0.1)) == ["user4"]
    assert "no longer has the entry to go on after: others before 2026-03-01T10:00:05+00:00 may" in caplog.text


def test_what_is_not_trusted_is_counted_and_said_once_a_minute(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.log(1)
    host.log(2, 3, 4, **LOGGER)
    host.start()
    host.settle(host.take(1, 0.1))
    assert host.counters.untrusted == 3
    assert host.counters.generated == 0
    assert caplog.text.count("is not trusted, and not sent") == 1
    host.start()
    host.log(5)
    assert users(host.take(1, 0.1)) == ["user5"]
    assert host.counters.untrusted == 3


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("No journal files were opened due to insufficient permissions.", "group systemd-journal"),
        ("Hint: You are currently not seeing messages from other users and the system.", "group systemd-journal"),
        ("Failed to parse timestamp: x", 'give "now", "boot"'),
        ("Failed to seek to cursor: Invalid argument", "remove the file to begin anew"),
        ("Out of luck", "journalctl ends again and again: Out of luck; try: journalctl --follow"),
    ],
)
def test_what_cannot_be_mended_by_waiting_is_an_error(host: Host, told: str, expected: str) -> None:
    (host.folder / "told").write_text(told + "\n")
    host.start()
    with pytest.raises(SourceError) as caught:
        host.take(1)
    assert expected in str(caught.value)


def test_a_host_without_journalctl(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(host.folder))
    host.start()
    with pytest.raises(SourceError, match="is this a host with systemd"):
        host.take(1)


def test_a_damaged_position_costs_no_entry(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.log(1)
    (host.folder / "position.json").write_text("{")
    host.start()
    assert users(host.take(1)) == ["user1"]
    assert "--since=@0" in host.asked[0]
    assert "is damaged" in caplog.text
