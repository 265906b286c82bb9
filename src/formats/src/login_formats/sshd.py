# SPDX-License-Identifier: Apache-2.0
"""Logins in auth.log or secure: lines of sshd, dropbear, sudo, su and login.

See syslog.py for the lines themselves, and auth_messages.py for which of them are a login, and why. What is neither one
nor in the lists there and in known.py is unrecognised.

Where a line can be read in more than one way, as with the text of a certificate, neither user nor address is taken from
it. The name is the user's id too: there is no other.
"""

import re
from collections.abc import Callable
from typing import Any

from login_formats import auth_messages, known, syslog
from login_formats.auth_messages import Compiled, Told
from login_formats.event import NotALogin
from login_formats.reasons import Reason, Rejected, unrecognised
from login_formats.syslog import split
from login_formats.wrapper import Arrival

__all__ = ["PROGRAMS", "fields", "fields_of_keys", "split"]

_Begins = Callable[[str], re.Match[str] | None]
_Messages = dict[str, tuple[str, Compiled]]

_ATTEMPTS = auth_messages.compiled(auth_messages.SSHD, auth_messages.DROPBEAR)
_CONNECTIONS = auth_messages.compiled(auth_messages.SSHD_KEYS, auth_messages.DROPBEAR_KEYS)
PROGRAMS = tuple(_ATTEMPTS)
"""The programs whose lines are read."""

_REASONS = {"password": "bad_password", "publickey": "bad_key"}
# something may stand before it that no daemon is known to write there
_ATTEMPT = re.compile(r".{0,100}?(?:Accepted|Failed) \S+ for ", re.DOTALL).match
_ACCEPTED = re.compile(r".{0,100}?Accepted \S+ for ", re.DOTALL).match
_ENDS = re.compile(auth_messages.ADDRESS).findall
_TARGETS = re.compile(r" [:;] +USER=([^;]*)(?= ;)").findall
# how the programs write that they do not know
_NOBODY = ("UNKNOWN", "(unknown)", "(null)")


def fields(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the ECS fields of a line. Raises Rejected, NotALogin."""
    return _read(raw, arrival, _ATTEMPTS, _ATTEMPT)


def fields_of_keys(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the same in the format sshd_keys. Raises Rejected, NotALogin."""
    return _read(raw, arrival, _CONNECTIONS, _ACCEPTED)


def _read(raw: bytes | None, arrival: Arrival, programs: _Messages, begins: _Begins) -> dict[str, Any]:
    """`begins` tells what has to be read where sshd begins to tell it."""
    line = syslog.load(raw)
    action, messages = programs[line.program]
    for fits, told in messages:
        if found := fits(line.text):
            if told.outcome is None:  # known to be none
                raise NotALogin
            return {"@timestamp": line.time(arrival)} | _event(line, action, told, found.groupdict())
    if action == "ssh_login" and begins(line.text):
        raise Rejected(Reason.NOT_A_LINE, "the line of sshd is cut, or of a form that is not known")
    if known.auth_line(line.program, line.text):
        raise NotALogin
    raise unrecognised("line of", line.program)


def _event(line: syslog.Line, action: str, told: Told, found: dict[str, str | None]) -> dict[str, Any]:
    method, reason, target = told.method or found.get("method"), told.reason, found.get("target")
    if told.ambiguous and len(_ENDS(line.text)) > 1:
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


def _only(targets: list[str]) -> str | None:
    # a folder or a command may hold " ; USER=..." as well
    return targets[0] if len(set(targets)) == 1 else None
