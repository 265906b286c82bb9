# SPDX-License-Identifier: Apache-2.0
"""login-consumer dead: look at the records that were refused, and send them to the topic again."""

import argparse
import json
import logging
import sys
from typing import Any

from login_common.settings import SettingsError
from login_common.text import printable
from login_common.times import add_time_options
from login_formats.reasons import Reason

from login_consumer import dead_view
from login_consumer.dead_letters import (
    ANY,
    INDICES,
    IS_SENT,
    NOT_SENT,
    Plan,
    Selection,
    find,
    newest,
    plan,
    scan,
    to_send,
    unknown,
)
from login_consumer.dead_replay import Replay, ReplayStopped
from login_consumer.replay_sender import ReplaySender
from login_consumer.settings import Settings
from login_consumer.sink import Sink

log = logging.getLogger(__name__)

_MOST_LISTED = 10_000  # Elasticsearch's own limit for one answer


def add_parser(commands: Any) -> None:
    """Add the command `dead` to the subparsers `commands`."""
    dead = commands.add_parser("dead", help="list, show and replay the records that were refused")
    actions = dead.add_subparsers(required=True, metavar="ACTION")

    listing = actions.add_parser("list", help="count the letters by reason and show the newest")
    _add_selectors(listing)
    listing.add_argument("--limit", type=_limit, default=20, help="how many to show (default: %(default)s)")
    which = listing.add_mutually_exclusive_group()
    which.add_argument("--replayed", action="store_true", help="those that were replayed, instead of the others")
    which.add_argument("--all", action="store_true", help="both")
    listing.add_argument("--json", action="store_true", help="as one JSON object")
    listing.set_defaults(command=_list)

    show = actions.add_parser("show", help="show one letter with the record's value")
    show.add_argument("id", metavar="ID")
    show.add_argument("--raw", action="store_true", help="write the very bytes of the value, and nothing else")
    show.set_defaults(command=_show)

    replay = actions.add_parser("replay", help="send the values of letters to the topic again")
    replay.add_argument("ids", metavar="ID", nargs="*")
    _add_selectors(replay)
    replay.add_argument("--all", action="store_true", help="all letters")
    replay.add_argument("--again", action="store_true", help="also those that were sent, or perhaps sent, before")
    replay.add_argument("--dry-run", action="store_true", help="only say which letters would be sent")
    replay.set_defaults(command=_replay)


def _add_selectors(parser: argparse.ArgumentParser) -> None:
    codes = [str(reason) for reason in Reason]
    parser.add_argument("--reason", dest="reasons", metavar="REASON", nargs="+", action="extend", choices=codes)
    add_time_options(parser, "Kafka's time of the record")


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST_LISTED:
        raise argparse.ArgumentTypeError(f"should be a number up to {_MOST_LISTED}")
    return int(text)


def _selection(options: argparse.Namespace, ids: list[str]) -> Selection:
    return Selection(tuple(dict.fromkeys(ids)), tuple(options.reasons or ()), options.start, options.end)


def _list(settings: Settings, options: argparse.Namespace) -> int:
    state = ANY if options.all else IS_SENT if options.replayed else NOT_SENT
    query = _selection(options, []).query(state)
    told = Sink(settings.elasticsearch).ask(lambda client: newest(client, query, options.limit))
    if options.json:
        print(json.dumps(dead_view.as_json(told), indent=1))
    else:
        print("\n".join(dead_view.listing(told, dead_view.terminal_width())))
    return 0


def _show(settings: Settings, options: argparse.Namespace) -> int:
    letter = Sink(settings.elasticsearch).ask(lambda client: find(client, options.id))
    if letter is None:
        print(_no_letter([options.id]), file=sys.stderr)
        return 1
    if not options.raw:
        print("\n".join(dead_view.letter_lines(letter)))
    elif letter.head is not None:
        print("the record was too large to be kept: show the letter without --raw for its head", file=sys.stderr)
    elif letter.erased:
        print(f"the record was erased at {letter.erased}: there are no bytes to write", file=sys.stderr)
    elif letter.is_unread:
        print("nothing of the record was kept: there are no bytes to write", file=sys.stderr)
    elif letter.withheld:
        print(dead_view.withheld(letter), file=sys.stderr)
    elif letter.raw is None:
        print("the record has no value: there are no bytes to write", file=sys.stderr)
    else:
        sys.stdout.buffer.write(letter.raw)
        sys.stdout.buffer.flush()
    return 0


def _no_letter(ids: list[str]) -> str:
    named = ", ".join(printable(id_) for id_ in ids)
    return f"no dead letter has the id {named}; 'login-consumer dead list --all' shows the ids"


def _replay(settings: Settings, options: argparse.Namespace) -> int:
    selection = _selection(options, options.ids)
    if options.all == bool(selection):
        print(
            "say which letters to replay: ids, --reason, --from and --to, or --all alone for all of them",
            file=sys.stderr,
        )
        return 2
    elasticsearch = settings.elasticsearch
    if not options.dry_run:
        kafka, elasticsearch = settings.kafka_for_replay(), settings.elasticsearch_for_replay()
    sink, topic = Sink(elasticsearch), settings.kafka.topic
    missing = sink.ask(lambda client: unknown(client, selection.ids))
    if missing:
        print(f"{_no_letter(missing)}. Nothing was sent", file=sys.stderr)
        return 1
    planned = sink.ask(lambda client: plan(client, selection, topic, options.again))
    print("\n".join(dead_view.plan_lines(planned, topic)), flush=True)
    if options.dry_run:
        return 0
    query = selection.query(to_send(options.again), {"term": {"topic": topic}})
    return _send(sink, kafka, query, planned, options.again)


def _send(sink: Sink, kafka: Any, query: dict[str, Any], planned: Plan, again: bool) -> int:
    refused = sum(planned.foreign.values())
    skipped = planned.sent + planned.sending + planned.cut
    if not planned.total:
        print(f"sent 0, skipped {skipped}, failed {refused}")
        return 1 if refused else 0
    stopped = False
    try:
        sender = ReplaySender(kafka)
    except ReplayStopped as error:
        log.error("%s. Nothing was sent", error)
        return 1
    except SettingsError as error:
        raise SettingsError(f"replay: {error}") from None
    run = Replay(sink, sender, again, lambda line: print(printable(line), file=sys.stderr, flush=True))
    try:
        run.run(scan(sink, query), planned.total)
    except ReplayStopped as error:
        log.error("%s", error)
        stopped = True
    except KeyboardInterrupt:
        log.error("stopped; the letters that were about to be sent stay marked as sending")
        stopped = True
    finally:
        sender.close()
        counts = run.counts
        print(f"sent {counts.sent}, skipped {skipped + counts.skipped}, failed {counts.failed + refused}")
    sink.ask(lambda client: client.indices.refresh(index=INDICES))
    return 1 if stopped or counts.failed or refused else 0
