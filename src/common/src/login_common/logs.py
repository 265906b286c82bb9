# SPDX-License-Identifier: Apache-2.0
"""Logging to standard error, one line a record, as journald likes it."""

import logging
import os
import time

_REPEAT_AFTER_S = 60.0
# syslog levels, which journald reads from a <N> prefix (sd-daemon(3))
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def configure(level: str = "INFO") -> None:
    """Send all log records to standard error; `level` is a name of the logging module.

    Raises ValueError if there is no such level.
    """
    in_journal = "JOURNAL_STREAM" in os.environ
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(with_priority=in_journal))
    handler.addFilter(RepeatFilter("kafka"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kafka").setLevel(logging.WARNING)


class LineFormatter(logging.Formatter):
    """Formats a record as one line: journald stores each line apart, so a trace would be torn."""

    def __init__(self, with_priority: bool) -> None:
        # journald adds the time itself
        super().__init__(
            "%(levelname)s %(name)s: %(message)s"
            if with_priority
            else "%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        self._with_priority = with_priority

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a newline at its end."""
        line = " | ".join(super().format(record).splitlines())
        if not self._with_priority:
            return line
        priority = next((number for least, number in _PRIORITIES if record.levelno >= least), 7)
        return f"<{priority}>{line}"


class RepeatFilter(logging.Filter):
    """Lets each message template of one logger tree pass once a minute.

    A Kafka client repeats every failed connect several times a second; that would trip journald's
    rate limit and hide the line that matters.
    """

    def __init__(self, tree: str) -> None:
        super().__init__(tree)
        self._passed: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be written."""
        if not super().filter(record):  # another logger tree
            return True
        now = time.monotonic()
        self._passed = {key: at for key, at in self._passed.items() if now - at < _REPEAT_AFTER_S}
        key = (record.name, str(record.msg))
        if key in self._passed:
            return False
        self._passed[key] = now
        return True
