"""What Elasticsearch answers to the calls that the consumer makes: one table, for the fake and for the real one.

tests/unit/support/test_conformance.py holds it against the fake, tests/pipeline/test_conformance.py against that of a
deployed host. A call that the consumer comes to make belongs here, before the random histories rely on it. Points in
time and rights are not compared: the first are for commands alone, the second are tested on real services.
"""

from typing import Any

from login_consumer.documents import MERGE_SCRIPT

from exactness.calls import ALL, CREATED, NO_TIME, Calls, Row, error
from exactness.searches import SEARCHES

_UPDATED, _SAME = (200, "updated"), (200, "noop")
_CONFLICT = (409, "version_conflict_engine_exception")
_REFUSED = (400, "document_parsing_exception")
_NO_DOCUMENT = (404, "document_missing_exception")
_NO_INDEX = (404, "index_not_found_exception")
_SENT = {"state": "sent", "at": "2026-03-01T10:00:00.000Z"}


def _conflicts(on: Calls) -> Any:
    first = on.bulk(("create", "a", {"count": 1}), ("create", "a", {"count": 2}), ("create", "b", {"count": 3}))
    return first, on.bulk(("create", "a", {"count": 4})), on.get("a", "b")


def _refused(on: Calls) -> Any:
    bad = {"@timestamp": NO_TIME}
    first = on.bulk(("create", "a", {"count": 1}), ("create", "b", bad), ("create", "c", {"count": 1}))
    # it is parsed before its id is looked up, and what is there stays
    return first, on.bulk(("create", "a", bad)), on.bulk(("index", "c", bad)), on.get("a", "b", "c")


def _refused_alone(on: Calls) -> Any:
    return on.bulk(("create", "a", {"@timestamp": NO_TIME})), on.indices(), on.get("a")


def _replaced(on: Calls) -> Any:
    first = on.bulk(("index", "a", {"count": 1, "country": "DE"}))
    before = on.seq_no("a")
    again = on.bulk(("index", "a", {"count": 1}), ("index", "a", {"count": 1}))
    return first, again, on.get("a"), on.seq_no("a") - before


def _merged(on: Calls) -> Any:
    def merge(lineage: str, batch: int, count: int) -> tuple[tuple[int, str], bool]:
        taken = {"lineage": lineage, "last_batch": batch, "count": count}
        before = on.seq_no("a") if on.get("a") != [None] else -1
        params = {"lineage": lineage, "batch": batch, "count": count}
        (item,) = on.bulk(("update", "a", {"script": {"source": MERGE_SCRIPT, "params": params}, "upsert": taken}))
        return item, on.seq_no("a") > before

    on.create("other")
    told = [merge("one", 1, 5), merge("one", 2, 3), merge("one", 2, 3), merge("one", 1, 9), merge("two", 0, 1)]
    return told, on.get("a")


def _partial(on: Calls) -> Any:
    on.create("a", replay={"state": "sending", "at": "2026-03-01T10:00:00.000Z"})
    before = on.seq_no("a")
    objects = on.bulk(("update", "a", {"doc": {"replay": {"state": "sent"}}}), retry_on_conflict=3)
    merged, changed = on.get("a"), on.seq_no("a") - before
    same = on.bulk(("update", "a", {"doc": {"replay": {"state": "sent"}}}))
    unchanged = on.seq_no("a") - before
    return objects, merged, changed, same, unchanged, on.bulk(("update", "a", {"doc": {"replay": None}})), on.get("a")


def _if_seq_no(on: Calls) -> Any:
    on.create("a", count=1)
    known = {"if_seq_no": on.seq_no("a"), "if_primary_term": 1}
    first, second = (on.bulk(("update", "a", {"doc": {"count": n}}), **known) for n in (2, 3))
    return first, second, on.get("a"), on.bulk(("update", "b", {"doc": {"count": 4}}), **known)


def _replaced_if_seq_no(on: Calls) -> Any:
    on.create("a", count=1)
    known = {"if_seq_no": on.seq_no("a"), "if_primary_term": 1}
    first, second = (on.bulk(("index", "a", {"count": n}), **known) for n in (2, 3))
    return first, second, on.get("a"), on.bulk(("index", "b", {"count": 4}), **known)


def _no_document(on: Calls) -> Any:
    return on.bulk(("update", "a", {"doc": {"count": 1}})), on.indices(), on.get("a")


def _visible(on: Calls) -> Any:
    on.create("a", "b", count=1)
    before = on.found(ALL), on.get("a"), on.aggregate({"least": {"min": {"field": "count"}}})
    on.refresh()
    on.bulk(("index", "a", {"count": 7}))
    # a search shows the document as it was
    hits = on.client.search(index=on.name("a-*"), query={"ids": {"values": ["a"]}})["hits"]["hits"]
    return before, on.found(ALL), [hit["_source"] for hit in hits], on.get("a")


def _no_index(on: Calls) -> Any:
    on.create("a", index="b-1")
    on.refresh("c-*")
    least = {"least": {"min": {"field": "count"}}}
    return on.found(ALL), on.aggregate(least), on.deleted(ALL), on.get("a"), on.client.number_of(on.name("a-*"), ALL)


def _missing_by_name(on: Calls) -> Any:
    on.create("a")
    return [
        error(lambda: on.client.search(index=on.name("b-1"), query=ALL)),
        error(lambda: on.refresh("a-1", "b-1")),
        error(lambda: on.client.indices.delete(index=[on.name("b-1")])),
        error(lambda: on.client.indices.delete(index=[on.name("b-1")], ignore_unavailable=True)),
    ]


def _deleted_index(on: Calls) -> Any:
    for index in ("b-1", "a-2", "a-1"):
        on.create("a", index=index)
    before = on.indices()
    on.client.indices.delete(index=[on.name("a-1"), on.name("b-1")], ignore_unavailable=True)
    return before, on.indices(), on.indices("a-*"), on.get("a"), on.get("a", index="a-2")


def _deleted_by_query(on: Calls) -> Any:
    on.create("a", "b", "c", count=1)
    on.create("d", count=2)
    on.refresh()
    on.bulk(("index", "b", {"count": 2}))  # changed since the refresh, so it is left
    on.create("e", count=1)  # not to be seen by the search
    told = on.deleted({"term": {"count": 1}})
    # and what was changed is searchable now
    return told, on.get("a", "b", "c", "d", "e"), on.found({"term": {"count": 1}}), on.found({"term": {"count": 2}})


def _nothing_to_delete(on: Calls) -> Any:
    on.create("a", count=1)
    return on.deleted(ALL), on.found(ALL), on.get("a")


_WRITES = (
    Row(
        "a create of what is there is a conflict, also within one request, and the first one stays",
        _conflicts,
        ([CREATED, _CONFLICT, CREATED], [_CONFLICT], [{"count": 1}, {"count": 3}]),
    ),
    Row(
        "of a bulk request what is refused is left out, and all else is done",
        _refused,
        ([CREATED, _REFUSED, CREATED], [_REFUSED], [_REFUSED], [{"count": 1}, None, {"count": 1}]),
    ),
    Row("an index is made for a document that is refused", _refused_alone, ([_REFUSED], ["a-1"], [None])),
    Row(
        "an index action replaces the whole document, each time",
        _replaced,
        ([CREATED], [_UPDATED, _UPDATED], [{"count": 1}], 2),
    ),
    Row(
        "a window takes each batch of a lineage once; what changes nothing gets no number",
        _merged,
        (
            [(CREATED, True), (_UPDATED, True), (_SAME, False), (_SAME, False), (_UPDATED, True)],
            [{"lineage": "two", "last_batch": 0, "count": 9}],
        ),
    ),
    Row(
        "a partial document is merged into objects; what changes nothing gets no number",
        _partial,
        ([_UPDATED], [{"replay": _SENT}], 1, [_SAME], 1, [_UPDATED], [{"replay": None}]),
    ),
    Row(
        "an update of another version is a conflict, an update of no document an error",
        _if_seq_no,
        ([_UPDATED], [_CONFLICT], [{"count": 2}], [_NO_DOCUMENT]),
    ),
    Row(
        "a replacement of another version, or of no document, is a conflict",
        _replaced_if_seq_no,
        ([_UPDATED], [_CONFLICT], [{"count": 2}], [_CONFLICT]),
    ),
    Row("an update of no document makes the index alone", _no_document, ([_NO_DOCUMENT], ["a-1"], [None])),
    Row(
        "mget sees what was written, a search what was refreshed",
        _visible,
        (([], [{"count": 1}], {"least": {"value": None}}), ["a", "b"], [{"count": 1}], [{"count": 7}]),
    ),
    Row(
        "a family without an index has no documents, and no aggregations",
        _no_index,
        ([], None, (0, 0), [_NO_INDEX[1]], 0),
    ),
    Row(
        "an index that is named must be there",
        _missing_by_name,
        [_NO_INDEX, _NO_INDEX, _NO_INDEX, (200, "")],
    ),
    Row(
        "an index goes with its documents",
        _deleted_index,
        (["a-1", "a-2", "b-1"], ["a-2"], ["a-2"], [_NO_INDEX[1]], [{}]),
    ),
    Row(
        "delete_by_query deletes what a search sees and nobody has changed since, then refreshes",
        _deleted_by_query,
        ((2, 1), [None, {"count": 2}, None, {"count": 2}, {"count": 1}], ["e"], ["b", "d"]),
    ),
    Row(
        "delete_by_query that finds nothing makes nothing searchable", _nothing_to_delete, ((0, 0), [], [{"count": 1}])
    ),
)

TABLE = (*_WRITES, *SEARCHES)
