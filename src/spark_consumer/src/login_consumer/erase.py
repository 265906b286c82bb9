# SPDX-License-Identifier: Apache-2.0
"""login-consumer erase: says where a user's data stand, and with --yes takes them out of events and dead letters."""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from login_common.elastic import Unavailable
from login_common.settings import SettingsError, settings_file
from login_common.text import printable
from login_common.times import iso

from login_consumer import checkpoint
from login_consumer.erasure import Found, erase, look
from login_consumer.hops import HopFailed
from login_consumer.kafka_side import topic_settings, topic_state
from login_consumer.progress import last_progress
from login_consumer.settings import (
    BACKUP_ENV_PREFIX,
    BACKUP_FILE,
    BackupSettings,
    Privacy,
    Settings,
    load_backup_settings,
)
from login_consumer.sink import Sink
from login_consumer.snapshots import Repository, Snapshot

_DAY_MS = 86_400_000
_MOST_NAMES = 10


def add_parser(commands: Any) -> None:
    """Add the command `erase` to the subparsers `commands`."""
    parser = commands.add_parser(
        "erase",
        help="say where a user's data stand; with --yes take them out of events and dead letters",
        description="Without --yes nothing is changed. With it an API key is needed that playbooks/erase.yml brings.",
    )
    parser.add_argument(
        "--user",
        dest="users",
        metavar="NAME",
        action="append",
        required=True,
        help="exactly as it is stored, in whichever field; may be given several times. '-': from standard input, one a "
        "line, as other users of this host see a command's arguments",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="only say what would be erased, as without --yes")
    how.add_argument("--yes", action="store_true", help="erase; nothing brings it back but a backup")
    parser.set_defaults(command=_erase)


def _erase(settings: Settings, options: argparse.Namespace) -> int:
    users = stored_names(_names(options.users), settings.privacy)
    checkpoint.refuse_unfinished(settings.checkpoint_dir)
    if options.yes:
        found = erase(Sink(settings.elasticsearch_for_erasure()), users, round(time.time() * 1000))
    else:
        found = look(Sink(settings.elasticsearch), users)
    lines = [*found_lines(found, options.yes), *_kafka(settings, found), *_backups(found), *_ELSEWHERE]
    print("\n".join(map(printable, lines)))
    if found.left:
        print("more of it came while this ran: run it once more")
    elif not options.yes:
        print("nothing was changed")
    return 1 if found.left else 0


def _names(told: Sequence[str]) -> list[str]:
    """Return the names of users that the arguments mean. Raises SettingsError."""
    names: list[str] = []
    for each in told:
        names += sys.stdin.read().removesuffix("\n").split("\n") if each == "-" else [each]
    if not names or not all(each.strip() for each in names):
        raise SettingsError("the name of a user is empty")
    return list(dict.fromkeys(names))


def stored_names(users: Sequence[str], privacy: Privacy) -> list[str]:
    """Return the names that the users stand under: each as it is, and its pseudonym if users have some now."""
    if "user" not in privacy.pseudonyms:
        return list(users)
    return [*users, *map(privacy.protection().user, users)]


def found_lines(found: Found, erased: bool) -> Iterator[str]:
    """Yield the lines about what stands in Elasticsearch."""
    fields = ", ".join(f"{name} {count}" for name, count in sorted(found.fields.items()))
    yield f"events         {found.events} {'erased' if erased else 'name the user'}" + (
        f" ({fields})" if fields else ""
    )
    if found.ids:
        yield f"               the id of {found.ids} of them names the user, and stays: it keeps repeats away"
    if found.others:
        yield f"other names    {_some(found.others)}: in the same events; what they name elsewhere needs --user as well"
    if found.spellings:
        yield f"               {_some(sorted(found.spellings))}: differs by case, and is another name"
    yield f"dead letters   {found.letters} of {found.letters_read} {'erased' if erased else 'name the user'}"
    browsers = f"; {found.browsers} have that name as a browser's, and keep it" if found.browsers else ""
    yield f"windows        none: they count by time, country, browser and outcome, and no user{browsers}"
    yield from (f"  {name:<32} {count}" for name, count in sorted(found.by_index.items()))


def _some(names: Iterable[str]) -> str:
    told = list(names)
    rest = f" and {len(told) - _MOST_NAMES} more" if len(told) > _MOST_NAMES else ""
    return ", ".join(json.dumps(name, ensure_ascii=False) for name in told[:_MOST_NAMES]) + rest


def _kafka(settings: Settings, found: Found) -> Iterator[str]:
    try:
        topic, config = topic_state(settings.kafka), topic_settings(settings.kafka).config
    except HopFailed as fault:
        yield f"Kafka          is not known: {fault}"
        return
    held = [
        stored
        for place, stored in found.records
        if place.topic_id == topic.topic.id and place.offset >= topic.first.get(place.partition, 0)
    ]
    yield f"Kafka          still holds {len(held)} of these records{kafka_until(max(held, default=0), config)}"
    progress = Sink(settings.elasticsearch).ask(lambda client: last_progress(client, settings.kafka.topic))
    done = progress.offsets if progress and progress.topic_id == topic.topic.id else {}
    waiting = sum(max(0, end - max(done.get(p, 0), topic.first[p])) for p, end in topic.ends.items())
    if waiting:
        yield f"               {waiting} records are not read yet: what of them names the user becomes events again"


def kafka_until(newest: int, config: dict[str, str | None]) -> str:
    """Return until when Kafka holds a record of the time `newest`, in milliseconds since 1970; nothing of 0."""
    kept, segment = (int(config.get(name) or -1) for name in ("retention.ms", "segment.ms"))
    if not newest:
        return ""
    if kept < 0 or segment < 0:
        return ", and deletes none by its age"
    # a record goes with its segment, when the newest record of that is old enough
    return f", the last until {iso(newest + kept + segment)} at the latest (retention.ms and segment.ms of the topic)"


def _backups(found: Found) -> Iterator[str]:
    if not settings_file(None, BACKUP_ENV_PREFIX, BACKUP_FILE).exists():
        yield "backups        none are made by login-consumer; what others snapshot is not known here"
        return
    try:
        settings = load_backup_settings(None)
        snapshots = Repository(settings).snapshots()
    except (SettingsError, Unavailable) as fault:
        yield f"backups        are not known: {fault}"
        return
    yield from backup_lines(found, snapshots, settings)


def backup_lines(found: Found, snapshots: Sequence[Snapshot], settings: BackupSettings) -> Iterator[str]:
    """Yield the lines about the backups that hold what was found, and until when they are kept."""
    first = min((stored for _, stored in found.records), default=0)
    held = [
        each for each in snapshots if found.by_index.keys() & set(each.indices) and max(each.start, each.end) >= first
    ]
    if not held:
        yield f"backups        none of {len(snapshots)} holds them"
        return
    until = iso(held[-1].start + settings.keep_days * _DAY_MS)
    yield (
        f"backups        {len(held)} of {len(snapshots)} hold them, up to {held[-1].name}; the last goes at the first "
        f"backup after {until}, if {settings.keep_least} newer ones are there by then"
    )
    yield "               a restore of one of them brings the user back: erase again after it"


_ELSEWHERE = (
    "reports        login-report draws its page again every hour, without the user once it is erased; copies of older "
    "pages stay",
    "sources        the logs that the records came from are not touched",
)
