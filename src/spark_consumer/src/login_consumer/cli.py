# SPDX-License-Identifier: Apache-2.0
"""The command login-consumer.

Exit codes: 0 all well; 1 failed, or the audit does not balance; 2 settings or arguments are wrong; 3 an operator has to
decide; 4 a service, or the checkpoint's lock, cannot be had now; 5 the audit is not complete. The unit is not started
again after 2 and 3.
"""

import argparse
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from login_common import __version__, logs
from login_common.elastic import Unavailable
from login_common.settings import SettingsError, describe
from login_common.times import END_OF_TIME, add_time_options

from login_consumer import dead, erase
from login_consumer.audit import audit
from login_consumer.backup import as_text as backup_lines
from login_consumer.backup import backup
from login_consumer.backup import look as look_at_backups
from login_consumer.balance import as_text as audit_lines
from login_consumer.check import check
from login_consumer.checkpoint import CheckpointError, Locked
from login_consumer.hops import HopFailed
from login_consumer.left_out import LeftOut
from login_consumer.outage import waits_for
from login_consumer.privacy import KINDS
from login_consumer.promise import deviations, promise_hops
from login_consumer.rebuild import rebuild
from login_consumer.restore import NEWEST, restore
from login_consumer.retention import retention
from login_consumer.run import QueryFailed, run
from login_consumer.settings import (
    BACKUP_FILE,
    DEFAULT_FILE,
    ENV_PREFIX,
    RETENTION_FILE,
    BackupSettings,
    RetentionSettings,
    Settings,
    load_backup_settings,
    load_retention_settings,
    load_settings,
)
from login_consumer.sink import Sink
from login_consumer.snapshots import Repository
from login_consumer.spark import SparkFailed
from login_consumer.status import as_text, stored, waiting
from login_consumer.verify import as_text as verified_lines
from login_consumer.verify import verify
from login_consumer.windows import Span
from login_consumer.witness import ClockDoubted

log = logging.getLogger("login_consumer")

_EXIT_CODES: tuple[tuple[tuple[type[Exception], ...], int], ...] = (
    ((Locked, HopFailed, Unavailable), 4),
    ((CheckpointError,), 3),
    ((QueryFailed, SparkFailed), 1),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command with `arguments` (default: the process's own) and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = options.load(options.settings)
        logs.configure(settings.log_level)
        logging.getLogger("elastic_transport").setLevel(logging.ERROR)  # each failure is reported by us
        logging.getLogger("py4j").setLevel(logging.CRITICAL)  # likewise
        return int(options.command(settings, options))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except (CheckpointError, HopFailed, QueryFailed, SparkFailed, Unavailable) as error:
        log.error("%s", error)
        return next(code for kinds, code in _EXIT_CODES if isinstance(error, kinds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="login-consumer", description="Takes login events from Kafka into Elasticsearch."
    )
    parser.add_argument("--version", action="version", version=f"login-consumer {__version__}")
    parser.add_argument(
        "--settings", type=Path, help=f"settings file (default: ${ENV_PREFIX}SETTINGS or {DEFAULT_FILE})"
    )
    parser.set_defaults(load=load_settings)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("run", help="consume until told to stop").set_defaults(command=_run)
    commands.add_parser(
        "check", help="try each hop to Kafka, Spark and Elasticsearch; leaves nothing behind"
    ).set_defaults(command=_check)
    commands.add_parser(
        "promise", help="compare Kafka's topic, index templates, indices and the API key with what the playbook made"
    ).set_defaults(command=_promise)
    status_parser = commands.add_parser("status", help="show totals, the last batch, and what it has not read yet")
    status_parser.add_argument("--json", action="store_true", help="as one JSON object")
    status_parser.set_defaults(command=_status)
    audit_parser = commands.add_parser(
        "audit",
        help="compare Kafka, events, windows and dead letters; exit code 1 if they do not balance, 4 without an "
        "answer, 5 if indices could not be read",
        description="Audits all batches and windows, or the batches written and the windows that start in a time.",
    )
    audit_parser.add_argument("--json", action="store_true", help="as one JSON object")
    audit_parser.set_defaults(command=_audit)
    rebuild_parser = commands.add_parser(
        "rebuild",
        help="count windows anew from the stored events, while the consumer is stopped",
        description="Counts all windows anew, or those that start in a time. All: also after a change of the windows.",
    )
    rebuild_parser.set_defaults(command=_rebuild)
    for each in (audit_parser, rebuild_parser):
        add_time_options(each, "when a window starts, and for an audit a batch was written")
    retention_parser = commands.add_parser(
        "retention",
        help="delete the indices whose whole time is older than their retention",
        description=f"Its settings are a file of their own: --settings, $LOGIN_RETENTION_SETTINGS or {RETENTION_FILE}.",
    )
    retention_parser.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    _add_force(retention_parser)
    retention_parser.set_defaults(command=_retention, load=load_retention_settings)
    _add_backup_parsers(commands)
    dead.add_parser(commands)
    erase.add_parser(commands)
    pseudonym_parser = commands.add_parser(
        "pseudonym",
        help="say by which pseudonym users or addresses are stored; none are read from Elasticsearch",
        description="Reads one value a line from standard input: other users of the host see arguments.",
    )
    pseudonym_parser.add_argument("kind", choices=KINDS)
    pseudonym_parser.set_defaults(command=_pseudonym)
    return parser


def _add_backup_parsers(commands: Any) -> None:
    file = f"Its settings are a file of their own: --settings, $LOGIN_BACKUP_SETTINGS or {BACKUP_FILE}."
    backup_parser = commands.add_parser(
        "backup", help="make a snapshot, then delete those that are too old", description=file
    )
    backup_parser.add_argument(
        "--anew", action="store_true", help="also if Elasticsearch has lost what the last backup holds"
    )
    _add_force(backup_parser)
    backup_parser.set_defaults(command=_backup)
    list_parser = commands.add_parser("backups", help="list the snapshots that 'backup' has made", description=file)
    list_parser.add_argument("--json", action="store_true", help="as one JSON object")
    list_parser.set_defaults(command=_backups)
    restore_parser = commands.add_parser(
        "restore",
        help="replace all indices by those of a snapshot, while the consumer is stopped; playbooks/restore.yml does it",
        description=f"{file} Their API key may not restore: the playbook brings one that lasts as long as the restore.",
    )
    restore_parser.add_argument("snapshot", help=f"its name, or {NEWEST}")
    restore_parser.add_argument(
        "--kibana", action="store_true", help="what Kibana keeps as well; Kibana must be stopped"
    )
    restore_parser.set_defaults(command=_restore)
    verify_parser = commands.add_parser(
        "verify-backup",
        help="read the newest good backup whole, under other names; login-backup-verify.timer does it",
        description=f"{file} Their API key may not do that: the unit's may.",
    )
    verify_parser.set_defaults(command=_verify_backup)
    for each in (backup_parser, list_parser, restore_parser, verify_parser):
        each.set_defaults(load=load_backup_settings)


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--force", action="store_true", help="delete also if the clock may be ahead: you know it is not"
    )


def _run(settings: Settings, _: argparse.Namespace) -> int:
    log.info("login-consumer %s starts with %s", __version__, json.dumps(describe(settings)))
    run(settings)
    return 0


def _check(settings: Settings, _: argparse.Namespace) -> int:
    return 0 if check(settings, lambda line: print(line, flush=True)) else 1


def _status(settings: Settings, options: argparse.Namespace) -> int:
    # asked through Sink, as an index that was made just now does not answer yet
    sink = Sink(settings.elasticsearch)
    unreadable = sink.ask(LeftOut.ask).unreadable
    sink.leave_out(unreadable)
    told = {"unreadable": unreadable} | sink.ask(lambda client: stored(client, settings.kafka.topic))
    told |= waiting(settings.kafka, told["last_batch"]) | {"waits_for": waits_for(settings.waiting_file)}
    told["deviations"] = deviations(promise_hops(settings))
    print(json.dumps(told, indent=1) if options.json else "\n".join(as_text(told)))
    return 0


def _promise(settings: Settings, options: argparse.Namespace) -> int:
    unanswered: list[str] = []
    found = deviations(promise_hops(settings), unanswered.append)
    for line in found + unanswered:
        print(line, file=sys.stderr)
    return 3 if found else 4 if unanswered else 0


def _audit(settings: Settings, options: argparse.Namespace) -> int:
    found = audit(settings, _span(options))
    print(json.dumps(found.as_json(), indent=1) if options.json else "\n".join(audit_lines(found)))
    return 1 if found.faults else 5 if found.unreadable else 0


def _rebuild(settings: Settings, options: argparse.Namespace) -> int:
    done = rebuild(settings, _span(options), lambda line: print(line, flush=True))
    print(f"{done.windows} windows count {done.events} events; {done.removed} stale windows were removed")
    return 0


def _retention(settings: RetentionSettings, options: argparse.Namespace) -> int:
    now = round(time.time() * 1000)
    done = retention(settings, now, options.dry_run, lambda line: print(line, flush=True), options.force)
    verb = "would delete" if options.dry_run else "deleted"
    print(f"{verb} {done.indices} indices with {done.documents} documents, and {done.checkpoints} old checkpoints")
    return 0


def _backup(settings: BackupSettings, options: argparse.Namespace) -> int:
    now = round(time.time() * 1000)
    made = backup(settings, now, options.anew, lambda line: print(line, flush=True), options.force)
    print(made.as_text(), flush=True)
    if made.doubt:
        raise ClockDoubted(f"the backup is good, but old ones stay: {made.doubt}")
    return 0


def _backups(settings: BackupSettings, options: argparse.Namespace) -> int:
    told = look_at_backups(Repository(settings), round(time.time() * 1000), settings.verified_file)
    shown = [*backup_lines(told), *(verified_lines(told["verified"]) if told["last_good"] else ())]
    print(json.dumps(told, indent=1) if options.json else "\n".join(shown))
    return 0


def _verify_backup(settings: BackupSettings, _: argparse.Namespace) -> int:
    told = verify(settings, lambda line: print(line, flush=True))
    print("\n".join(verified_lines(told)))
    return 0


def _restore(settings: BackupSettings, options: argparse.Namespace) -> int:
    consumer = load_settings(None)
    done = restore(settings, consumer, options.snapshot, options.kibana, lambda line: print(line, flush=True))
    told = "records that came after it" if done.to_read is None else f"{done.to_read} records that came after it"
    print(f"{done.snapshot.name} is restored; the consumer reads {told} from Kafka again")
    return 0


def _pseudonym(settings: Settings, options: argparse.Namespace) -> int:
    if options.kind not in settings.privacy.pseudonyms:
        raise SettingsError(f"privacy.pseudonyms does not name {options.kind}: it is stored as it is")
    protection = settings.privacy.protection()
    pseudonym = {"user": protection.user, "source_ip": protection.address}[options.kind]
    for line in sys.stdin:
        print(pseudonym(line.removesuffix("\n")), flush=True)
    return 0


def _span(options: argparse.Namespace) -> Span | None:
    if options.start is None and options.end is None:
        return None
    first = 0 if options.start is None else options.start
    after = END_OF_TIME if options.end is None else options.end
    if first >= after:
        raise SettingsError("--from must be before --to")
    return Span(first, after)
