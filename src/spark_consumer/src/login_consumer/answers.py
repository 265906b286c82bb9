# SPDX-License-Identifier: Apache-2.0
"""What Elasticsearch's answer to one action of a bulk request means: for the document, or for its index."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from login_common.elastic import BUSY

BULK_FILTER = (
    "errors,items.*.status,items.*.result,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
)

# All that can be a document's own fault, by error type. What is not named here is a fault of the index, of a pipeline
# or of the cluster: the documents wait for an operator, and none of them becomes a dead letter.
_OWN_FAULTS = frozenset(
    {
        "document_parsing_exception",
        "mapper_parsing_exception",  # the name of the same before Elasticsearch 8.8
        "strict_dynamic_mapping_exception",
        "json_parse_exception",
        "x_content_parse_exception",
    }
)
# These types stand for much else, so that their texts decide.
_OWN_FAULTS_BY_TEXT = {
    "illegal_argument_exception": "immense term",
    "action_request_validation_exception": "is too long, must be no longer than",
}

_TOO_LARGE = 413

# So many documents of an index, or so large a part of a request, are not at fault all alike: they were validated before
# they were sent. It is the index that does not take them.
_NOT_BY_CHANCE = 10
_NEARLY_ALL = 0.9


class Item(NamedTuple):
    """Elasticsearch's answer for one document."""

    status: int
    kind: str = ""
    reason: str = ""

    @property
    def taken(self) -> bool:
        """Whether the document, or the update of it, is in."""
        return self.status in (200, 201) and not self.kind

    @property
    def exists(self) -> bool:
        """Whether a document with this id was there before."""
        return self.status == 409

    @property
    def refused(self) -> bool:
        """Whether it is the document's own fault, so that asking again is vain."""
        if self.status != 400:
            return self.status == _TOO_LARGE
        sign = _OWN_FAULTS_BY_TEXT.get(self.kind)
        return self.kind in _OWN_FAULTS or (sign is not None and sign in self.reason)

    @property
    def passes(self) -> bool:
        """Whether the trouble passes by itself, so that asking again soon is worth while."""
        # 409: another writer of the document was quicker. A block waits for an operator, also one told as 429.
        return self.status in BUSY | {409} and "cluster_block" not in self.kind


CREATED = Item(201)


def read_items(answer: dict[str, Any], count: int) -> list[Item]:
    """Return the items of a bulk answer (filtered by BULK_FILTER) to `count` actions.

    Raises ValueError if it does not hold one item for each action.
    """
    items = [_item(*pair) for item in answer.get("items", ()) for pair in item.items()]
    if len(items) != count:
        raise ValueError(f"Elasticsearch answered {len(items)} items to {count} actions")
    return items


def _item(action: str, fields: dict[str, Any]) -> Item:
    status = fields["status"]
    if status == 201:
        return CREATED
    error = fields.get("error")
    if error:
        deeper = error.get("caused_by", {}).get("reason")
        reason = f"{error.get('reason', '')}: {deeper}" if deeper else error.get("reason", "")
        return Item(status, error.get("type", ""), reason)
    # The answer 200 to a create, or noop to an index action: an ingest pipeline has dropped the document. The script of
    # an update may decide so itself.
    if action == "create" or (action == "index" and fields.get("result") == "noop"):
        return Item(status, "dropped", "an ingest pipeline drops documents; remove the index's pipeline")
    return Item(status)


def index_of(line: bytes) -> str:
    """Return the index that a bulk line (an action with its source) is for."""
    (action,) = orjson.loads(line.split(b"\n", 1)[0]).values()
    return str(action["_index"])


class Innocent:
    """Tells documents at fault from an index at fault, over the requests of one process."""

    def __init__(self) -> None:
        self._in_a_row: dict[str, tuple[str, set[bytes]]] = {}
        """Of each index that took nothing since: for what it refuses documents in a row, and which ones. A document
        that is asked again, because its batch is repeated, counts once."""

    def fault(self, lines: Sequence[bytes], items: Sequence[Item]) -> str:
        """Return why an index is at fault that refuses these `lines`; nothing if the documents themselves are."""
        if not self._in_a_row and not any(item.refused for item in items):
            return ""
        indices = [index_of(line) for line in lines]
        sent = Counter(indices)
        takes = {index for index, item in zip(indices, items, strict=True) if item.taken or item.exists}
        for index in takes:
            self._in_a_row.pop(index, None)
        refused: Counter[tuple[str, str]] = Counter()
        reasons: dict[tuple[str, str], str] = {}
        for line, index, item in zip(lines, indices, items, strict=True):
            if item.refused:
                kind = item.kind or str(item.status)
                refused[index, kind] += 1
                reasons[index, kind] = item.reason
                if index not in takes:
                    self._add(index, kind, line)
        for (index, kind), number in refused.items():
            last, row = self._in_a_row.get(index, ("", set()))
            nearly_all = number >= _NOT_BY_CHANCE and number >= _NEARLY_ALL * sent[index]
            if nearly_all or (last == kind and len(row) >= _NOT_BY_CHANCE):
                return (
                    f"index {index} is at fault, not the records: it refuses {max(number, len(row))} documents for one "
                    f"reason ({kind}: {reasons[index, kind]}); 'login-consumer check' compares its fields and its "
                    "template with what the playbook makes"
                )
        return ""

    def _add(self, index: str, kind: str, line: bytes) -> None:
        before, row = self._in_a_row.get(index, (kind, set()))
        row = row if kind == before else set()
        if len(row) < _NOT_BY_CHANCE:
            row.add(line.split(b"\n", 1)[0])
        self._in_a_row[index] = (kind, row)
