# SPDX-License-Identifier: Apache-2.0
"""Whether a snapshot can be read whole: each index is restored under another name, and removed again.

That reads each file that a restore would read, and Elasticsearch compares its checksum. Every build of Elasticsearch
can do it (_verify_integrity came with 8.16, and some builds are without). One index after the other, so that the disk
needs room for the largest one, not for all of them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, cast

from elasticsearch import BadRequestError
from login_common.elastic import Client, Unavailable

from login_consumer.checkpoint import CheckpointError
from login_consumer.snapshots import Repository, Snapshot

PREFIX = "login-restore-"
"""What the names of the copies begin with; no pattern of the pipeline's own matches them. They are hidden, so that a
person's do not either.
"""
_STEP_S = 0.5
_UNDECIDED_S = 60
"""So long a shard may be without a node before that is told: its disk may be full, or a node away."""
_COPY = {"index.number_of_replicas": 0, "index.refresh_interval": "-1", "index.hidden": True}


class Fault(NamedTuple):
    """An index of the snapshot that cannot be read, and why."""

    name: str
    why: str


class Damage(NamedTuple):
    """What of a snapshot cannot be read: of `tried` indices those in `faults`."""

    snapshot: str
    tried: int
    faults: list[Fault]
    sharing: list[str]
    """Other snapshots that hold these indices, and may share the damaged files."""
    whole: list[str]
    """Good ones without them."""

    def as_text(self) -> str:
        """Return what an operator is told."""
        told = "; ".join(f"{each.name}: {each.why}" for each in self.faults)
        others = (
            f"These hold the same indices and may share the damaged files: {', '.join(self.sharing)}"
            if self.sharing
            else "No other backup holds these indices"
        )
        return (
            f"{len(self.faults)} of {self.tried} indices of snapshot {self.snapshot} cannot be read. {told}. {others}; "
            f"without them: {', '.join(self.whole) or 'none'}"
        )


def require_readable(
    repository: Repository,
    snapshots: Sequence[Snapshot],
    snapshot: Snapshot,
    indices: Sequence[str],
    tell: Callable[[str], None],
) -> None:
    """Raise CheckpointError, with nothing changed, unless all `indices` of the snapshot can be read.

    It names each damaged index, and the other `snapshots` that may share the damaged files. Raises Unavailable if it
    cannot be tried, as on a full disk.
    """
    tell(f"reads {len(indices)} indices of {snapshot.name} under other names first; nothing is replaced meanwhile")
    found = damage(repository, snapshots, snapshot, indices)
    if found:
        raise CheckpointError(
            f"nothing was changed: {found.as_text()}. Try another one (-e restore_snapshot=NAME), or bring the "
            "repository's folder back from a copy of it"
        )


def damage(
    repository: Repository, snapshots: Sequence[Snapshot], snapshot: Snapshot, indices: Sequence[str]
) -> Damage | None:
    """Return what of `indices` of the snapshot cannot be read, None if all can.

    Raises Unavailable as `require_readable`.
    """
    faults = list(_faults(repository, snapshot, indices))
    if not faults:
        return None
    damaged = {each.name for each in faults}
    sharing = [each.name for each in snapshots if each.name != snapshot.name and damaged & set(each.indices)]
    whole = [each.name for each in snapshots if each.is_good and not damaged & set(each.indices)]
    return Damage(snapshot.name, len(indices), faults, sharing, whole)


def _faults(repository: Repository, snapshot: Snapshot, indices: Iterable[str]) -> Iterator[Fault]:
    for index in indices:
        copy = PREFIX + index
        _remove(repository, copy)  # of a trial that was interrupted
        try:
            why = _tried(repository, snapshot, index, copy)
        finally:
            _remove(repository, copy)
        if why:
            yield Fault(index, why)


def _tried(repository: Repository, snapshot: Snapshot, index: str, copy: str) -> str:
    """Return why the index cannot be read, or nothing."""
    unreadable = repository.restore_copy(snapshot, index, copy, _COPY)
    if unreadable:
        return unreadable
    undecided = time.monotonic() + _UNDECIDED_S
    while True:
        states = repository.sink.ask(partial(_states, index=copy))
        if states and set(states.values()) == {"STARTED"}:
            return ""
        waiting = [shard for shard, state in states.items() if state == "UNASSIGNED"]
        for shard in waiting:
            failure, refusals = repository.sink.ask(partial(_refused, index=copy, shard=shard))
            if failure and "No space left on device" not in failure:
                return failure
            if failure or time.monotonic() > undecided:
                raise Unavailable(
                    f"nothing was changed. Whether index {index} of snapshot {snapshot.name} can be read was not found "
                    f"out, since no node takes a copy of it: {failure or '; '.join(refusals) or 'see its log'}"
                )
        if not waiting:  # it is being read, however long that takes
            undecided = time.monotonic() + _UNDECIDED_S
        time.sleep(_STEP_S)


def _states(client: Client, index: str) -> dict[int, str]:
    shards = client.cat.shards(index=index, format="json", h="shard,state")
    return {int(each["shard"]): each["state"] for each in cast("list[dict[str, str]]", shards.body)}


def _refused(client: Client, index: str, shard: int) -> tuple[str, list[str]]:
    """Return why a shard that has no node could not be restored, or nothing, and what keeps nodes from taking it."""
    try:
        told = client.cluster.allocation_explain(index=index, shard=shard, primary=True)
    except BadRequestError:  # it has a node by now
        return "", []
    deciders = [
        each
        for node in told.get("node_allocation_decisions", ())
        for each in node.get("deciders", ())
        if each["decision"] == "NO"
    ]
    unassigned = told.get("unassigned_info", {})
    # Elasticsearch itself tries again while it has hope; that it gave up is said by this decider
    given_up = any(each["decider"] == "restore_in_progress" for each in deciders)
    failed = given_up and unassigned.get("failed_allocation_attempts", 0) > 0
    others = {each["explanation"] for each in deciders if each["decider"] != "restore_in_progress"}
    return innermost(unassigned.get("details", "")) if failed else "", sorted(others)


def innermost(details: str) -> str:
    """Return the innermost cause of those that Elasticsearch tells of a failed shard, outermost first."""
    return details.strip("; ").rsplit("nested: ", 1)[-1] or "Elasticsearch tells no reason; see its log"


def _remove(repository: Repository, copy: str) -> None:
    try:
        repository.sink.ask(lambda client: client.indices.delete(index=copy, ignore_unavailable=True))
    except Unavailable as error:
        raise Unavailable(f"nothing was changed, but the copy {copy} is to be deleted: {error}") from None
