# SPDX-License-Identifier: Apache-2.0
"""One entry of systemd's journal: whether it is what it claims to be, and the syslog line that it stands for."""

import json
import pwd
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

FIELDS = (
    "MESSAGE", "SYSLOG_IDENTIFIER", "_TRANSPORT", "_UID", "_AUDIT_LOGINUID", "_EXE", "_COMM", "_PID", "_HOSTNAME",
    "_SOURCE_REALTIME_TIMESTAMP",
)  # fmt: skip
"""What is asked of journalctl, beside the cursor and the time, which always come."""
TRANSPORTS = ("syslog", "journal")
"""How the known programs speak. Not stdout: what a service prints may come from anyone it has started."""

# They run with the real user id of who calls them. Paths of Debian 12 and 13, before and after the merge of /bin;
# sudo-rs is sudo anew.
_SETUID_PROGRAMS = {
    "sudo": ("/usr/bin/sudo", "/usr/bin/sudo-rs", "/usr/lib/cargo/bin/sudo"),
    "su": ("/usr/bin/su", "/bin/su", "/usr/bin/su-rs", "/usr/lib/cargo/bin/su"),
}
# How they tell who makes an attempt.
_ATTEMPTS = {"sudo": " *{name} : ", "su": r"(?:FAILED SU )?\(to \S*\) {name} on "}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Entry:
    """An entry as journalctl --output=json gives it."""

    def __init__(self, raw: bytes) -> None:
        """Read it. Raises ValueError if it is none."""
        fields = json.loads(raw)
        if not isinstance(fields, dict) or not isinstance(fields.get("__CURSOR"), str):
            raise ValueError("it has no cursor")
        self._fields: dict[str, Any] = fields
        self.cursor: str = fields["__CURSOR"]
        self.id = id_of(self.cursor)
        self.time = _time(fields)

    @property
    def distrust(self) -> str | None:
        """Why it is not to be trusted; None: it is.

        Any user can send what looks like the log of sshd. Names that begin with _ come from journald itself, and
        _UID from the kernel, while _EXE and _COMM were looked up in /proc, maybe too late.
        """
        get = self._fields.get
        identifier, uid, program = get("SYSLOG_IDENTIFIER"), get("_UID"), get("_EXE")
        if not isinstance(identifier, str):
            return "it gives more than one identifier"
        if get("_TRANSPORT") not in TRANSPORTS:
            return f"it came by {get('_TRANSPORT')}"
        if uid == "0":
            return None
        if program in _SETUID_PROGRAMS.get(identifier, ()):
            # Not proof enough: in a mount namespace of his own, anyone can put any program at that path. But he has
            # his own user id there, too, so he can tell lies about nobody else.
            names = [name for name in map(_user_name, (uid, get("_AUDIT_LOGINUID"))) if name]
            text = _text(get("MESSAGE"))
            if text.startswith("pam_") or any(_tells_of(identifier, name, text) for name in names):
                return None
            return f"it is of user id {uid} by {program}, and tells of someone else"
        what = program or get("_COMM") or "that had ended before journald could look"
        return f"it claims to be of {identifier}, and is of user id {uid}, program {what}"

    def line(self) -> bytes:
        """Return it as rsyslog writes it in its ISO form: one line, control characters as #ooo."""
        get = self._fields.get
        pid = f"[{_text(get('_PID'))}]" if get("_PID") else ""
        head = f"{self.time.isoformat(timespec='microseconds')} {_text(get('_HOSTNAME')) or '-'}"
        text = f"{head} {_text(get('SYSLOG_IDENTIFIER'))}{pid}: {_text(get('MESSAGE')).rstrip(chr(10))}"
        return _CONTROL.sub(lambda sign: f"#{ord(sign[0]):03o}", text).encode(errors="replace")


def id_of(cursor: str) -> str:
    """Return an id for the entry of a cursor, wherever the entry is stored now.

    A cursor also tells the file's number and the entry's in it (s, i). These change when journald moves its entries
    from memory to disk after a boot; boot, times and checksum of the content (b, m, t, x) stay.
    """
    lasting = [part for part in cursor.split(";") if not part.startswith(("s=", "i="))]
    return blake2b(";".join(lasting).encode(), digest_size=16).hexdigest()


def _tells_of(identifier: str, user: str, text: str) -> bool:
    return re.match(_ATTEMPTS[identifier].format(name=re.escape(user)), text) is not None


@lru_cache(maxsize=1024)
def _user_name(uid: Any) -> str | None:
    try:
        return pwd.getpwuid(int(uid)).pw_name
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _time(fields: dict[str, Any]) -> datetime:
    # when it was sent, else when journald had it
    for name in ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"):
        try:
            return _EPOCH + timedelta(microseconds=int(fields[name]))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    raise ValueError("it has no time")


def _text(value: Any) -> str:
    """Return a field's text: bytes come as a list of numbers, a field that was given twice as a list of values."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    if all(isinstance(part, int) for part in value):
        return bytes(part & 0xFF for part in value).decode(errors="replace")
    return "\n".join(map(_text, value))
