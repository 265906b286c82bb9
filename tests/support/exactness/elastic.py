"""The part of Elasticsearch that the consumer uses, in memory; each request can meet a fault.

Searches see documents as of the last refresh, get requests as they are. Documents are replaced, never changed in place.
The calls of conformance.py are answered by this one and by the real one alike.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any

from elastic_transport import ApiResponseMeta, ConnectionTimeout, HttpHeaders, NodeConfig
from elasticsearch import NotFoundError
from login_common.elastic import Client
from login_consumer.documents import MERGE_SCRIPT

from exactness.queries import Hit, Json, aggregate, in_order, meets, shown


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
    LATE = "it is carried out later, when its client has given it up"
    STALE = "a replica answers that does not have all documents yet"


_KILLS = {Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.KILLED_HALFWAY}
_SILENT = {Fault.LOST, Fault.UNANSWERED, Fault.HALF_UNANSWERED, Fault.LATE}
_HALVES = {Fault.KILLED_HALFWAY, Fault.HALF_UNANSWERED}
_CONFLICT = {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "it exists"}}
_MISSING = {"status": 404, "error": {"type": "document_missing_exception", "reason": "it is missing"}}
_TOO_MANY = {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "the queue is full"}}


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
        """Whether a document is refused for good, as by the mapping."""
        self.happened: Counter[str] = Counter()
        """The faults that requests have met, by their names."""
        self.changes = 0
        """How often a document was written."""
        self._late: list[Callable[[], Any]] = []
        self._chance = random.Random(1)
        self._points: list[dict[str, dict[str, Hit]]] = []

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

    def arrive(self) -> None:
        """Carry out what is late."""
        late, self._late = self._late, []
        for each in late:
            each()

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
            kinds = [kind for action, _ in some for kind in action]
            told = [{kind: item} for kind, item in zip(kinds, items, strict=True)]
            return SimpleNamespace(body={"errors": any("error" in item for item in items), "items": told})

        # What writes whole windows, a rebuild, must not be late: see docs/exactly-once.md, "What is not noticed".
        can_be_late = all("index" not in action for action in lines[::2])
        return self._request("bulk", carry_out, can_be_late)

    def mget(self, docs: list[Json], source_includes: list[str] | None = None) -> Any:
        def carry_out(fault: Fault | None) -> Json:
            stale = [fault is Fault.STALE and self._chance.random() < 0.5 for _ in docs]
            return {"docs": [self._get(*each, source_includes) for each in zip(docs, stale, strict=True)]}

        return self._request("mget", carry_out)

    def search(
        self,
        index: str = "*",
        query: Json | None = None,
        size: int = 10,
        aggs: Json | None = None,
        sort: Sequence[Any] = (),
        search_after: list[Any] | None = None,
        source_includes: list[str] | None = None,
        source_excludes: Sequence[str] = (),
        track_total_hits: bool = True,
        seq_no_primary_term: bool = False,
        pit: Json | None = None,
    ) -> Any:
        def carry_out(_: Fault | None) -> Json:
            view = self._points[int(pit["id"])] if pit else self.searchable
            there = [name for name in self._left(index) if name in view] if pit else self._left(index)
            assert not self.hidden.keys() & there, "a search that waits for an index that cannot be read"
            hits = [hit for hit in self._in(view, there) if meets(query or {"match_all": {}}, hit)]
            found = in_order(hits, sort)
            if search_after is not None:
                found = found[[values for _, values in found].index(search_after) + 1 :]
            told = [
                {"_index": hit.index, "_id": hit.id, "_source": shown(hit.source, source_includes, source_excludes)}
                | ({"sort": values} if sort else {})
                | ({"_seq_no": hit.seq_no, "_primary_term": 1} if seq_no_primary_term else {})
                for hit, values in found[:size]
            ]
            answer: Json = {"hits": {"hits": told} | ({"total": {"value": len(hits)}} if track_total_hits else {})}
            # without an index there are none, of an index without documents there are
            return answer | ({"aggregations": aggregate(aggs, hits)} if aggs and there else {})

        return self._request("search", carry_out)

    def open_point_in_time(self, index: str, keep_alive: str) -> Json:
        there = self._left(index)
        self._points.append({name: dict(docs) for name, docs in self.searchable.items() if name in there})
        return {"id": str(len(self._points) - 1)}

    def close_point_in_time(self, id: str) -> None: ...

    def msearch(self, searches: list[Json]) -> Json:
        """Answer searches for one index each."""
        names = [header["index"] for header in searches[::2]]
        return {"responses": [self.hidden.get(name, {"status": 200}) for name in names]}

    def refresh(self, index: str | list[str]) -> None:
        self._refresh(self._left(index))

    def number_of(self, index: str, query: Json) -> int:
        return Client.number_of(self, index, query)  # type: ignore[arg-type]

    def delete_by_query(self, index: str, query: Json, refresh: bool, conflicts: str, allow_no_indices: bool) -> Any:
        assert (refresh, conflicts, allow_no_indices) == (True, "proceed", True), "otherwise it is not made here"

        def carry_out(_: Fault | None) -> Json:
            hits = [hit for hit in self._in(self.searchable, index) if meets(query, hit)]
            # what was changed since the refresh is left
            same = [hit for hit in hits if self.stored[hit.index].get(hit.id) is hit]
            for hit in same:
                del self.stored[hit.index][hit.id]
            for name in {hit.index for hit in same}:
                self.searchable[name] = dict(self.stored[name])
            return {"deleted": len(same), "version_conflicts": len(hits) - len(same)}

        return self._request("delete_by_query", carry_out)

    def _left(self, index: str | list[str]) -> list[str]:
        return [name for name in self._names(index) if name not in self.without]

    def _refresh(self, index: str | list[str], **_: Any) -> None:
        def carry_out(_: Fault | None) -> None:
            for name in self._names(index):
                self.searchable[name] = dict(self.stored[name])

        self._request("refresh", carry_out)

    def _resolve(self, name: list[str], **_: Any) -> Json:
        return {"indices": [{"name": each, "attributes": ["open"]} for each in sorted(self._names(name))]}

    def _delete(self, index: list[str], ignore_unavailable: bool = False) -> None:
        def carry_out(_: Fault | None) -> None:
            for name in [each for each in index if each in self.stored] if ignore_unavailable else self._names(index):
                self.stored.pop(name, None)
                self.searchable.pop(name, None)

        self._request("delete", carry_out)

    # The cluster

    def _request(self, kind: str, carry_out: Callable[[Fault | None], Any], can_be_late: bool = False) -> Any:
        fault = self.fault(kind)
        if fault:
            self.happened[fault.name if fault is not Fault.LATE or can_be_late else Fault.LOST.name] += 1
        if self._late and self._chance.random() < 0.3:
            self.arrive()
        if fault is Fault.KILLED_BEFORE:
            raise Crash
        if fault is Fault.LATE and can_be_late:
            self._late.append(lambda: carry_out(None))
        answer = None if fault in {Fault.LOST, Fault.LATE} else carry_out(fault)
        if fault in _KILLS:
            raise Crash
        if fault in _SILENT:
            raise ConnectionTimeout("timed out")
        return answer

    def _names(self, asked: str | list[str]) -> list[str]:
        """Return the indices that are meant. Raises NotFoundError if one that is named without a star is not there."""
        patterns = asked.split(",") if isinstance(asked, str) else asked
        if missing := [each for each in patterns if "*" not in each and each not in self.stored]:
            raise _not_found(missing[0])
        return [name for name in self.stored if any(fnmatchcase(name, pattern) for pattern in patterns)]

    def _in(self, view: dict[str, dict[str, Hit]], names: str | list[str]) -> Iterator[Hit]:
        for name in self._names(names):
            yield from view.get(name, {}).values()

    def _get(self, wanted: Json, unknown: bool, includes: list[str] | None) -> Json:
        if wanted["_index"] not in self.stored:
            return wanted | {"error": {"type": "index_not_found_exception", "reason": "no such index"}}
        hit = self.stored[wanted["_index"]].get(wanted["_id"])
        if hit is None or unknown:
            return wanted | {"found": False}
        source = shown(hit.source, includes)
        return wanted | {"found": True, "_source": source, "_seq_no": hit.seq_no, "_primary_term": 1}

    def _act(self, action: Json, body: Json) -> Json:
        ((kind, where),) = action.items()
        docs = self.stored.setdefault(where["_index"], {})  # made, whatever becomes of the document
        hit = docs.get(where["_id"])
        source = body
        if kind == "update" and hit is None and "upsert" not in body:
            return _MISSING
        if where.get("if_seq_no", hit and hit.seq_no) != (hit and hit.seq_no):
            return _CONFLICT
        if kind == "update":
            source = _updated(hit and hit.source, body)
            if hit and source == hit.source:
                return {"status": 200, "result": "noop"}
        if self.refused(source):  # it is parsed before its id is looked up
            return {"status": 400, "error": {"type": "document_parsing_exception", "reason": "refused"}}
        if kind == "create" and hit:
            return _CONFLICT
        self.changes += 1
        docs[where["_id"]] = Hit(where["_index"], where["_id"], source, self.changes)
        return {"status": 200, "result": "updated"} if hit else {"status": 201, "result": "created"}


def _not_found(index: str) -> NotFoundError:
    meta = ApiResponseMeta(404, "1.1", HttpHeaders(), 0.0, NodeConfig("https", "fake", 9200))
    error = {"type": "index_not_found_exception", "reason": f"no such index [{index}]"}
    return NotFoundError(error["type"], meta, {"error": error, "status": 404})


def _merged(source: Json, changes: Json) -> Json:
    """Return a document with the changes of a partial one: objects are merged, all else is replaced."""
    merged = dict(source)
    for name, value in changes.items():
        old = source.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _updated(source: Json | None, body: Json) -> Json:
    if source is None:
        upsert: Json = body["upsert"]
        return upsert
    if "doc" in body:
        return _merged(source, body["doc"])
    assert body["script"]["source"] == MERGE_SCRIPT  # what follows is that script in Python
    params = body["script"]["params"]
    if source["lineage"] == params["lineage"] and source["last_batch"] >= params["batch"]:
        return source
    taken = {"lineage": params["lineage"], "last_batch": params["batch"]}
    return source | taken | {"count": source["count"] + params["count"]}
