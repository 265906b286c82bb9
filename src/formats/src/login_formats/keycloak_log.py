# SPDX-License-Identifier: Apache-2.0
"""Events in the log of Keycloak, as its listener jboss-logging writes them to the console or a file.

    2026-03-01 10:00:00,123 WARN  [org.keycloak.events] (executor-thread-1) type="LOGIN_ERROR", realmId="...", ...
    {"timestamp": "2026-03-01T10:00:00.123Z", "loggerName": "org.keycloak.events", "message": "type=..."}

Older versions write no quotes. The other lines of the log are no logins.

Names come from whoever knocks, and may look like the rest of a line. Keycloak writes type, realm, client, user and
address before them, so the first of a key is right for these. A detail, such as the name, is taken only if no
key comes twice and no quote is left over. (Without quotes, a name that holds ", key=" ends there.)
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from login_formats.event import NotALogin
from login_formats.lines import load_line
from login_formats.mapping import Unfit, text
from login_formats.reasons import Reason, Rejected, unrecognised

_EVENTS = "org.keycloak.events"
_LINE = re.compile(
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?) +"
    r"[A-Z]+ +\[(?P<logger>[^\]]*)\] (?:\([^)]*\) )?(?P<message>.*)",
    re.DOTALL,
).fullmatch
# what follows a line that tells of an exception
_TRACE = re.compile(r"(?:\s+at |\s+\.\.\. [0-9]+ |\s*Caused by: |\s+Suppressed: )").match
_HEAD = ("type", "operationType", "realmId", "realmName", "clientId", "userId", "sessionId", "ipAddress", "error")
_DETAILS = ("auth_method", "username")
_QUOTED = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"(?:, |$)', re.DOTALL)
_PLAIN = re.compile(r"(\w+)=(.*?)(?:, (?=\w+=)|$)", re.DOTALL)


class Logged(NamedTuple):
    """An entry of the logger of events."""

    time: str
    """As RFC 3339 writes it, perhaps without a zone."""
    message: str

    def event(self) -> dict[str, Any]:
        """Return the event in the form that listeners give it in JSON, without its time."""
        quoted = self.message.startswith(('type="', 'operationType="'))
        if not quoted and not self.message.startswith(("type=", "operationType=")):
            raise unrecognised("message of", _EVENTS)
        pairs, end = [], 0
        for found in _adjacent(_QUOTED if quoted else _PLAIN, self.message):
            pairs.append((found[1], _unquoted(found[2], quoted)))
            end = found.end()
        names = [name for name, _ in pairs]
        first = {name: value for name, value in reversed(pairs) if value != "null"}
        told: dict[str, Any] = {name: first[name] for name in _HEAD if name in first}
        if end == len(self.message) and len(names) == len(set(names)):
            told["details"] = {name: first[name] for name in _DETAILS if name in first}
        return told


def line(raw: bytes | None) -> Logged | None:
    """Return the entry in `raw`, None if it is no line of the log. Raises NotALogin if it is of another logger."""
    if raw is None or raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b""):
        return None
    try:
        whole = load_line(raw, "replace")
    except Rejected as rejected:
        if rejected.reason is Reason.SEVERAL_EVENTS:
            return None  # nor is it any JSON
        raise
    found = _LINE(whole)
    if found is None:
        if _TRACE(whole):
            raise NotALogin
        return None
    return _of(found["logger"], found["time"].replace(",", "."), found["message"])


def entry(record: dict[str, Any]) -> Logged | None:
    """Return the entry in a line of the log in JSON, None if it is none. Raises NotALogin if of another logger."""
    logger, message = record.get("loggerName", record.get("log.logger")), record.get("message")
    if type(logger) is not str or "type" in record:
        return None
    time = record.get("timestamp", record.get("@timestamp"))
    try:
        return _of(logger, text(time if time is not None else ""), text(message))
    except Unfit as error:
        raise Rejected(Reason.FIELD_TYPE, f"timestamp or message {error}") from None


def _of(logger: str, time: str, message: str) -> Logged:
    if logger != _EVENTS:
        raise NotALogin
    if not time:
        raise Rejected(Reason.TIMESTAMP_MISSING)
    return Logged(time, message)


def _adjacent(pattern: re.Pattern[str], message: str) -> Iterator[re.Match[str]]:
    end = 0
    while end < len(message) and (found := pattern.match(message, end)):
        yield found
        end = found.end()


def _unquoted(value: str, quoted: bool) -> str:
    if quoted:
        return value.replace('\\"', '"')
    # older versions put quotes around what has a blank
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == "'" else value
