# SPDX-License-Identifier: Apache-2.0
"""Erases what events and dead letters tell of a user, beside a consumer that runs, or only looks for it.

Each document is replaced by its tombstone at once, or not at all: after a kill the same is begun again. Nothing that is
counted changes, so nobody has to be kept away; what somebody else changes meanwhile is met again in the next round.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from login_common.elastic import Client, Query, Unavailable
from login_common.times import iso, rfc3339_ms

from login_consumer.dead_letters import Letter, read, scan
from login_consumer.dead_replay import batches
from login_consumer.documents import DEAD_LETTERS, EVENTS, METRICS, Place
from login_consumer.mentions import Mentions
from login_consumer.sink import Sink
from login_consumer.tombstones import (
    EVENT_KEEPS,
    IS_ERASED,
    USER_FIELDS,
    event_tombstone,
    letter_tombstone,
    users_of,
)
from login_consumer.windows import refresh

_PAGE = 1000
_ROUNDS = 5
_IGNORED_ABOVE = 1024  # characters; longer names are stored and not searchable
_MOST_SPELLINGS = 100


@dataclass
class Found:
    """What names the users, and was erased unless it was only looked for. Times in milliseconds since 1970."""

    events: int = 0
    letters: int = 0
    letters_read: int = 0
    """How many dead letters were looked through."""
    by_index: Counter[str] = field(default_factory=Counter)
    """Events and letters, by the index that they stand in."""
    fields: Counter[str] = field(default_factory=Counter)
    """How many events hold a name in which field."""
    others: Counter[str] = field(default_factory=Counter)
    """The other names in the same events; those of the same person have to be asked for as well."""
    spellings: set[str] = field(default_factory=set)
    """Names elsewhere that differ by upper and lower case alone."""
    ids: int = 0
    """Events whose id, which stays, names a user."""
    browsers: int = 0
    """Windows with such a name as their browser: what senders choose, and no name of a user."""
    records: list[tuple[Place, int]] = field(default_factory=list)
    """Where the records stand in Kafka, and when they were stored."""
    left: bool = False
    """Whether more came, or was changed by others, up to the end."""


def erase(sink: Sink, users: Sequence[str], moment: int) -> Found:
    """Erase the users of exactly these names; `moment` is now, in milliseconds since 1970.

    May be repeated, also after a kill. Raises Unavailable; what was erased by then is.
    """
    return _Search(sink, users, iso(moment)).run()


def look(sink: Sink, users: Sequence[str]) -> Found:
    """Return what `erase` would erase. Raises Unavailable."""
    return _Search(sink, users, "").run()


class _Search:
    def __init__(self, sink: Sink, users: Sequence[str], moment: str) -> None:
        self._sink, self._users, self._moment = sink, frozenset(users), moment
        self._mentions, self._found = Mentions(self._users), Found()

    def run(self) -> Found:
        for walk in (self._events, self._letters):
            rounds = 0
            while walk() and self._moment:
                rounds += 1
                if rounds == _ROUNDS:
                    self._found.left = True
                    break
        refresh(self._sink, METRICS)
        self._found.spellings = self._sink.ask(self._other_spellings)
        self._found.browsers = self._sink.ask(
            lambda client: client.number_of(f"{METRICS}-*", {"terms": {"browser": sorted(self._users)}})
        )
        if self._moment:
            refresh(self._sink, EVENTS, DEAD_LETTERS)  # nobody sees it any more
        return self._found

    def _events(self) -> int:
        """Go through all events; return how many name a user."""
        refresh(self._sink, EVENTS)
        seen = 0
        for page in _pages(self._sink, self._query()):
            hits = [hit for hit in page if any(name in self._users for _, name in users_of(hit["_source"]))]
            lines = [_replacement(hit, event_tombstone(hit["_source"], self._moment)) for hit in hits]
            for hit, done in zip(hits, self._replace(lines, "an event"), strict=True):
                if done:
                    self._add_event(hit["_index"], hit["_source"])
            seen += len(hits)
        return seen

    def _letters(self) -> int:
        """Go through all dead letters; return how many name a user and were changed by others meanwhile."""
        refresh(self._sink, DEAD_LETTERS)
        found, conflicts = self._found, 0
        found.letters_read = 0
        for batch in batches(scan(self._sink, {"bool": {"must_not": [IS_ERASED]}})):
            there = self._sink.ask(read(batch))
            found.letters_read += len(there)
            hits = [letter for letter in there if not letter.erased and self._mentions.in_letter(letter)]
            lines = [_letter_replacement(letter, self._moment) for letter in hits]
            for letter, done in zip(hits, self._replace(lines, "a dead letter"), strict=True):
                conflicts += not done
                if done:
                    found.letters += 1
                    self._add_record(letter.index, letter.fields, letter.fields["ingested"])
        return conflicts

    def _replace(self, lines: Sequence[bytes], what: str) -> list[bool]:
        """Return for each line whether it was carried out: not, if somebody else was quicker."""
        if not self._moment or not lines:
            return [True] * len(lines)
        items = self._sink.bulk(lines, conflict_is_answer=True)
        for item in items:
            if item.refused:
                raise Unavailable(f"{what} cannot be erased ({item.kind}: {item.reason}); run site.yml for its fields")
        return [item.taken for item in items]

    def _add_event(self, index: str, source: dict[str, Any]) -> None:
        found, told = self._found, list(users_of(source))
        found.events += 1
        found.fields.update({each for each, name in told if name in self._users})
        found.others.update({name for _, name in told} - self._users)
        found.ids += self._mentions.in_text(source["event"]["id"])
        self._add_record(index, source["login"]["kafka"], source["event"]["ingested"])

    def _add_record(self, index: str, kafka: dict[str, Any], stored: str) -> None:
        self._found.by_index[index] += 1
        place = Place(kafka["topic_id"], kafka["partition"], kafka["offset"])
        self._found.records.append((place, rfc3339_ms(stored)))

    def _query(self) -> Query:
        named: list[Query] = [{"terms": {each: sorted(self._users)}} for each in USER_FIELDS]
        if any(len(name) > _IGNORED_ABOVE for name in self._users):
            named.append({"terms": {"_ignored": list(USER_FIELDS)}})
        return {"bool": {"should": named}}

    def _other_spellings(self, client: Client) -> set[str]:
        searchable = [name for name in sorted(self._users) if len(name) <= _IGNORED_ABOVE]
        alike: list[Query] = [
            {"term": {each: {"value": name, "case_insensitive": True}}} for each in USER_FIELDS for name in searchable
        ]
        if not alike:
            return set()
        query: Query = {"bool": {"should": alike, "must_not": [self._query()]}}
        answer = client.search(
            index=f"{EVENTS}-*", query=query, source_includes=list(USER_FIELDS), size=_MOST_SPELLINGS
        )
        folded = {name.casefold() for name in self._users}
        names = {name for hit in answer["hits"]["hits"] for _, name in users_of(hit["_source"])}
        return {name for name in names if name.casefold() in folded} - self._users


def _pages(sink: Sink, query: Query) -> Iterator[list[dict[str, Any]]]:
    # What is not needed for a tombstone is not asked for: the record itself may have a megabyte.
    after: list[Any] | None = None
    while True:
        answer = sink.ask(partial(_page, query=query, after=after))
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        yield hits
        if len(hits) < _PAGE:
            return
        after = hits[-1]["sort"]


def _page(client: Client, query: Query, after: list[Any] | None) -> Any:
    return client.search(
        index=f"{EVENTS}-*",
        query=query,
        source_includes=[*EVENT_KEEPS, *USER_FIELDS],
        sort=["@timestamp", "event.id"],  # no two events of an index are the same in both
        search_after=after,
        size=_PAGE,
        seq_no_primary_term=True,
        track_total_hits=False,
    )


def _replacement(hit: dict[str, Any], source: dict[str, Any]) -> bytes:
    action = {"_index": hit["_index"], "_id": hit["_id"]}
    action |= {"if_seq_no": hit["_seq_no"], "if_primary_term": hit["_primary_term"]}
    return orjson.dumps({"index": action}) + b"\n" + orjson.dumps(source) + b"\n"


def _letter_replacement(letter: Letter, moment: str) -> bytes:
    hit = {"_index": letter.index, "_id": letter.id, "_seq_no": letter.seq_no, "_primary_term": letter.primary_term}
    return _replacement(hit, letter_tombstone(letter.fields, moment))
