# SPDX-License-Identifier: Apache-2.0
"""Runs jobs on the host, one after another, in a process that stays warm between them.

Standard input: one JSON object a line with `call` ("module:function") and what job.Job explains. Standard output: one
JSON object a line, `result` with `began` and `ended` (seconds since 1970), or `error`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from importlib import import_module
from typing import Any

from job import Job


def answer(told: dict[str, Any]) -> dict[str, Any]:
    """Do one job."""
    try:
        module, _, function = told["call"].partition(":")
        work, job = getattr(import_module(module), function), Job.of(told)
        began = time.time()
        result = work(job)
        return {"began": began, "ended": time.time(), "result": result}
    except Exception:  # told to whoever asked, who ends the benchmark
        return {"error": traceback.format_exc()}


def nothing(_: Job) -> None:
    """Tell that the process is there."""


def main() -> None:
    # what libraries print must not stand between the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
