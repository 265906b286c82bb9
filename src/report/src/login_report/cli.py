# SPDX-License-Identifier: Apache-2.0
"""The command login-report.

Exit codes: 0 written, 1 Elasticsearch or a file fails, 2 wrong settings or arguments, 3 written, and not complete.
"""

import argparse
import logging
import sys
import time
from pathlib import Path

from login_common import __version__
from login_common.elastic import Unavailable
from login_common.settings import SettingsError
from login_common.times import add_time_options, iso

from login_report.files import NotWritten, make_folder, remove, write
from login_report.numbers import Numbers, read
from login_report.queries import Span
from login_report.service import ask
from login_report.settings import DEFAULT_FILE, ENV_PREFIX, Settings, load_settings

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS


def main(arguments: list[str] | None = None) -> int:
    """Run the command with `arguments` (default: the process's own) and return its exit code."""
    options = _parser().parse_args(arguments)
    # every failure is told by us, and a missing home folder is none
    for quiet in ("elastic_transport", "matplotlib"):
        logging.getLogger(quiet).setLevel(logging.ERROR)
    made = time.time_ns() // 1_000_000
    try:
        span = chosen_span(options.start, options.end, made)
        numbers = _report(load_settings(options.settings), span, made, options)
    except SettingsError as error:
        print(f"login-report: {error}", file=sys.stderr)
        return 2
    except (Unavailable, NotWritten) as error:
        print(f"login-report: {error}", file=sys.stderr)
        return 1
    for each in numbers.unreadable:
        print(f"login-report: the page is written without what cannot be read: {each}", file=sys.stderr)
    return 3 if numbers.unreadable else 0


def chosen_span(start: int | None, end: int | None, now: int) -> Span:
    """Return the range of the options, in ms since 1970; without them the last 24 hours.

    A range ends now at the latest, as else the time before would be compared with less than as much. Raises
    SettingsError if nothing is left.
    """
    end = now if end is None else min(end, now)
    start = end - _DAY_MS if start is None else max(start, 0)
    if start >= end:
        raise SettingsError(
            f"the range from {iso(start)} to {iso(end)} is empty: --from must be before --to, and before now"
        )
    return Span(start, end)


def _report(settings: Settings, span: Span, made: int, options: argparse.Namespace) -> Numbers:
    told = ask(settings, span)
    numbers = read(span, made, told.answers, told.unreadable)
    # loading the plotting library takes a second: only once there is something to plot
    from login_report.charts import NAMES, charts
    from login_report.page import render

    drawn = charts(numbers)
    write(options.output, render(numbers, drawn).encode())
    if options.png is not None:
        make_folder(options.png)
        for name in NAMES:
            file = options.png / f"{name}.png"
            if name in drawn:
                write(file, drawn[name].png())
            else:
                remove(file)  # an older one would be taken for a part of this report
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="login-report",
        description="Writes one HTML page about the logins of a time range, by default of the last 24 hours.",
    )
    parser.add_argument("--version", action="version", version=f"login-report {__version__}")
    parser.add_argument(
        "--settings", type=Path, help=f"settings file (default: ${ENV_PREFIX}SETTINGS or {DEFAULT_FILE})"
    )
    add_time_options(parser, "which logins")
    parser.add_argument("--output", type=Path, metavar="FILE", required=True, help="the page, replaced at once")
    parser.add_argument("--png", type=Path, metavar="FOLDER", help="write each chart as a PNG there as well")
    return parser
