# SPDX-License-Identifier: Apache-2.0
"""What an audit can still compare while some indices cannot be read, or are gone."""

from collections.abc import Iterable, Mapping

from login_common.elastic import Client
from login_common.readable import indices

from login_consumer.counts import missing
from login_consumer.documents import EVENTS, FAMILIES, METRICS, PIPELINE, index_name
from login_consumer.periods import Index
from login_consumer.windows import Span


class LeftOut:
    """The indices that searches leave out, and those that should be there and are not."""

    def __init__(self, found: Mapping[str, str]) -> None:
        """Take what readable.indices has found."""
        self._there = set(found)
        self.unreadable = {name: why for name, why in found.items() if why}
        self._dated = [index for index in map(Index.of, self.unreadable) if index]
        self.missing: list[Index] = []

    @classmethod
    def ask(cls, client: Client) -> "LeftOut":
        """Look at the indices of all families. Raises the client's own errors."""
        return cls(indices(client, [f"{family}-*" for family in FAMILIES]))

    def expect(self, events: Iterable[Index]) -> None:
        """Note which of these indices of events, that accounts tell of, and of their windows are not there."""
        wanted = dict.fromkeys(events)
        windows = [Index.of(index_name(METRICS, each.span.first)) for each in wanted]
        self.missing = [each for each in dict.fromkeys([*wanted, *windows]) if each and each.name not in self._there]

    def of(self, family: str) -> list[str]:
        """Return the names of a family that cannot be read."""
        return [name for name in self.unreadable if name.startswith(f"{family}-")]

    def hides(self, name: str) -> bool:
        """Return whether the documents of this index are not seen."""
        return name in self.unreadable or any(each.name == name for each in self.missing)

    def seen(self, span: Span) -> list[Span]:
        """Return the parts of `span` whose events and windows can all be read."""
        hidden = [each.span for each in (*self._dated, *self.missing) if each.family in (EVENTS, METRICS)]
        return missing(span, hidden)

    def may_hide_newer(self, account: str) -> bool:
        """Return whether accounts after one in the index `account` may be hidden; "" is none of all."""
        index = Index.of(account)
        hidden = [each for each in self._dated if each.family == PIPELINE]
        return any(index is None or each.span.first >= index.span.first for each in hidden)


def as_lines(unreadable: Mapping[str, str]) -> list[str]:
    """Return what a person is told of indices that cannot be read."""
    return [f"{name} is {why}" for name, why in unreadable.items()]
