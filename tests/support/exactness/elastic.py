"""The part of Elasticsearch that the consumer uses, in memory; each request can meet a fault.

Searches see documents as of the last refresh, get requests as they are. Documents are replaced, never changed in place.
"""

import json
import random
from collections.abc import Callable, Iterator
from enum import Enum
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any, NamedTuple

from elastic_transport import ConnectionTimeout
from login_common.elastic import Client
from login_common.times import rfc3339_ms
from login_consumer.documents import MERGE_SCRIPT

Json = dict[str, Any]


class Crash(BaseException):
    """The consumer's process is killed here."""


class Fault(Enum):
    """What happens to one request."""

    KILLED_BEFORE = "the consumer is killed before it is sent"
    KILLED_AFTER = "the consumer is killed when it has been carried out"
    KILLED_HALFWAY = "the consumer is killed when half of it has been carried out"
    LOST = "it never arrives"
    UNANSWERED = "it is carried out, its answer is lost"
    HALF_UNANSWERED = "half of it is carried out, its answer is lost"
    BUSY = "some of its items are refused as too many"
    STALE = "a replica answers that does not have all documents yet"


_KILLS = {Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.KILLED_HALFWAY}
_SILENT = {Fault.LOST, Fault.UNANSWERED, Fault.HALF_UNANSWERED}
_HALVES = {Fault.KILLED_HALFWAY, Fault.HALF_UNANSWERED}
_CONFLICT = {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "it exists"}}
_TOO_MANY = {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "the queue is full"}}
_DATES = frozenset({"@timestamp", "window_start"})
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gte": lambda value, bound: value >= bound,
    "gt": lambda value, bound: value > bound,
    "lte": lambda value, bound: value <= bound,
    "lt": lambda value, bound: value < bound,
}
_MEASURES: dict[str, Callable[[list[Any]], Any]] = {"min": min, "max": max, "sum": sum}


class Hit(NamedTuple):
    """A document where it stands."""

    index: str
    id: str
    source: Json
    seq_no: int

    def value(self, field: str) -> Any:
        """Return the value of a field by its dotted name, times in milliseconds; None if it is absent."""
        if field == "_index":
            return self.index
        value: Any = self.source
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return rfc3339_ms(value) if value is not None and field in _DATES else value


class Elastic:
    """The cluster, and the client of it. `fault` is asked before each request, with its kind."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Hit]] = {}
        self.searchable: dict[str, dict[str, Hit]] = {}
        self.fault: Callable[[str], Fault | None] = lambda _: None
        self.indices = SimpleNamespace(refresh=self._refresh, resolve_index=self._resolve, delete=self._delete)
        self.hidden: dict[str, Json] = {}
        """Indices that cannot be read, each with Elasticsearch's answer to a search for it."""
        self.without: tuple[str, ...] = ()
        self.refused: Callable[[Json], bool] = lambda _: False
        """Whether a document to create is refused for good, as by the mapping."""
        self._chance = random.Random(1)
        self._changes = 0

    def documents(self, family: str) -> list[Json]:
        """Return the sources of all documents of a family of indices, refreshed or not."""
        return [hit.source for hit in self.hits(family)]

    def hits(self, family: str) -> list[Hit]:
        """Return these documents with where they stand."""
        return [hit for name, docs in self.stored.items() if name.startswith(family) for hit in docs.values()]

    def copy(self) -> dict[str, dict[str, Hit]]:
        """Return all documents, as a snapshot has them."""
        return {name: dict(docs) for name, docs in self.stored.items()}

    def put_back(self, copy: dict[str, dict[str, Hit]]) -> None:
        """Make `copy` all that there is."""
        self.stored, self.searchable = ({name: dict(docs) for name, docs in copy.items()} for _ in range(2))

    # The client

    def options(self, **_: Any) -> "Elastic":
        return self

    def bulk(self, operations: bytes, filter_path: str) -> Any:
        lines = [json.loads(line) for line in operations.splitlines()]
        actions = list(zip(lines[::2], lines[1::2], strict=True))

        def carry_out(fault: Fault | None) -> Any:
            some = actions[: len(actions) // 2] if fault in _HALVES else actions
            busy = fault is Fault.BUSY
            items = [_TOO_MANY if busy and self._chance.random() < 0.5 else self._act(*each) for each in some]
            answer = {"errors": any("error" in item for item in items), "items": [{"any": item} for item in items]}
            return SimpleNamespace(body=answer)

        return self._request("bulk", carry_out)

    def mget(self, docs: list[Json], **_: Any) -> Any:
        def carry_out(fault: Fault | None) -> Json:
            return {"docs": [self._get(each, fault is Fault.STALE and self._chance.random() < 0.5) for each in docs]}

        return self._request("mget", carry_out)

    def search(
        self, index: str, query: Json, size: int = 10, aggs: Json | None = None, sort: Any = (), **_: Any
    ) -> Any:
        def carry_out(_: Fault | None) -> Json:
            left = self._left(index)
            assert not self.hidden.keys() & left, "a search that waits for an index that cannot be read"
            hits = [hit for hit in self._in(self.searchable, left) if _meets(query, hit)]
            for order in reversed(sort):
                (field, descending) = _order(order)
                hits.sort(key=lambda hit: (hit.value(field) is None, hit.value(field)), reverse=descending)
            shown = [{"_index": hit.index, "_id": hit.id, "_source": hit.source, "sort": []} for hit in hits[:size]]
            answer: Json = {"hits": {"hits": shown, "total": {"value": len(hits)}}}
            return answer | ({"aggregations": _aggregate(aggs, hits)} if aggs and self.searchable else {})

        return self._request("search", carry_out)

    def msearch(self, searches: list[Json]) -> Json:
        """Answer searches for one index each."""
        names = [header["index"] for header in searches[::2]]
        return {"responses": [self.hidden.get(name, {"status": 200}) for name in names]}

    def refresh(self, index: str | list[str]) -> None:
        self._refresh(self._left(index))

    def number_of(self, index: str, query: Json) -> int:
        return Client.number_of(self, index, query)  # type: ignore[arg-type]

    def delete_by_query(self, index: str, query: Json, **_: Any) -> Any:
        def carry_out(_: Fault | None) -> Json:
            hits = [hit for hit in self._in(self.searchable, index) if _meets(query, hit)]
            for hit in hits:
                self.stored[hit.index].pop(hit.id, None)
                self.searchable[hit.index].pop(hit.id, None)
            return {"deleted": len(hits)}

        return self._request("delete_by_query", carry_out)

    def _left(self, index: str | list[str]) -> list[str]:
        patterns = [index] if isinstance(index, str) else index
        matching = (name for name in self.stored if any(fnmatchcase(name, each) for each in patterns))
        return [name for name in matching if name not in self.without]

    def _refresh(self, index: str | list[str], **_: Any) -> None:
        def carry_out(_: Fault | None) -> None:
            for name in {hit.index for hit in self._in(self.stored, index)}:
                self.searchable[name] = dict(self.stored[name])

        self._request("refresh", carry_out)

    def _resolve(self, name: list[str], **_: Any) -> Json:
        names = [each for each in self.stored if any(fnmatchcase(each, pattern) for pattern in name)]
        return {"indices": [{"name": each, "attributes": ["open"]} for each in names]}

    def _delete(self, index: list[str], **_: Any) -> None:
        def carry_out(_: Fault | None) -> None:
            for name in index:
                self.stored.pop(name, None)
                self.searchable.pop(name, None)

        self._request("delete", carry_out)

    # The cluster

    def _request(self, kind: str, carry_out: Callable[[Fault | None], Any]) -> Any:
        fault = self.fault(kind)
        if fault is Fault.KILLED_BEFORE:
            raise Crash
        answer = None if fault is Fault.LOST else carry_out(fault)
        if fault in _KILLS:
            raise Crash
        if fault in _SILENT:
            raise ConnectionTimeout("timed out")
        return answer

    def _in(self, view: dict[str, dict[str, Hit]], names: str | list[str]) -> Iterator[Hit]:
        patterns = names.split(",") if isinstance(names, str) else names
        for name, docs in view.items():
            if any(fnmatchcase(name, pattern) for pattern in patterns):
                yield from docs.values()

    def _get(self, wanted: Json, unknown: bool) -> Json:
        hit = self.stored.get(wanted["_index"], {}).get(wanted["_id"])
        if hit is None or unknown:
            return wanted | {"found": False}
        return wanted | {"found": True, "_source": hit.source, "_seq_no": hit.seq_no, "_primary_term": 1}

    def _act(self, action: Json, body: Json) -> Json:
        ((kind, where),) = action.items()
        hit = self.stored.get(where["_index"], {}).get(where["_id"])
        if kind == "create" and hit:
            return _CONFLICT
        if kind == "create" and self.refused(body):
            return {"status": 400, "error": {"type": "document_parsing_exception", "reason": "refused"}}
        source = body
        if kind == "update":
            if where.get("if_seq_no", hit and hit.seq_no) != (hit and hit.seq_no):
                return _CONFLICT
            source = _updated(hit and hit.source, body)
        self._changes += 1
        docs = self.stored.setdefault(where["_index"], {})
        docs[where["_id"]] = Hit(where["_index"], where["_id"], source, self._changes)
        return {"status": 200}


def _updated(source: Json | None, body: Json) -> Json:
    if source is None:
        upsert: Json = body["upsert"]
        return upsert
    if "doc" in body:
        return source | body["doc"]
    assert body["script"]["source"] == MERGE_SCRIPT  # what follows is that script in Python
    params = body["script"]["params"]
    if source["lineage"] == params["lineage"] and source["last_batch"] >= params["batch"]:
        return source
    taken = {"lineage": params["lineage"], "last_batch": params["batch"]}
    return source | taken | {"count": source["count"] + params["count"]}


def _order(order: Any) -> tuple[str, bool]:
    if isinstance(order, str):
        return order, False
    ((field, how),) = order.items()
    return field, how["order"] == "desc"


def _meets(query: Json, hit: Hit) -> bool:
    ((kind, body),) = query.items()
    match kind:
        case "match_all":
            return True
        case "match_none":
            return False
        case "ids":
            return hit.id in body["values"]
        case "bool":
            parts = {name: part if isinstance(part, list) else [part] for name, part in body.items()}
            should = parts.get("should")
            return (
                all(_meets(each, hit) for each in parts.get("filter", ()))
                and not any(_meets(each, hit) for each in parts.get("must_not", ()))
                and (not should or any(_meets(each, hit) for each in should))
            )
        case "exists":
            return hit.value(body["field"]) is not None
    ((field, wanted),) = body.items()
    value = hit.value(field)
    match kind:
        case "term":
            return bool(value == wanted)
        case "terms":
            return value in wanted
        case "range":
            bounds = {how: bound for how, bound in wanted.items() if how != "format"}
            return value is not None and all(_COMPARE[how](value, bound) for how, bound in bounds.items())
    raise NotImplementedError(kind)


def _aggregate(aggs: Json, hits: list[Hit]) -> Json:
    return {name: _aggregation(agg, hits) for name, agg in aggs.items()}


def _aggregation(agg: Json, hits: list[Hit]) -> Json:
    inner = agg.get("aggs", {})
    kind = next(name for name in agg if name != "aggs")
    if kind in _MEASURES:
        values = [value for hit in hits if (value := hit.value(agg[kind]["field"])) is not None]
        return {"value": float(_MEASURES[kind](values)) if values else None}
    if kind == "terms":
        groups = _groups(hits, lambda hit: hit.value(agg["terms"]["field"]))
        return {"buckets": [_bucket(key, group, inner) for key, group in groups.items() if key is not None]}
    if kind == "filter":
        within = [hit for hit in hits if _meets(agg["filter"], hit)]
        return {"doc_count": len(within)} | _aggregate(inner, within)
    if kind == "composite":
        sources = {name: how for source in agg["composite"]["sources"] for name, how in source.items()}
        found = _groups(hits, lambda hit: tuple(_composite_value(how, hit) for how in sources.values()))
        ordered = sorted(found, key=lambda key: [(part is not None, str(part).encode()) for part in key])
        return {"buckets": [_bucket(dict(zip(sources, key, strict=True)), found[key], inner) for key in ordered]}
    raise NotImplementedError(kind)


def _composite_value(how: Json, hit: Hit) -> Any:
    if "terms" in how:
        return hit.value(how["terms"]["field"])
    width = int(how["date_histogram"]["fixed_interval"].removesuffix("ms"))
    return hit.value(how["date_histogram"]["field"]) // width * width


def _groups(hits: list[Hit], key_of: Callable[[Hit], Any]) -> dict[Any, list[Hit]]:
    groups: dict[Any, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(key_of(hit), []).append(hit)
    return groups


def _bucket(key: Any, hits: list[Hit], inner: Json) -> Json:
    return {"key": key, "doc_count": len(hits)} | _aggregate(inner, hits)
