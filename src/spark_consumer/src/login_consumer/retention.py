# SPDX-License-Identifier: Apache-2.0
"""login-consumer retention: indices whose whole time has passed are deleted, and checkpoints that were kept aside.

Only whole indices go, and only those whose name is exactly one that the consumer gives: what else stands beside them
is nobody's business here. The API key for this is one of its own, since the consumer itself may delete no index.
"""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from login_common.elastic import Client, by_index

from login_consumer.checkpoint import kept_aside
from login_consumer.counts import OffsetRange
from login_consumer.documents import FAMILIES, PIPELINE
from login_consumer.periods import Index
from login_consumer.settings import RetentionSettings
from login_consumer.sink import Sink
from login_consumer.witness import ClockDoubted, doubt

Sequences = dict[str, OffsetRange]
"""The sequences of the accounts of the topic in an index, by its name; `next` is one more than the highest."""

_AT_ONCE = 50  # names of indices in one request: its first line may have 4096 bytes
_MOST_LOSSES = 10_000
_DAY_MS = 86_400_000


class Removed(NamedTuple):
    """How many indices with how many documents, and how many checkpoints."""

    indices: int
    documents: int
    checkpoints: int


def retention(
    settings: RetentionSettings, now: int, dry_run: bool, tell: Callable[[str], None], force: bool = False
) -> Removed:
    """Delete what is older than its retention at the time `now`, or only tell what that is.

    Raises ClockDoubted, with nothing deleted, if the clock may be ahead, unless `force` says that it is right. Raises
    Unavailable.
    """
    sink = Sink(settings.elasticsearch)
    old = [found for found in sink.ask(_indices) if found.dated.is_over(now, settings.days_of(found.dated.family))]
    accounts = [found.dated for found in old if found.dated.family == PIPELINE]
    if accounts:
        sequences = sink.ask(partial(_sequences, topic=settings.topic))
        stay = set(accounts) - set(clean_beginning(accounts, sequences))
        old = [found for found in old if found.dated not in stay]
        for index in sorted(stay):
            tell(f"keeps {index.name}: the newest account is in it, or younger ones begin before its end")
    checkpoints = _old_checkpoints(settings, now)
    if (old or checkpoints) and not force:
        doubted = sink.ask(lambda client: doubt(client, now, settings.witness_days))
        if doubted and not dry_run:
            raise ClockDoubted(doubted)
        if doubted:
            tell(f"a run would stop: {doubted}")
    documents = 0
    # events and windows of one time in one request, so that nobody sees the one without the other
    for part in _parts(sorted(old, key=lambda found: found.dated.span)):
        for found in part:
            number = sink.ask(partial(_documents, found=found))
            documents += number
            tell(f"{'would delete' if dry_run else 'deletes'} {found.dated.name}: {_told(found, number)}")
            for loss in sink.ask(partial(_losses, found=found)):
                tell(f"  an audit tells this no more: {loss}")
        if not dry_run:
            names = [found.dated.name for found in part]
            sink.ask(partial(_delete, names=names))
    _remove_checkpoints(checkpoints, dry_run, tell)
    return Removed(len(old), documents, len(checkpoints))


class _Found(NamedTuple):
    dated: Index
    closed: bool


def _indices(client: Client) -> list[_Found]:
    told = client.indices.resolve_index(name=[f"{family}-*" for family in FAMILIES], expand_wildcards="open,closed")
    dated = ((Index.of(each["name"]), "closed" in each["attributes"]) for each in told["indices"])
    return [_Found(index, closed) for index, closed in dated if index]


def _sequences(client: Client, topic: str) -> Sequences:
    client.indices.refresh(index=f"{PIPELINE}-*", allow_no_indices=True)
    bounds = {"first": {"min": {"field": "sequence"}}, "last": {"max": {"field": "sequence"}}}
    told = by_index(client, f"{PIPELINE}-*", {"term": {"topic": topic}}, bounds)
    return {
        name: OffsetRange(int(each["first"]["value"]), int(each["last"]["value"]) + 1) for name, each in told.items()
    }


def clean_beginning(old: Collection[Index], sequences: Sequences) -> list[Index]:
    """Return those of the `old` indices of accounts that may go.

    What stays must have no gap, which an audit would take for a loss. And something must stay: the consumer goes on
    after its newest account, if its checkpoint is lost.
    """
    ordered = sorted(old, key=lambda index: index.span)
    for number in range(len(ordered), 0, -1):
        gone = {index.name for index in ordered[:number]}
        last = max((each.next for name, each in sequences.items() if name in gone), default=None)
        first = min((each.first for name, each in sequences.items() if name not in gone), default=None)
        if last is None or (first is not None and last <= first):
            return ordered[:number]
    return []


def _parts(found: Sequence[_Found]) -> Iterator[Sequence[_Found]]:
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]


def _documents(client: Client, found: _Found) -> int:
    return 0 if found.closed else client.number_of(found.dated.name, {"match_all": {}})


def _told(found: _Found, number: int) -> str:
    return "it is closed, so its documents are not counted" if found.closed else f"{number} documents"


def _losses(client: Client, found: _Found) -> Iterable[str]:
    if found.closed or found.dated.family != PIPELINE:
        return []
    told = client.search(index=found.dated.name, query={"exists": {"field": "loss"}}, size=_MOST_LOSSES)
    return [f"{hit['_source']['@timestamp']}: {hit['_source']['loss']}" for hit in told["hits"]["hits"]]


def _delete(client: Client, names: Sequence[str]) -> None:
    client.indices.delete(index=names, ignore_unavailable=True)


def _old_checkpoints(settings: RetentionSettings, now: int) -> list[Path]:
    # as old as the accounts, without which nothing in a checkpoint can be understood
    before = datetime.fromtimestamp((now - settings.progress_days * _DAY_MS) / 1000, UTC)
    return [directory for directory, moment in kept_aside(settings.checkpoint_dir) if moment < before]


def _remove_checkpoints(old: Iterable[Path], dry_run: bool, tell: Callable[[str], None]) -> None:
    for directory in old:
        tell(f"{'would remove' if dry_run else 'removes'} {directory}")
        if not dry_run:
            shutil.rmtree(directory)
