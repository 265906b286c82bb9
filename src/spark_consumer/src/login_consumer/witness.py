# SPDX-License-Identifier: Apache-2.0
"""Whether the clock may be trusted before something is deleted by its age.

A clock that jumps ahead makes all data old at once. The accounts of the batches are the witness: besides a young one
there must be one from the days before. After a jump there is none of these, also when the consumer has already written
accounts by the wrong clock, so an operator has that many days to notice.
"""

from login_common.elastic import Client
from login_common.times import iso

from login_consumer.checkpoint import CheckpointError
from login_consumer.documents import PIPELINE

_DAY_MS = 86_400_000


class ClockDoubted(CheckpointError):
    """The clock may be ahead, so nothing was deleted by its age; an operator has to decide."""


def doubt(client: Client, now: int, days: int) -> str:
    """Return why the clock that says `now` (milliseconds since 1970) may be ahead by more than `days`, or nothing.

    Raises the client's own errors.
    """
    if not _accounts(client, now - days * _DAY_MS, None):
        why = f"no batch was written in the {days} days before it"
    elif not _accounts(client, now - 2 * days * _DAY_MS, now - days * _DAY_MS):
        why = f"batches were written in the {days} days before it, but none in the {days} days before those"
    else:
        return ""
    return (
        f"the clock says {iso(now)}, but {why}: it may be ahead. Nothing was deleted. Compare it ('timedatectl'); if "
        "it is right, as after a long stop of the consumer, wait until batches have been written for that long, or run "
        "the command once with --force"
    )


def _accounts(client: Client, first: int, after: int | None) -> int:
    span: dict[str, object] = {"gte": first, "format": "epoch_millis"} | ({} if after is None else {"lt": after})
    return client.number_of(f"{PIPELINE}-*", {"range": {"@timestamp": span}})
