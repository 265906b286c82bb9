# SPDX-License-Identifier: Apache-2.0
"""How far a stream of events is settled, although acknowledgements come in any order."""

from collections import deque
from typing import Generic, TypeVar

P = TypeVar("P")


class Receipt:
    """Of one event: `signed` once Kafka has acknowledged it, or it is given up and counted."""

    __slots__ = ("signed",)

    def __init__(self, signed: bool = False) -> None:
        self.signed = signed


class Progress(Generic[P]):
    """Of one stream of events, such as a file: the position up to which every event is settled."""

    def __init__(self, start: P) -> None:
        self._settled = self._read = start
        self._open: deque[tuple[Receipt, P]] = deque()  # in order of reading

    @property
    def read(self) -> P:
        """The position up to which it is read."""
        return self._read

    @property
    def settled(self) -> P:
        """The position up to which nothing has to be read again."""
        while self._open and self._open[0][0].signed:
            self._settled = self._open.popleft()[1]
        return self._settled

    def taken(self, position: P) -> Receipt:
        """Return the receipt of an event, after which the source is at `position`."""
        receipt = Receipt()
        self._open.append((receipt, position))
        self._read = position
        return receipt

    def passed(self, position: P) -> None:
        """Note that the source is at `position` without a further event."""
        self._read = position
        if self._open:
            self._open.append((Receipt(signed=True), position))
        else:
            self._settled = position
