# SPDX-License-Identifier: Apache-2.0
"""Logins in auth.log or secure: lines of sshd, sudo, su and login. See syslog.py for the lines themselves.

One attempt is one event, and each program has one line for it. Ignored is what tells the same once more, or no attempt:
- sshd: an attempt is "Accepted ..." or "Failed ...". "Invalid user", "User ... not allowed", "error: PAM", "ROOT LOGIN
  REFUSED" come before such a line, "maximum authentication attempts exceeded", "Connection closed by authenticating
  user", "Disconnected" and the like after it. "Failed none" is how a client asks which methods there are; "Partial" and
  "Postponed" are no decision yet. For users that exist, sshd tells of the first keys (and answers to questions, the
  method keyboard-interactive) that it does not take only with LogLevel VERBOSE.
- sudo: a command, or one line for all wrong passwords. The command itself is in event.original.
- su, login: one line each; the "+ pts/1 ..." of an older su, and login's "TOO MANY LOGIN TRIES", repeat them.
- pam_unix, systemd-logind and all other programs: what they tell of logins is what these four tell as well.

Where sshd takes keys only, its default LogLevel tells of no key that it refuses, and all failures would be missed. For
such hosts there is the format sshd_keys: a connection that ends before a login is one failure, and "Failed ..." none.

Names come from whoever knocks, and may look like the rest of a line. So each pattern is tied to the end that only the
program writes; where a name could be on both sides, as with the text of a certificate, and the line can be read in more
than one way, neither user nor address is taken from it. The name is the user's id too: there is no other.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from login_formats import syslog
from login_formats.event import NotALogin
from login_formats.reasons import Reason, Rejected
from login_formats.syslog import split
from login_formats.wrapper import Arrival

__all__ = ["fields", "fields_of_keys", "split"]


class _Told(NamedTuple):
    """What a text says that `pattern` fits from its begin to its end."""

    pattern: str
    outcome: str
    reason: str | None = None
    user: str | None = None
    """Who it is, where the text does not name him."""


_Begins = Callable[[str], re.Match[str] | None]
_Messages = dict[str, tuple[str, list[tuple[_Begins, _Told]]]]
"""By program the action, and what its texts may be."""

_SSH = r"(?P<method>\S+) for "
_FROM = r" from (?P<address>\S+) port (?P<port>[0-9]{1,5}) ssh2"
# what may follow that no client has a say in: nothing, or a key
_PLAIN = r"(?:: [A-Z0-9-]+ (?:SHA256|MD5):[A-Za-z0-9+/=:]+)?(?: \[preauth\])?"
_SUDO = r"(?:HOST=[^;]* ; )?TTY=.*"
_LOGIN = r"on '[^']*'(?: from '(?P<address>[^']*)')? FOR '(?P<user>.*)'"
# of util-linux; a terminal stands where there is no host
_LOGIN_FROM = r"FROM (?:(?:tty|pts/|console)\S*|(?P<address>\S+)) FOR (?P<user>.*)"

_SSHD = (
    _Told(rf"Accepted {_SSH}(?P<user>.*){_FROM}{_PLAIN}", "success"),
    _Told(rf"Failed {_SSH}invalid user (?P<user>.*){_FROM}{_PLAIN}", "failure", "invalid_user"),
    _Told(rf"Failed {_SSH}(?P<user>.*){_FROM}{_PLAIN}", "failure"),
    # certificates, names of clients and principals follow: see _ambiguous
    _Told(rf"Accepted {_SSH}(?P<user>.*?){_FROM}: .*", "success"),
    _Told(rf"Failed {_SSH}invalid user (?P<user>.*?){_FROM}: .*", "failure", "invalid_user"),
    _Told(rf"Failed {_SSH}(?P<user>.*?){_FROM}: .*", "failure"),
)
_END = r"(?:Connection (?:closed|reset) by|Disconnected from) "
_BY = r"(?P<user>.*) (?P<address>\S+) port (?P<port>[0-9]{1,5})"
_LEFT = r"(?:: Too many authentication failures)?(?: \[preauth\])?"
_SSHD_KEYS = (
    *(told for told in _SSHD if told.outcome == "success"),
    _Told(rf"(?:{_END}|Disconnecting )invalid user {_BY}{_LEFT}", "failure", "invalid_user"),
    _Told(rf"(?:{_END}|Disconnecting )authenticating user {_BY}{_LEFT}", "failure", "no_key_accepted"),
)
_OTHERS = {
    "sudo": (
        "sudo",
        (
            _Told(rf"(?P<user>[^:;]+) : {_SUDO}", "success"),
            _Told(rf"(?P<user>[^:;]+) : [0-9]+ incorrect password attempts? ; {_SUDO}", "failure", "bad_password"),
            _Told(rf"(?P<user>[^:;]+) : a password is required ; {_SUDO}", "failure", "password_required"),
            _Told(rf"(?P<user>[^:;]+) : command not allowed ; {_SUDO}", "failure", "command_not_allowed"),
            _Told(rf"(?P<user>[^:;]+) : user NOT in sudoers ; {_SUDO}", "failure", "not_in_sudoers"),
            _Told(rf"(?P<user>[^:;]+) : user NOT authorized on host ; {_SUDO}", "failure", "not_in_sudoers"),
        ),
    ),
    "su": (
        "su",
        (
            _Told(r"\(to (?P<target>.*)\) (?P<user>\S+) on \S+", "success"),
            _Told(r"FAILED SU \(to (?P<target>.*)\) (?P<user>\S+) on \S+", "failure", "authentication_failed"),
            _Told(r"Successful su for (?P<target>.*) by (?P<user>\S+)", "success"),
            _Told(r"FAILED su for (?P<target>.*) by (?P<user>\S+)", "failure", "authentication_failed"),
        ),
    ),
    "login": (
        "console_login",
        (
            _Told(r"LOGIN ON \S+ BY (?P<user>.*?)(?: FROM (?P<address>\S+))?", "success"),
            _Told(r"ROOT LOGIN +(?i:on) \S+(?: (?i:from) '?(?P<address>[^\s']+)'?)?", "success", user="root"),
            _Told(rf"FAILED LOGIN \([0-9]+\) (?i:{_LOGIN}), [^,']*", "failure", "authentication_failed"),
            _Told(rf"FAILED LOGIN (?:[0-9]+|SESSION) {_LOGIN_FROM}, [^,]*", "failure", "authentication_failed"),
            _Told(rf"TOO MANY LOGIN TRIES \([0-9]+\) {_LOGIN_FROM}, [^,]*", "failure", "authentication_failed"),
        ),
    ),
}


def _compiled(sshd: tuple[_Told, ...]) -> _Messages:
    patterns = dict.fromkeys(("sshd", "sshd-session", "sshd-auth"), ("ssh_login", sshd)) | _OTHERS
    return {
        program: (action, [(re.compile(told.pattern, re.DOTALL).fullmatch, told) for told in all_told])
        for program, (action, all_told) in patterns.items()
    }


_ATTEMPTS, _CONNECTIONS = _compiled(_SSHD), _compiled(_SSHD_KEYS)

_REASONS = {"password": "bad_password", "publickey": "bad_key"}
_ATTEMPT = re.compile(r"(?:Accepted|Failed) \S+ for ").match
_ACCEPTED = re.compile(r"Accepted \S+ for ").match
_ENDS = re.compile(_FROM).findall
_TARGETS = re.compile(r" ; USER=([^;]*)(?= ; )").findall
# how the programs write that they do not know
_NOBODY = ("UNKNOWN", "(unknown)", "(null)")


def fields(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the ECS fields of a line. Raises Rejected, NotALogin."""
    return _read(raw, arrival, _ATTEMPTS, _ATTEMPT)


def fields_of_keys(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the same in the format sshd_keys. Raises Rejected, NotALogin."""
    return _read(raw, arrival, _CONNECTIONS, _ACCEPTED)


def _read(raw: bytes | None, arrival: Arrival, programs: _Messages, begins: _Begins) -> dict[str, Any]:
    """`begins` tells what has to be told in full where sshd begins to tell it."""
    line = syslog.load(raw, programs)
    if line is None:
        raise NotALogin
    action, messages = programs[line.program]
    for fits, told in messages:
        if found := fits(line.text):
            return {"@timestamp": line.time(arrival)} | _event(line, action, told, found.groupdict())
    if action == "ssh_login" and begins(line.text):
        raise Rejected(Reason.NOT_A_LINE, "the line of sshd is cut before the end of its address")
    raise NotALogin


def _event(line: syslog.Line, action: str, told: _Told, found: dict[str, str | None]) -> dict[str, Any]:
    method, reason, target = found.get("method"), told.reason, found.get("target")
    if method == "none" and told.outcome == "failure":
        raise NotALogin
    if _ambiguous(line.text, told):
        found = {}
    if action == "sudo":
        target = _only(_TARGETS(line.text))
    if method and told.outcome == "failure":
        reason = reason or _REASONS.get(method, "authentication_failed")
    user, address, port = (found.get(name) for name in ("user", "address", "port"))
    user = told.user or (None if user in _NOBODY else user)
    return {
        "event.action": action,
        "event.outcome": told.outcome,
        "event.reason": reason,
        "event.module": "system",
        "event.dataset": "system.auth",
        "host.name": line.host,
        "process.name": line.program,
        "process.pid": line.pid,
        "user.id": user,
        "user.name": user,
        "user.target.name": target,
        "source.address": None if address in _NOBODY else address,
        "source.port": int(port) if port else None,
        "login.method": method,
    }


def _ambiguous(text: str, told: _Told) -> bool:
    return told.pattern.endswith(": .*") and len(_ENDS(text)) > 1


def _only(targets: list[str]) -> str | None:
    # a folder or a command may hold " ; USER=..." as well
    return targets[0] if len(set(targets)) == 1 else None
