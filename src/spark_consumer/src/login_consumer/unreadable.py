# SPDX-License-Identifier: Apache-2.0
"""Records that are given up unread, as each process that reads them dies: a dead letter with their place alone."""

from login_formats.reasons import Reason, Rejected

from login_consumer.counts import Counts, OffsetRange
from login_consumer.documents import (
    DEAD_LETTERS,
    EVENTS,
    Document,
    Origin,
    Topic,
    count_windows,
    dead_letter,
)
from login_consumer.fates import first_fates
from login_consumer.sink import Sink, none_refused
from login_consumer.tries import MOST_DEATHS, Piece
from login_consumer.windows import refresh


def give_up(sink: Sink, topic: Topic, place: Piece, moment: int, ingested: int, window_ms: int) -> Counts:
    """Account for the record at `place`, an offset, without reading it; what it has become before it stays.

    Kafka's own time for it is not known without reading it, so `moment` stands for it: when the batch was planned, the
    same however often it is repeated. All times in milliseconds. Raises Unavailable.
    """
    partition, offset = place.partition, place.first
    counts = Counts(read=1, offsets={partition: [OffsetRange(*place[1:])]})
    refresh(sink, EVENTS, DEAD_LETTERS)
    fate = first_fates(sink, topic, {partition: place.next}, [(partition, offset)]).get((partition, offset))
    if fate and fate.event:
        counts.indexed = 1
        counts.windows.update(count_windows([fate.event], window_ms))
    elif fate and fate.reason == Reason.UNRECOGNISED:
        counts.unrecognised = counts.unrecognised_kept = 1
    else:
        if not fate:
            none_refused(sink.create([_letter(Origin(topic, partition, offset, moment), ingested)]), "a dead letter")
        counts.dead[fate.reason if fate else str(Reason.UNREADABLE)] += 1
    return counts


def _letter(origin: Origin, ingested: int) -> Document:
    detail = f"{MOST_DEATHS} times the consumer died while it read this record alone; nothing of it is kept"
    return dead_letter(Rejected(Reason.UNREADABLE, detail), None, origin, ingested)
