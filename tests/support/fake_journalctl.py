# SPDX-License-Identifier: Apache-2.0
"""Stands in for journalctl: replays the entries in $JOURNAL/entries, one JSON object a line, and follows them.

$JOURNAL/stop makes it end once, $JOURNAL/told end with that text on standard error. Its arguments go to $JOURNAL/asked.
"""

import json
import os
import sys
import time
from pathlib import Path

journal = Path(os.environ["JOURNAL"])


def main() -> int:
    with (journal / "asked").open("a") as asked:
        asked.write(json.dumps(sys.argv[1:]) + "\n")
    told = journal / "told"
    if told.exists():
        sys.stderr.write(told.read_text())
        return 1
    cursor = next((option.partition("=")[2] for option in sys.argv if option.startswith("--cursor=")), None)
    sent = 0
    if cursor:
        cursors = [json.loads(line)["__CURSOR"] for line in (journal / "entries").read_text().splitlines()]
        # as journalctl: the entry itself, or else the next one by time
        sent = next((n for n, known in enumerate(cursors) if time_of(known) >= time_of(cursor)), len(cursors))
    while not (journal / "stop").exists():
        lines = (journal / "entries").read_text().splitlines(keepends=True)
        sys.stdout.write("".join(lines[sent:]))
        sys.stdout.flush()
        sent = len(lines)
        time.sleep(0.01)
    (journal / "stop").unlink()
    return 0


def time_of(cursor: str) -> int:
    return int(cursor.split("m=")[1].split(";")[0], 16)


sys.exit(main())
