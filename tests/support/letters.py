# SPDX-License-Identifier: Apache-2.0
"""A dead letter to look at: its detail tries to clear the screen."""

FIELDS = {
    "@timestamp": "2026-03-01T10:00:00.000Z",
    "ingested": "2026-03-01T10:00:01.000Z",
    "reason": "not_json",
    "detail": "line 1: \x1b[2J unexpected",
    "topic": "login-events",
    "partition": 3,
    "offset": 7,
}
