"""A client of Elasticsearch and indices of its own, for calls whose answers are compared: conformance.py."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from elasticsearch import ApiError
from login_common.elastic import error_of
from login_consumer.answers import BULK_FILTER

from exactness.queries import Json

MAPPINGS: Json = {
    "dynamic": "strict",
    "properties": {
        "@timestamp": {"type": "date"},
        "window_start": {"type": "date"},
        "count": {"type": "long"},
        "country": {"type": "keyword"},
        "last_batch": {"type": "long"},
        "lineage": {"type": "keyword"},
        "replay": {"properties": {"state": {"type": "keyword"}, "at": {"type": "date"}}},
    },
}
"""Fields as the index templates of the pipeline have them."""

NO_TIME = "no time"
"""What stands in @timestamp of a document that the mapping refuses."""

CREATED = (201, "created")
ALL: Json = {"match_all": {}}


class Calls:
    """A client, and an index of its own for each family of a row; answers without what differs by chance."""

    def __init__(self, client: Any, prefix: str) -> None:
        self.client, self._prefix = client, prefix

    def name(self, family: str) -> str:
        """Return the index, or the pattern, that a row calls `family`."""
        return f"{self._prefix}{family}"

    def bulk(self, *actions: tuple[str, str, Json], index: str = "a-1", **options: Any) -> list[tuple[int, str]]:
        """Send actions, each with an id and a body; return for each the status and its result or the error's type."""
        lines = []
        for kind, id_, body in actions:
            lines += [json.dumps({kind: {"_index": self.name(index), "_id": id_, **options}}), json.dumps(body)]
        answer = self.client.bulk(operations="".join(f"{line}\n" for line in lines).encode(), filter_path=BULK_FILTER)
        told: list[tuple[int, str]] = []
        for (kind, _, _), item in zip(actions, answer.body["items"], strict=True):
            fields = item[kind]
            told.append((fields["status"], fields["error"]["type"] if "error" in fields else fields["result"]))
        assert answer.body["errors"] == any(status >= 400 for status, _ in told)
        return told

    def create(self, *ids: str, index: str = "a-1", **fields: Any) -> None:
        """Create documents, which must succeed."""
        assert {*self.bulk(*(("create", id_, fields) for id_ in ids), index=index)} == {CREATED}

    def get(self, *ids: str, index: str = "a-1", **options: Any) -> list[Any]:
        """Return what mget answers: a source, None, or an error's type."""
        docs = self.client.mget(docs=[{"_index": self.name(index), "_id": id_} for id_ in ids], **options)["docs"]
        return [each["error"]["type"] if "error" in each else each.get("_source") for each in docs]

    def seq_no(self, id_: str) -> int:
        """Return the sequence number of the last change of a document of a-1."""
        (found,) = self.client.mget(docs=[{"_index": self.name("a-1"), "_id": id_}])["docs"]
        return int(found["_seq_no"])

    def refresh(self, *families: str) -> None:
        """Make all documents searchable."""
        names = [self.name(each) for each in families or ("a-*",)]
        self.client.indices.refresh(index=names, allow_no_indices=True)

    def found(self, query: Json, index: str = "a-*", **options: Any) -> list[str]:
        """Return the ids of the documents that meet a query, in their order if `sort` asks for one."""
        hits = self.client.search(index=self.name(index), query=query, **options)["hits"]["hits"]
        ids = [hit["_id"] for hit in hits]
        return ids if "sort" in options else sorted(ids)

    def aggregate(self, aggs: Json, index: str = "a-*") -> Any:
        """Return aggregations, None if the answer has none."""
        return bare(self.client.search(index=self.name(index), query=ALL, size=0, aggs=aggs).get("aggregations"))

    def deleted(self, query: Json, index: str = "a-*") -> tuple[int, int]:
        """Delete by query; return how many were deleted, and how many were not as they were changed since."""
        options: dict[str, Any] = {"refresh": True, "conflicts": "proceed", "allow_no_indices": True}
        told = self.client.delete_by_query(index=self.name(index), query=query, **options)
        return told["deleted"], told["version_conflicts"]

    def indices(self, pattern: str = "*") -> list[str]:
        """Return the indices that are there, without the prefix."""
        told = self.client.indices.resolve_index(name=[self.name(pattern)], expand_wildcards="open,closed")["indices"]
        assert all("open" in each["attributes"] for each in told)
        return [each["name"].removeprefix(self._prefix) for each in told]


def bare(told: Any) -> Any:
    """Return an answer without texts of numbers, and without what is told of accuracy alone."""
    if isinstance(told, dict):
        out = ("value_as_string", "key_as_string", "doc_count_error_upper_bound", "sum_other_doc_count")
        return {name: bare(each) for name, each in told.items() if name not in out}
    return [bare(each) for each in told] if isinstance(told, list) else told


def error(call: Callable[[], Any]) -> tuple[int, str]:
    """Return the status of a call and the error's type."""
    try:
        call()
    except ApiError as refused:
        return refused.meta.status, error_of(refused)[0]
    return 200, ""


class Row(NamedTuple):
    """A title, calls on indices of their own, and what they must return."""

    title: str
    calls: Callable[[Calls], Any]
    answer: Any
