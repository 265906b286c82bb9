# SPDX-License-Identifier: Apache-2.0
"""Bulk requests whose every item is accounted for: taken, met already, or asked again; `answers` says which."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from elasticsearch import ApiError, AuthenticationException
from login_common.elastic import BUSY, FAILURES, Client, Unavailable, cause, connect, error_of, status_cause

from login_consumer.answers import BULK_FILTER, Innocent, Item, index_of, read_items
from login_consumer.documents import STORED_FIELDS, Document, Stored
from login_consumer.settings import Elasticsearch as ElasticsearchSettings

T = TypeVar("T")

_FIRST_DELAY_S, _LAST_DELAY_S = 0.1, 10.0


def none_refused(items: Iterable[Item], what: str) -> None:
    """Raise Unavailable if a document of our own was refused: its index is at fault, not a record."""
    for item in items:
        if item.refused:
            raise Unavailable(f"{what} was refused ({item.kind}: {item.reason}); see its index and template")


def in_bulks(lines: Sequence[bytes], limit: int) -> Iterator[slice]:
    """Yield slices of `lines` of at most `limit` bytes each; a longer line stands alone."""
    start = size = 0
    for end, line in enumerate(lines):
        if size + len(line) > limit and end > start:
            yield slice(start, end)
            start, size = end, 0
        size += len(line)
    if start < len(lines):
        yield slice(start, len(lines))


class Sink:
    """Writes and looks up documents; repeats what is worth repeating for `retry_seconds`, then gives up.

    One for a process; its methods may run in several threads.
    """

    def __init__(self, settings: ElasticsearchSettings) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._innocent = Innocent()
        self._without: tuple[str, ...] = ()

    def create(self, documents: Sequence[Document]) -> list[Item]:
        """Create `documents`; return for each an item that is taken, exists or refused.

        Raises Unavailable.
        """
        return self.bulk([document.action() for document in documents], conflict_is_answer=True)

    def bulk(self, lines: Sequence[bytes], conflict_is_answer: bool = False) -> list[Item]:
        """Send bulk `lines` (each one action with its source); return an item for each, in their order.

        Items for which Elasticsearch is too busy are sent again, and only those.
        Raises Unavailable, at once where an operator has to help.
        """
        items: list[Item] = []
        for part in in_bulks(lines, self._settings.bulk_bytes):
            items += self._until_answered(lines[part], conflict_is_answer)
        return items

    def _until_answered(self, lines: Sequence[bytes], conflict_is_answer: bool) -> list[Item]:
        answers: dict[int, Item] = {}

        def attempt() -> str:
            open_ = [index for index in range(len(lines)) if index not in answers]
            sent = [lines[index] for index in open_]
            items = self._send(sent)
            if fault := self._innocent.fault(sent, items):
                raise Unavailable(fault)
            why = ""
            for index, item in zip(open_, items, strict=True):
                if item.taken or item.refused or (item.exists and conflict_is_answer):
                    answers[index] = item
                elif item.passes:
                    why = status_cause(*item)
                else:
                    raise Unavailable(f"{status_cause(*item)} (index {index_of(lines[index])})")
            return why

        self._repeat(attempt)
        return [answers[index] for index in range(len(lines))]

    def _send(self, lines: Sequence[bytes]) -> list[Item]:
        body: Any = b"".join(lines)  # the client passes bytes on as they are; its signature says otherwise
        try:
            answer = self.client().bulk(operations=body, filter_path=BULK_FILTER)
        except ApiError as error:
            # 413: too large for Elasticsearch or a proxy before it; 400: one action spoils the whole request
            if error.meta.status not in (400, 413):
                raise
            if len(lines) == 1:
                return [Item(error.meta.status, *error_of(error))]
            half = len(lines) // 2
            return self._send(lines[:half]) + self._send(lines[half:])
        return read_items(answer.body, len(lines))

    def put(self, lines: Sequence[bytes], what: str) -> None:
        """Send bulk `lines` of our own documents; `what` names one of them.

        Raises Unavailable, also if one is refused.
        """
        none_refused(self.bulk(lines), what)

    def stored(self, documents: Sequence[Document]) -> list[Stored]:
        """Return what is stored under the id of each of these events, which must exist. Raises Unavailable."""
        return [Stored.of(source) for source in self.sources(documents, STORED_FIELDS)]

    def sources(self, documents: Sequence[Document], fields: Sequence[str]) -> list[dict[str, Any]]:
        """Return `fields` of what is stored under the id of each of these documents, which must exist.

        Right after a conflict a replica may not know the document yet: it is asked for again.
        Raises Unavailable.
        """
        if not documents:
            return []
        wanted = [{"_index": document.target, "_id": document.id} for document in documents]
        found: dict[tuple[str, str], dict[str, Any]] = {}

        def attempt() -> str:
            answer = self.client().mget(docs=wanted, source_includes=list(fields))
            for each in answer["docs"]:
                if each.get("found"):
                    found[each["_index"], each["_id"]] = each["_source"]
            missing = sum((document.target, document.id) not in found for document in documents)
            return f"{missing} documents exist but cannot be read; see the state of their indices" if missing else ""

        self._repeat(attempt)
        return [found[document.target, document.id] for document in documents]

    def ask(self, request: Callable[[Client], T]) -> T:
        """Return the result of `request`, repeated while Elasticsearch is busy or away.

        Raises Unavailable.
        """
        results: list[T] = []

        def attempt() -> str:
            results.append(request(self.client()))
            return ""

        self._repeat(attempt)
        return results[0]

    def client(self) -> Client:
        """Return the client, made at first use so that a key or CA that changed on disk is read again."""
        client = self._client  # another thread may drop it meanwhile
        if client is None:
            client = self._client = connect(self._settings)
            client.without = self._without
        return client

    def leave_out(self, indices: Iterable[str]) -> None:
        """Let searches leave out these indices from now on, so that the others are told whole."""
        self._without = tuple(indices)
        if self._client is not None:
            self._client.without = self._without

    def _repeat(self, attempt: Callable[[], str]) -> None:
        """Call `attempt` until it returns no reason to do so again. Raises Unavailable when time is up."""
        deadline = time.monotonic() + self._settings.retry_seconds
        delay = _FIRST_DELAY_S
        while True:
            try:
                why = attempt()
            except FAILURES as error:
                why = cause(error)
                if isinstance(error, AuthenticationException):
                    self._client = None
                if isinstance(error, ApiError) and error.meta.status not in BUSY:
                    raise Unavailable(why) from error
            if not why:
                return
            if time.monotonic() + delay > deadline:
                raise Unavailable(why)
            time.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311  (spreads the workers, no secret)
            delay = min(delay * 2, _LAST_DELAY_S)
