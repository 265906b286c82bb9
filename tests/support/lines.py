# SPDX-License-Identifier: Apache-2.0
"""What the lines of a format become, as short as a table of tests needs it."""

import json
from typing import Any

from login_common.times import iso, rfc3339_ms
from login_formats import PLAIN, Limits, NotALogin, Reason, Rejected, Wrapper, read
from login_formats.wrapper import Arrival

ARRIVAL = rfc3339_ms("2026-03-02T00:00:00Z")
LIMITS = Limits.of()

LOG = "2026-03-01T10:00:00.123456+00:00 web-1"
"""How a line of syslog begins, up to its program."""

Line = bytes | str | dict[str, Any]


def stored(format_: str, line: Line, wrapper: Wrapper = PLAIN, arrival: int = ARRIVAL) -> dict[str, Any]:
    """Return the fields, by ECS name, that a line of a format is stored with; without event.original.

    "@timestamp" is text. Raises Rejected, NotALogin.
    """
    event = read(_raw(line), Arrival(arrival, wrapper), LIMITS, format_)
    fields = event.fields() | {"@timestamp": iso(event.timestamp)}
    original = fields.pop("event.original", None)
    assert original in (None, _raw(line).decode(errors="replace"))
    return {name: value for name, value in fields.items() if value is not None}


def refused(format_: str, line: Line, wrapper: Wrapper = PLAIN, arrival: int = ARRIVAL) -> Reason | None:
    """Return why a line is refused, None if it is not."""
    try:
        stored(format_, line, wrapper, arrival)
    except Rejected as rejected:
        return rejected.reason
    return None


def ignored(format_: str, line: Line) -> bool:
    """Return whether a line keeps to its format and is no login."""
    try:
        stored(format_, line)
    except NotALogin:
        return True
    return False


def changed(record: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of a record with another value at `path`: keys with dots between."""
    *way, last = path.split(".")
    copy: dict[str, Any] = {**record}
    inner = copy
    for key in way:
        inner[key] = {**inner[key]}
        inner = inner[key]
    inner[last] = value
    return copy


def logged(program: str, action: str, outcome: str, **more: Any) -> dict[str, Any]:
    """Return the document of a line that begins with LOG; keywords stand for ECS names with _ for the dots."""
    found = {
        "@timestamp": "2026-03-01T10:00:00.123Z",
        "event.action": action,
        "event.outcome": outcome,
        "event.module": "system",
        "event.dataset": "system.auth",
        "host.name": "web-1",
        "process.name": program,
        "process.pid": 42,
    }
    if user := more.pop("user", None):
        found |= {"user.id": user, "user.name": user, "related.user": [user]}
    if address := more.pop("ip", None):
        found |= {"source.address": address, "source.ip": address, "related.ip": [address]}
    return found | {name.replace("_", "."): value for name, value in more.items()}


def _raw(line: Line) -> bytes:
    if isinstance(line, dict):
        return json.dumps(line).encode()
    return line.encode() if isinstance(line, str) else line
