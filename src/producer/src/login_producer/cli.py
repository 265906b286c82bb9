# SPDX-License-Identifier: Apache-2.0
"""The command `login-producer`.

Exit codes: 0 done; 1 failed; 2 wrong settings or arguments; 128 and the number of the signal that stopped `run`.
The unit is not started again after 0 and 2.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, get_args

from login_common import __version__, logs
from login_common.settings import SettingsError, describe, load, settings_file
from login_formats import FORMATS
from login_formats.event import MAX_AGE_DAYS
from pydantic import BaseModel, ValidationError

from login_producer import check, service, status
from login_producer.counters import StateError
from login_producer.settings import (
    DEFAULT_PATH,
    ENV_PREFIX,
    Layout,
    ProducerSettings,
    SourceSettings,
    StdinSettings,
    SyntheticSettings,
)
from login_producer.sources import SourceError
from login_producer.sources.synthetic import events

log = logging.getLogger(__name__)
M = TypeVar("M", bound=BaseModel)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
        return code
    except (SettingsError, SourceError) as error:
        print(f"login-producer: {error}", file=sys.stderr)
        return 2
    except (StateError, status.StatusError) as error:
        print(f"login-producer: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    stop = service.StopRequest()
    settings = _settings(options)
    settings.kafka.client_config()  # a missing password or CA file is an error now, not an outage later
    logs.configure(settings.log_level)
    log.info("login-producer %s starts with %s", __version__, json.dumps(describe(settings)))
    try:
        whole = service.run(settings, stop)
    except (
        SourceError
    ) as error:  # a journal that fails, a folder that is not mounted: it may be there at the next start
        log.error("%s", error)
        return 1
    return 128 + stop.number if whole and stop.received else int(not whole)


def _status(options: argparse.Namespace) -> int:
    current = status.read(_settings(options).status_file if options.status_file is None else options.status_file)
    if options.json:
        print(json.dumps(current))
        return 0
    counters = current["counters"]
    print(f"{current['state']}, {current['rate']['acked']} events/s acknowledged, pid {current['pid']}")
    print(f"sent {counters['sent']}, acked {counters['acked']}, unacknowledged {current['unacknowledged']}")
    print(f"failed {sum(counters['failed'].values())} {counters['failed'] or ''}".rstrip())
    source = {
        name.replace("_", " "): value for name, value in current["source"].items() if isinstance(value, str | int)
    }
    print("source " + ", ".join(f"{name} {value}" for name, value in source.items()))
    if current["unreachable_since"]:
        print(f"Kafka takes no events since {current['unreachable_since']}: {current['last_error']}")
    return 0


def _generate(options: argparse.Namespace) -> int:
    source = _changed(SyntheticSettings(), options, _SYNTHETIC_OPTIONS)
    with _for_a_reader():
        for event in islice(events(source), source.limit):
            sys.stdout.buffer.write(event.value + b"\n")
    return 0


def _check(options: argparse.Namespace) -> int:
    settings = _checked(StdinSettings, {"type": "stdin"} | _given(options, _STDIN_OPTIONS))
    checker = check.Checker(settings.format, settings.layout, settings.timezone, options.max_age_days)
    whole = True
    with _for_a_reader():
        whole = check.report(checker.check(options.file), sys.stdout, options.json)
    return 0 if whole else 1


@contextmanager
def _for_a_reader() -> Iterator[None]:
    """Let output end without a fault where its reader, such as head, has seen enough."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _settings(options: argparse.Namespace) -> ProducerSettings:
    settings = load(ProducerSettings, settings_file(options.settings, ENV_PREFIX, DEFAULT_PATH), ENV_PREFIX)
    return settings.model_copy(update={"source": _with_options(settings.source, options)})


_SYNTHETIC_OPTIONS = ("profile", "rate", "total", "seed")
_STDIN_OPTIONS = ("format", "timezone", "layout")


def _with_options(source: SourceSettings, options: argparse.Namespace) -> SourceSettings:
    if getattr(options, "source", None) == "stdin":
        _refuse(options, _SYNTHETIC_OPTIONS, "is not for --source stdin")
        return _checked(StdinSettings, {"type": "stdin"} | _given(options, _STDIN_OPTIONS))
    _refuse(options, _STDIN_OPTIONS, "needs --source stdin")
    if isinstance(source, SyntheticSettings):
        return _changed(source, options, _SYNTHETIC_OPTIONS)
    _refuse(options, _SYNTHETIC_OPTIONS, f"is for made-up events, but source.type in the settings is {source.type}")
    return source


def _given(options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(options, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _refuse(options: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    if given := _given(options, names):
        raise SettingsError(f"--{next(iter(given))} {why}")


def _changed(settings: M, options: argparse.Namespace, names: tuple[str, ...]) -> M:
    return _checked(type(settings), settings.model_dump() | _given(options, names))


def _checked(model: type[M], values: dict[str, Any]) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(_told(fault["loc"][0], fault["type"], fault["msg"]) for fault in error.errors())
        ) from None


def _told(option: object, kind: str, message: str) -> str:
    if kind == "missing":
        return f"--{option} is required" + (f": one of {', '.join(FORMATS)}" if option == "format" else "")
    return f"--{option}: {message.removeprefix('Value error, ')}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="login-producer", description="Sends login events to Kafka.")
    parser.add_argument("--version", action="version", version=f"login-producer {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    file = argparse.ArgumentParser(add_help=False)
    file.add_argument("--settings", type=Path, help=f"settings file (default ${ENV_PREFIX}SETTINGS or {DEFAULT_PATH})")
    source = argparse.ArgumentParser(add_help=False)
    source.add_argument("--profile", choices=("live", "seed"), help="events of now, or a fixed set of the past year")
    source.add_argument("--total", type=int, help="stop after so many events")
    source.add_argument("--seed", type=int, help="the same seed gives the same events")

    records = argparse.ArgumentParser(add_help=False)
    records.add_argument("--format", help=f"of the records: {', '.join(FORMATS)}")
    records.add_argument("--timezone", help="of times that name no zone, as in Europe/Berlin")
    records.add_argument("--layout", choices=get_args(Layout), help="a record a line (default), or rows below a header")

    run = commands.add_parser("run", parents=[file, source, records], help="send events to Kafka")
    run.add_argument("--rate", type=float, help="events a second, 0 for as many as possible")
    run.add_argument("--source", choices=("stdin",), help="send the records of standard input, then end")
    run.set_defaults(command=_run)

    show = commands.add_parser("status", parents=[file], help="show what the running producer does")
    show.add_argument("--json", action="store_true", help="print the whole status as JSON")
    show.add_argument("--status-file", type=Path, help="read this file instead of the one in the settings")
    show.set_defaults(command=_status)

    generate = commands.add_parser("generate", parents=[source], help="print events, one a line, without Kafka")
    generate.set_defaults(command=_generate)

    judge = commands.add_parser("check", parents=[records], help="show what a file's records become, without Kafka")
    judge.add_argument("file", metavar="FILE", help="unpacked if it ends with .gz; - is standard input")
    judge.add_argument("--json", action="store_true", help="print a JSON object for each record, with its ECS fields")
    judge.add_argument(
        "--max-age-days", type=int, default=MAX_AGE_DAYS, help="as pipeline_retention_days (default %(default)s)"
    )
    judge.set_defaults(command=_check)
    return parser
