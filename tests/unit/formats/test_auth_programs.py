# SPDX-License-Identifier: Apache-2.0
"""Format sshd: lines of sudo, su, login and dropbear, and the documents they become."""

from typing import Any

import pytest
from lines import LOG, ignored, logged, stored

SUDO_REASONS = {
    "3 incorrect password attempts": "bad_password",
    "1 incorrect password attempt": "bad_password",
    "a password is required": "password_required",
    "a terminal is required to read the password; either use the -S option": "password_required",
    "no tty present and no askpass program specified": "password_required",
    "sorry, you must have a tty to run sudo": "terminal_required",
    "command not allowed": "command_not_allowed",
    "user NOT in sudoers": "not_in_sudoers",
    "user NOT authorized on host": "not_in_sudoers",
    "account validation failure, is your account locked?": "account_locked",
    'Account expired or PAM config lacks an "account" section for sudo': "account_expired",
    "Password expired, contact your system administrator": "account_expired",
    "user not allowed to change directory to /root": "refused",
    "PAM authentication error: Module is unknown": "refused",
    "whatever a later version says : Permission denied": "refused",
}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "sudo[42]:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "success", user="alice", user_target_name="root"),
        ),
        (
            "sudo[42]: alice : HOST=db-1 ; TTY=unknown ; PWD=/ ; USER=bob ; GROUP=adm ; TSID=00001 ; COMMAND=list",
            logged("sudo", "sudo", "success", user="alice", user_target_name="bob"),
        ),
        (
            "sudo[42]: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo bob : 3 incorrect password attempts ; "
            "TTY=pts/1 ; PWD=/ ; USER=root ; x",
            logged("sudo", "sudo", "success", user="alice", user_target_name="root"),
        ),
        (
            "sudo[42]: alice : TTY=pts/0 ; PWD=/tmp/x ; USER=bob ; COMMAND=y ; USER=root ; COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "success", user="alice"),
        ),
        (
            "sudo[42]: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo ; USER=bob ; x",
            logged("sudo", "sudo", "success", user="alice"),
        ),
        (
            "sudo[42]: alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "failure", event_reason="bad_password", user="alice", user_target_name="root"),
        ),
        (
            "sudo[42]: alice : 1 incorrect password attempt ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "failure", event_reason="bad_password", user="alice", user_target_name="root"),
        ),
        (
            "sudo[42]: alice : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "failure", event_reason="not_in_sudoers", user="alice", user_target_name="root"),
        ),
        (
            "sudo[42]: alice : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "failure", event_reason="command_not_allowed", user="alice",
                     user_target_name="root"),
        ),
        (
            "sudo[42]: alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "success", user="alice", user_target_name="root"),
        ),
        (
            "sudo[42]: alice :  PWD=/ ; USER=root ; COMMAND=/usr/bin/id",  # sudo-rs
            logged("sudo", "sudo", "success", user="alice", user_target_name="root"),
        ),
        (
            "sudo[42]: alice : USER=root ; COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "success", user="alice", user_target_name="root"),
        ),
        (
            "sudo[42]: alice : COMMAND=/usr/bin/id",
            logged("sudo", "sudo", "success", user="alice"),
        ),
        *(
            (
                f"sudo[42]: alice : {text} ; {fields}USER=root ; COMMAND=/bin/sh",
                logged("sudo", "sudo", "failure", event_reason=reason, user="alice", user_target_name="root"),
            )
            for fields in ("TTY=pts/0 ; PWD=/ ; ", "PWD=/ ; ", "HOST=db-1 ; CHROOT=/c ; PWD=/ ; ", "")
            for text, reason in SUDO_REASONS.items()
        ),
        (
            "su[42]: (to root) alice on pts/1",
            logged("su", "su", "success", user="alice", user_target_name="root"),
        ),
        (
            "su[42]: FAILED SU (to root) alice on pts/1",
            logged("su", "su", "failure", event_reason="authentication_failed", user="alice",
                     user_target_name="root"),
        ),
        (
            "su[42]: FAILED SU (to root) mallory on pts/9) alice on pts/1",
            logged("su", "su", "failure", event_reason="authentication_failed", user="alice",
                     user_target_name="root) mallory on pts/9"),
        ),
        (
            "su[42]: Successful su for root by alice",
            logged("su", "su", "success", user="alice", user_target_name="root"),
        ),
        (
            "su[42]: BAD SU alice to root on /dev/pts/0",
            logged("su", "su", "failure", event_reason="authentication_failed", user="alice",
                     user_target_name="root"),
        ),
        (
            "su[42]: alice to root on /dev/pts/0",
            logged("su", "su", "success", user="alice", user_target_name="root"),
        ),
        (
            "su[42]: 'su root' failed for alice on /dev/pts/1",
            logged("su", "su", "failure", event_reason="authentication_failed", user="alice",
                     user_target_name="root"),
        ),
        (
            "su[42]: 'su root' succeeded for alice on /dev/pts/1",
            logged("su", "su", "success", user="alice", user_target_name="root"),
        ),
        (
            "login[42]: root login on 'tty1'",
            logged("login", "console_login", "success", user="root"),
        ),
        (
            "login[42]: invalid password for 'bob' on 'pts/0' from '192.0.2.10'",
            logged("login", "console_login", "failure", event_reason="bad_password", user="bob", ip="192.0.2.10"),
        ),
        (
            "login[42]: LOGIN ON tty1 BY alice",
            logged("login", "console_login", "success", user="alice"),
        ),
        (
            "login[42]: LOGIN ON pts/0 BY alice FROM 192.0.2.10",
            logged("login", "console_login", "success", user="alice", ip="192.0.2.10"),
        ),
        (
            "login[42]: ROOT LOGIN ON tty1",
            logged("login", "console_login", "success", user="root"),
        ),
        (
            "login[42]: ROOT LOGIN  on '/dev/tty1'",
            logged("login", "console_login", "success", user="root"),
        ),
        (
            "login[42]: FAILED LOGIN (1) ON '/dev/tty1' FOR 'bob', Authentication failure",
            logged("login", "console_login", "failure", event_reason="authentication_failed", user="bob"),
        ),
        (
            "login[42]: FAILED LOGIN (1) on '/dev/pts/0' from 'pc.example' FOR 'x', y FOR 'root', User not known",
            logged("login", "console_login", "failure", event_reason="authentication_failed", user="x', y FOR 'root",
                     source_address="pc.example"),
        ),
        (
            "login[42]: FAILED LOGIN (2) on '/dev/tty1' FOR 'UNKNOWN', Error in service module",
            logged("login", "console_login", "failure", event_reason="authentication_failed"),
        ),
        (
            "login[42]: FAILED LOGIN 1 FROM tty1 FOR bob, Authentication failure",
            logged("login", "console_login", "failure", event_reason="authentication_failed", user="bob"),
        ),
        (
            "login[42]: TOO MANY LOGIN TRIES (3) FROM 192.0.2.10 FOR bob FOR root, Authentication failure",
            logged("login", "console_login", "failure", event_reason="authentication_failed", user="bob FOR root",
                     ip="192.0.2.10"),
        ),
    ],
)  # fmt: skip
def test_lines_of_other_programs(line: str, expected: dict[str, Any]) -> None:
    assert stored("sshd", f"{LOG} {line}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Password auth succeeded for 'root' from 192.0.2.10:50000",
            ("success", {"user": "root", "login_method": "password"}),
        ),
        (
            "PAM password auth succeeded for 'root' from 192.0.2.10:50000",
            ("success", {"user": "root", "login_method": "password"}),
        ),
        (
            "Pubkey auth succeeded for 'root' with ssh-ed25519 key SHA256:AAAA from 192.0.2.10:50000",
            ("success", {"user": "root", "login_method": "publickey"}),
        ),
        (
            "Pubkey auth succeeded for 'root' with key sha1!! 4f:3c:00 from 192.0.2.10:50000",
            ("success", {"user": "root", "login_method": "publickey"}),
        ),
        (
            "Auth succeeded with blank password for 'root' from 192.0.2.10:50000",
            ("success", {"user": "root", "login_method": "none"}),
        ),
        (
            "Bad password attempt for 'root' from 192.0.2.10:50000",
            ("failure", {"user": "root", "login_method": "password", "event_reason": "bad_password"}),
        ),
        (
            "Bad PAM password attempt for 'root' from 192.0.2.10:50000",
            ("failure", {"user": "root", "login_method": "password", "event_reason": "bad_password"}),
        ),
        (
            "Login attempt for nonexistent user from 192.0.2.10:50000",
            ("failure", {"event_reason": "invalid_user"}),
        ),
        (
            "Login attempt for nonexistent user 'bob' from 192.0.2.10:50000",
            ("failure", {"user": "bob", "event_reason": "invalid_user"}),
        ),
    ],
)
def test_lines_of_dropbear(text: str, expected: tuple[str, dict[str, Any]]) -> None:
    outcome, more = expected
    for address in ("192.0.2.10", "2001:db8::5"):
        line = f"{LOG} dropbear[42]: {text.replace('192.0.2.10', address)}"
        assert stored("sshd", line) == logged("dropbear", "ssh_login", outcome, ip=address, source_port=50000, **more)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("User 'bob' has invalid shell, rejected", "bob"),
        ("User account 'bob' is locked", "bob"),
        ("User 'bob' has blank password, rejected", "bob"),
        ("Logins are restricted to the group ssh but user 'bob' is not a member", "bob"),
        ("root login rejected", "root"),
    ],
)
def test_users_that_dropbear_does_not_let_in(text: str, user: str) -> None:
    found = stored("sshd", f"{LOG} dropbear[42]: {text}")
    assert (found["event.outcome"], found["event.reason"], found["user.name"]) == ("failure", "not_allowed", user)


@pytest.mark.parametrize(
    "text",
    [
        "Child connection from 192.0.2.10:50000",
        "Password auth succeeded for 'root' from 192.0.2.10:50000, extra auth required",
        "Exit before auth from <192.0.2.10:50000>: (user 'root', 3 fails): Max auth tries reached - user 'root'",
        "Exit (root) from <192.0.2.10:50000>: Disconnect received",
    ],
)
def test_what_dropbear_tells_of_the_connection_is_ignored(text: str) -> None:
    assert ignored("sshd", f"{LOG} dropbear[42]: {text}")
