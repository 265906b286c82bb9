# SPDX-License-Identifier: Apache-2.0
"""Format sshd: each line as logged, and the document it becomes."""

from typing import Any

import pytest
from lines import LOG, ignored, logged, stored

KEY = "ED25519 SHA256:AAAAexampleexample"
CERTIFICATE = "ED25519-CERT SHA256:AAAAexample ID {} (serial 7) CA RSA SHA256:BBBBexample"


def ssh(outcome: str, **more: Any) -> dict[str, Any]:
    return logged("sshd", "ssh_login", outcome, **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"Accepted publickey for alice from 192.0.2.10 port 52144 ssh2: {KEY}",
            ssh("success", user="alice", ip="192.0.2.10", source_port=52144, login_method="publickey"),
        ),
        (
            "Accepted password for alice from 2001:db8::5 port 52144 ssh2",
            ssh("success", user="alice", ip="2001:db8::5", source_port=52144, login_method="password"),
        ),
        (
            "Accepted keyboard-interactive/pam for alice from 192.0.2.10 port 1 ssh2",
            ssh("success", user="alice", ip="192.0.2.10", source_port=1, login_method="keyboard-interactive/pam"),
        ),
        (
            "Accepted publickey for alice from 192.0.2.10 port 1 ssh2: " + CERTIFICATE.format("alice@example.org"),
            ssh("success", user="alice", ip="192.0.2.10", source_port=1, login_method="publickey"),
        ),
        (
            "Accepted gssapi-with-mic for alice from 192.0.2.10 port 1 ssh2: alice@EXAMPLE.ORG",
            ssh("success", user="alice", ip="192.0.2.10", source_port=1, login_method="gssapi-with-mic"),
        ),
        (
            "Accepted publickey for alice from 192.0.2.10 port 1 ssh2: RSA 4f:3c:00:11",
            ssh("success", user="alice", ip="192.0.2.10", source_port=1, login_method="publickey"),
        ),
        (
            "Accepted publickey for alice from UNKNOWN port 65535 ssh2",
            ssh("success", user="alice", source_port=65535, login_method="publickey"),
        ),
        (
            "Failed password for root from 198.51.100.4 port 40100 ssh2",
            ssh("failure", event_reason="bad_password", user="root", ip="198.51.100.4", source_port=40100,
                login_method="password"),
        ),
        (
            "Failed password for root from 198.51.100.4 port 40100 ssh2 [preauth]",
            ssh("failure", event_reason="bad_password", user="root", ip="198.51.100.4", source_port=40100,
                login_method="password"),
        ),
        (
            f"Failed publickey for alice from 198.51.100.4 port 40100 ssh2: {KEY}",
            ssh("failure", event_reason="bad_key", user="alice", ip="198.51.100.4", source_port=40100,
                login_method="publickey"),
        ),
        (
            "Failed keyboard-interactive for alice from 198.51.100.4 port 40100 ssh2",
            ssh("failure", event_reason="authentication_failed", user="alice", ip="198.51.100.4", source_port=40100,
                login_method="keyboard-interactive"),
        ),
        (
            "Failed keyboard-interactive/pam for invalid user bob from 198.51.100.4 port 40100 ssh2",
            ssh("failure", event_reason="invalid_user", user="bob", ip="198.51.100.4", source_port=40100,
                login_method="keyboard-interactive/pam"),
        ),
        *(
            (
                text,
                ssh("failure", event_reason="authentication_failed", user="alice", ip="198.51.100.4",
                    login_method="keyboard-interactive/pam"),
            )
            for text in (
                "error: PAM: Authentication failure for alice from 198.51.100.4",
                "error: PAM: Authentication error for alice from 198.51.100.4",
                "error: PAM: authentication error for alice from 198.51.100.4 via 192.0.2.1",
                "error: PAM: Authentication failure for alice from 198.51.100.4 [preauth]",
                "error: PAM: Have exhausted maximum number of retries for service for alice from 198.51.100.4",
            )
        ),
        (
            "Failed password for illegal user admin from 198.51.100.4 port 40022 ssh2",
            ssh("failure", event_reason="invalid_user", user="admin", ip="198.51.100.4", source_port=40022,
                login_method="password"),
        ),
        (
            "Failed password for invalid user admin from 198.51.100.4 port 40022 ssh2",
            ssh("failure", event_reason="invalid_user", user="admin", ip="198.51.100.4", source_port=40022,
                login_method="password"),
        ),
        (
            "Failed password for invalid user  from 198.51.100.4 port 40022 ssh2",
            ssh("failure", event_reason="invalid_user", ip="198.51.100.4", source_port=40022, login_method="password"),
        ),
        (
            "Failed password for invalid user John Q. Public from 198.51.100.4 port 40022 ssh2",
            ssh("failure", event_reason="invalid_user", user="John Q. Public", ip="198.51.100.4", source_port=40022,
                login_method="password"),
        ),
    ],
)  # fmt: skip
def test_lines_of_sshd(text: str, expected: dict[str, Any]) -> None:
    assert stored("sshd", f"{LOG} sshd[42]: {text}") == expected


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("x from 192.0.2.1 port 1 ssh2", ""),
        ("x from 192.0.2.1 port 1 ssh2: RSA SHA256:AAAA", ""),
        ("invalid user root from 192.0.2.1 port 1 ssh2:", f": {KEY}"),
        ("from", ""),
        (" from 192.0.2.1", ""),
        ("root from 192.0.2.1 port 22 ssh2\\nMar  1 10:00:00 web-1 sshd[1]: Accepted password for root", ""),
        ("\x1b[2Jroot", ""),
        ("a\0b", ""),
        ("message repeated 5 times: [ x]", ""),
    ],
)
def test_a_name_fakes_nothing(name: str, rest: str) -> None:
    method = "publickey" if rest else "password"
    line = f"{LOG} sshd[42]: Failed {method} for invalid user {name} from 203.0.113.9 port 22 ssh2{rest}"
    assert stored("sshd", line) == ssh(
        "failure", event_reason="invalid_user", user=name, ip="203.0.113.9", source_port=22, login_method=method
    )


@pytest.mark.parametrize(
    "text",
    [
        "Failed publickey for root from 203.0.113.9 port 22 ssh2: "
        + CERTIFICATE.format("y from 192.0.2.1 port 1 ssh2: RSA"),
        "Failed publickey for root from 192.0.2.1 port 1 ssh2: RSA SHA256:A ID  from 203.0.113.9 port 22 ssh2: "
        + CERTIFICATE.format("y"),
        'Failed hostbased for root from 203.0.113.9 port 22 ssh2: RSA SHA256:A, client user " from 192.0.2.1 port 1 '
        'ssh2: RSA SHA256:B", client host "h.example"',
    ],
)
def test_what_can_be_read_in_two_ways_tells_neither_user_nor_address(text: str) -> None:
    found = stored("sshd", f"{LOG} sshd[42]: {text}")
    assert found["event.outcome"] == "failure"
    assert not [name for name in found if name.startswith(("user.", "source.", "related."))]


@pytest.mark.parametrize(
    "text",
    [
        "sshd[42]: Failed none for invalid user admin from 198.51.100.4 port 40022 ssh2",
        "sshd[42]: Partial publickey for alice from 192.0.2.10 port 52144 ssh2",
        "sshd[42]: Postponed keyboard-interactive for alice from 192.0.2.10 port 52144 ssh2 [preauth]",
        "sshd[42]: Invalid user admin from 198.51.100.4 port 40022",
        "sshd[42]: User bob from 198.51.100.4 not allowed because not listed in AllowUsers",
        "sshd[42]: ROOT LOGIN REFUSED FROM 198.51.100.4 port 40022",
        # told with "Failed keyboard-interactive/pam", or with "error: PAM"
        "sshd[42]: error: PAM: Authentication error for illegal user bob from 198.51.100.4",
        "sshd[42]: Failed keyboard-interactive/pam for alice from 198.51.100.4 port 40100 ssh2",
        "sshd[42]: error: maximum authentication attempts exceeded for root from 198.51.100.4 port 1 ssh2 [preauth]",
        "sshd[42]: Connection closed by authenticating user root 198.51.100.4 port 40022 [preauth]",
        "sshd[42]: Disconnected from invalid user admin 198.51.100.4 port 40022 [preauth]",
        "sshd[42]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= "
        "rhost=198.51.100.4  user=root",
        "sshd[42]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)",
        "sshd[42]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=198.51.100.4",
        "sshd(pam_unix)[42]: authentication failure; user=root",
        "sudo[42]: alice : (command continued) and more",
        "sudo[42]: alice : problem with defaults entries ; TTY=pts/0 ; PWD=/ ; USER=root ; ",
        "sudo[42]: alice : problem with defaults entries ; PWD=/ ; USER=root ; ",
        "sudo[42]: alice : unable to resolve host web-1 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
        # with log_exit_status
        "sudo[42]: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; EXIT=0",
        "sudo[42]: alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; EXIT=127",
        "sudo[42]: alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; SIGNAL=TERM",
        "sudo[42]: alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; SIGNAL=TERM ; EXIT=143",
        "su[42]: failed to open the session on tty1",
        "sudo[42]: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 user=alice",
        "su[42]: + pts/1 alice:root",
        "su[42]: pam_unix(su:auth): authentication failure; logname=alice uid=1000 user=root",
        "login[42]: TOO MANY LOGIN TRIES (5) on '/dev/tty1' FOR 'bob'",
        "login[42]: pam_unix(login:session): session opened for user alice by LOGIN(uid=0)",
        "systemd-logind[42]: New session 7 of user alice.",
        "CRON[42]: pam_unix(cron:session): session opened for user root by (uid=0)",
        "-- MARK --",
    ],
)
def test_what_tells_of_no_login_or_of_one_again_is_ignored(text: str) -> None:
    assert ignored("sshd", f"{LOG} {text}")


@pytest.mark.parametrize("program", ["sshd", "sshd-session", "sshd-auth"])
def test_programs_of_openssh(program: str) -> None:
    line = f"{LOG} {program}[42]: Accepted password for alice from 192.0.2.10 port 1 ssh2"
    assert stored("sshd", line)["process.name"] == program


def test_no_pid() -> None:
    found = stored("sshd", f"{LOG} sshd: Accepted password for alice from 192.0.2.10 port 1 ssh2")
    assert "process.pid" not in found


def test_the_end_of_a_connection_is_no_attempt_where_passwords_are_taken() -> None:
    assert ignored("sshd", f"{LOG} sshd[42]: Connection closed by authenticating user root 192.0.2.1 port 22 [preauth]")
