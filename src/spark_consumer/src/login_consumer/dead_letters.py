# SPDX-License-Identifier: Apache-2.0
"""Dead letters as Elasticsearch holds them: which ones are meant, how many there are, and reading them."""

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from elasticsearch import ApiError
from login_common.elastic import Client, Query
from login_common.times import iso
from login_formats.reasons import Reason
from login_formats.wrapper import Headers

from login_consumer.documents import DEAD_LETTERS
from login_consumer.privacy import WITHHELD
from login_consumer.sink import Sink
from login_consumer.tombstones import IS_ERASED, LETTER_ERASED

INDICES = f"{DEAD_LETTERS}-*"
SENDING, SENT = "sending", "sent"
"""States of a replay: a letter that is `sending` while nothing runs was perhaps sent, and a crash came."""

IS_SENT: Query = {"term": {"replay.state": SENT}}
IS_SENDING: Query = {"term": {"replay.state": SENDING}}
NOT_SENT: Query = {"bool": {"must_not": [IS_SENT]}}
UNTOUCHED: Query = {"bool": {"must_not": [{"exists": {"field": "replay.state"}}]}}
_NOT_KEPT: list[Query] = [
    {"exists": {"field": "sha256"}},
    {"exists": {"field": WITHHELD}},
    {"term": {"reason": str(Reason.UNREADABLE)}},
]
IS_CUT: Query = {"bool": {"should": _NOT_KEPT}}
"""Of a record that was too large, was not read at all, or must not be kept, so that it cannot be sent again."""
ANY: Query = {"match_all": {}}
IS_UNRECOGNISED: Query = {"term": {"reason": str(Reason.UNRECOGNISED)}}

NOT_WHOLE: Query = {"bool": {"should": [IS_CUT, IS_ERASED]}}
WHOLE: Query = {"bool": {"must_not": [IS_CUT, IS_ERASED]}}

_MOST_REASONS = 1000
_MOST_KINDS = 20
_PAGE = 500
_IDS_AT_ONCE = 1000
_KEEP_ALIVE = "10m"  # longer than one batch of a replay may take


@dataclass(frozen=True)
class Selection:
    """Which letters are meant: those that meet all that is given. Times in milliseconds, `end` excluded."""

    ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    start: int | None = None
    end: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is given."""
        return bool(self.ids or self.reasons) or self.start is not None or self.end is not None

    def query(self, *more: Query) -> Query:
        """Return the query for these letters that meet `more` as well."""
        filters: list[Query] = [query for query in more if query != ANY]
        if self.ids:
            filters.append({"ids": {"values": list(self.ids)}})
        if self.reasons:
            filters.append({"terms": {"reason": list(self.reasons)}})
        span = {name: iso(at) for name, at in (("gte", self.start), ("lt", self.end)) if at is not None}
        if span:
            filters.append({"range": {"@timestamp": span}})
        return {"bool": {"filter": filters}} if filters else ANY


@dataclass(frozen=True)
class Letter:
    """One letter, with the numbers that guard its next update; they are -1 where they were not asked for."""

    index: str
    id: str
    fields: dict[str, Any]
    seq_no: int = -1
    primary_term: int = -1

    @property
    def raw(self) -> bytes | None:
        """The record's value; None if it had none."""
        raw = self.fields.get("raw")
        return None if raw is None else base64.b64decode(raw)

    @property
    def head(self) -> bytes | None:
        """The beginning of the value of a record that was too large to be kept; None if `raw` is the whole."""
        head = self.fields.get("head")
        return None if head is None else base64.b64decode(head)

    @property
    def is_unread(self) -> bool:
        """Whether nothing of the record was kept: see unreadable.py."""
        return bool(self.fields["reason"] == Reason.UNREADABLE)

    @property
    def withheld(self) -> bool:
        """Whether the record's content was not kept, since pseudonyms are on."""
        return WITHHELD in self.fields

    @property
    def headers(self) -> Headers:
        """The record's headers."""
        pairs = self.fields.get("headers") or ()
        return [(each["key"], None if each["value"] is None else base64.b64decode(each["value"])) for each in pairs]

    @property
    def erased(self) -> str | None:
        """When its content was erased, None if it was not."""
        moment: str | None = self.fields.get(LETTER_ERASED)
        return moment

    @property
    def state(self) -> str | None:
        """How far its replay is, None before the first."""
        replay = self.fields.get("replay") or {}
        state: str | None = replay.get("state")
        return state


@dataclass(frozen=True)
class Found:
    """A letter that is meant, without its content; `size` in bytes."""

    index: str
    id: str
    size: int


class Listing(NamedTuple):
    """The exact counts by reason of the letters that are meant, and the newest of them without their bytes."""

    reasons: dict[str, int]
    letters: list[Letter]
    unrecognised: dict[str, int]
    """How many of them are of which kind of unrecognised record, such as a program; the most frequent first."""

    @property
    def total(self) -> int:
        """How many letters are meant."""
        return sum(self.reasons.values())


class Plan(NamedTuple):
    """What a replay would do: letters to send by reason, to skip by state, those of other topics by topic, and those
    that are not whole.
    """

    reasons: dict[str, int]
    sent: int
    sending: int
    foreign: dict[str, int]
    cut: int = 0

    @property
    def total(self) -> int:
        """How many letters would be sent."""
        return sum(self.reasons.values())


def _terms(field: str) -> dict[str, Any]:
    return {"terms": {"field": field, "size": _MOST_REASONS}}


def _counts(aggregation: dict[str, Any]) -> dict[str, int]:
    return {bucket["key"]: bucket["doc_count"] for bucket in aggregation.get("buckets", ())}


def newest(client: Client, query: Query, limit: int) -> Listing:
    """Return the counts by reason and the `limit` newest letters. Raises the client's own errors."""
    answer = client.search(
        index=INDICES,
        query=query,
        size=limit,
        sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date"}}, {"offset": {"order": "desc"}}],
        source_excludes=["raw", "head"],
        aggs={
            "reasons": _terms("reason"),
            "unrecognised": {
                "filter": IS_UNRECOGNISED,
                "aggs": {"kinds": {"terms": {"field": "detail", "size": _MOST_KINDS}}},
            },
        },
    )
    letters = [Letter(hit["_index"], hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"]]
    # no index yet: no aggregations in the answer
    found = answer.get("aggregations", {})
    return Listing(_counts(found.get("reasons", {})), letters, _counts(found.get("unrecognised", {}).get("kinds", {})))


def find(client: Client, id_: str) -> Letter | None:
    """Return the letter with its bytes, None if there is none. Raises the client's own errors."""
    hits = client.search(index=INDICES, query={"ids": {"values": [id_]}}, size=1)["hits"]["hits"]
    return next((Letter(hit["_index"], hit["_id"], hit["_source"]) for hit in hits), None)


def unknown(client: Client, ids: Sequence[str]) -> list[str]:
    """Return those of `ids` that no letter has. Raises the client's own errors."""
    known: set[str] = set()
    for start in range(0, len(ids), _IDS_AT_ONCE):
        query = {"ids": {"values": list(ids[start : start + _IDS_AT_ONCE])}}
        answer = client.search(index=INDICES, query=query, size=_IDS_AT_ONCE, source=False)
        known |= {hit["_id"] for hit in answer["hits"]["hits"]}
    return [id_ for id_ in ids if id_ not in known]


def to_send(again: bool) -> Query:
    """Return the query for the states that a replay sends."""
    return WHOLE if again else {"bool": {"filter": [WHOLE, UNTOUCHED]}}


def plan(client: Client, selection: Selection, topic: str, again: bool) -> Plan:
    """Return what a replay to `topic` would do. Raises the client's own errors."""
    client.indices.refresh(index=INDICES, allow_no_indices=True)
    own = {"term": {"topic": topic}}
    others = {"bool": {"filter": [to_send(again)], "must_not": [own]}}
    answer = client.search(
        index=INDICES,
        query=selection.query(),
        size=0,
        aggs={
            "own": {
                "filter": own,
                "aggs": {
                    "wanted": {"filter": to_send(again), "aggs": {"reasons": _terms("reason")}},
                    "sent": {"filter": IS_SENT},
                    "sending": {"filter": IS_SENDING},
                    "cut": {"filter": NOT_WHOLE},
                },
            },
            "foreign": {"filter": others, "aggs": {"topics": _terms("topic")}},
        },
    )
    found = answer.get("aggregations")
    if not found:
        return Plan({}, 0, 0, {})
    inside = found["own"]
    return Plan(
        _counts(inside["wanted"]["reasons"]),
        0 if again else inside["sent"]["doc_count"],
        0 if again else inside["sending"]["doc_count"],
        _counts(found["foreign"]["topics"]),
        inside["cut"]["doc_count"],
    )


def scan(sink: Sink, query: Query) -> Iterator[Found]:
    """Yield the letters that are there now, oldest first, a page in memory. Raises Unavailable.

    A replayed letter that is refused again makes a new one: a point in time keeps those out.
    """
    pit = sink.ask(lambda client: client.open_point_in_time(index=INDICES, keep_alive=_KEEP_ALIVE))["id"]
    after: list[Any] | None = None
    try:
        while True:
            answer = sink.ask(partial(_page, pit=pit, query=query, after=after))
            pit, hits = answer.get("pit_id", pit), answer["hits"]["hits"]
            for hit in hits:
                yield Found(hit["_index"], hit["_id"], hit["_source"].get("size", 0))
            if len(hits) < _PAGE:
                return
            after = hits[-1]["sort"]
    finally:
        with suppress(ApiError):  # it goes by itself later
            sink.client().close_point_in_time(id=pit)


def _page(client: Client, pit: str, query: Query, after: list[Any] | None) -> Any:
    # Elasticsearch adds a last sort key of its own, so that no two letters stand on the same place
    return client.search(
        pit={"id": pit, "keep_alive": _KEEP_ALIVE},
        query=query,
        size=_PAGE,
        sort=[{"@timestamp": "asc"}, {"partition": "asc"}, {"offset": "asc"}],
        source_includes=["size"],
        search_after=after,
        track_total_hits=False,
    )


def read(letters: Sequence[Found | Letter]) -> Callable[[Client], list[Letter]]:
    """Return a request for the letters as they are now, not as of the last refresh; deleted ones are left out."""

    def request(client: Client) -> list[Letter]:
        answer = client.mget(docs=[{"_index": letter.index, "_id": letter.id} for letter in letters])
        return [
            Letter(doc["_index"], doc["_id"], doc["_source"], doc["_seq_no"], doc["_primary_term"])
            for doc in answer["docs"]
            if doc.get("found")
        ]

    return request
