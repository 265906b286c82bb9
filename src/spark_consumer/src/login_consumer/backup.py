# SPDX-License-Identifier: Apache-2.0
"""login-consumer backup: a snapshot of the four index families, and old ones deleted.

The shards of a snapshot are copied one after the other while batches go on, so the accounts in it may tell of batches
whose events it does not hold. So the newest account is looked up before: all that it and the accounts before it tell of
is in the snapshot. This position is kept with it, and a restore goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from login_common.elastic import Client, Unavailable

from login_consumer.checkpoint import CheckpointError
from login_consumer.documents import PIPELINE
from login_consumer.progress import Progress, last_progress
from login_consumer.settings import BackupSettings
from login_consumer.snapshots import FULL, Position, Repository, Snapshot, name_of
from login_consumer.verify import last_verified
from login_consumer.witness import doubt

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Made:
    """A backup that is good, and what was done with the others."""

    snapshot: Snapshot
    new_bytes: int
    total_bytes: int
    kept: int
    deleted: tuple[str, ...]
    doubt: str = ""
    """Why no old one was deleted, if the clock may be ahead."""

    def as_text(self) -> str:
        """Return one line for the journal, for people and programs."""
        told = self.snapshot.as_json() | {"sequence": self.snapshot.metadata["sequence"]}
        told |= {"new_bytes": self.new_bytes, "total_bytes": self.total_bytes}
        told |= {"kept": self.kept, "deleted": len(self.deleted)}
        return "backup " + " ".join(f"{key}={value}" for key, value in told.items())


def backup(settings: BackupSettings, now: int, anew: bool, tell: Callable[[str], None], force: bool = False) -> Made:
    """Make a backup, then delete what is too old at the time `now`.

    If the clock may be ahead, nothing is deleted, and `doubt` says so, unless `force` says that the clock is right.

    Raises CheckpointError if Elasticsearch has lost what the last backup holds, unless `anew` gives that up: the copy
    of an empty Elasticsearch would be taken for the newest good one. Raises Unavailable if it is not good.
    """
    repository = Repository(settings)
    repository.check()
    progress = repository.sink.ask(lambda client: last_progress(client, settings.topic))
    good = [each for each in repository.snapshots() if each.is_good]
    if good and not anew and not repository.sink.ask(lambda client: _goes_on(client, good, progress)):
        raise CheckpointError(
            f"Elasticsearch does not hold any more what the backup {good[-1].name} holds, so none was made: restore it "
            "(playbooks/restore.yml), or, if that is given up, run 'login-consumer backup --anew' once"
        )
    name = name_of(now)
    snapshot = repository.make(name, Position.metadata(settings.topic, progress), settings.kibana)
    if not snapshot.is_good:
        why = "; ".join(snapshot.failures[:3]) or "see Elasticsearch's log"
        raise Unavailable(repository.explained(f"the snapshot {name} is {snapshot.state}, so it is no backup: {why}"))
    after = repository.sink.ask(lambda client: last_progress(client, settings.topic))
    if progress and after and after.lineage != progress.lineage:
        repository.delete([name])  # windows of both lineages are in it: a start goes back over those of one
        raise Unavailable("the consumer began a new checkpoint meanwhile, so the snapshot was deleted; make another")
    every = repository.snapshots()
    old = list(too_old(every, now, settings.keep_days, settings.keep_least))
    doubted = repository.sink.ask(lambda client: doubt(client, now, settings.witness_days)) if old and not force else ""
    if doubted:
        old = []
    for each in old:
        tell(f"deletes {each.name}, {each.state}")
    repository.delete([each.name for each in old])
    new_bytes, total_bytes = repository.bytes_of(name)
    deleted = tuple(each.name for each in old)
    return Made(snapshot, new_bytes, total_bytes, len(every) - len(old), deleted, doubted)


def _goes_on(client: Client, good: Sequence[Snapshot], progress: Progress | None) -> bool:
    """Return whether the accounts go on where the newest of the good snapshots was made, or a restored one."""
    if (progress.sequence if progress else -1) >= good[-1].metadata["sequence"]:
        return True
    # a restored one: what follows was read again, in other batches
    ids = [f"{each.metadata['lineage']}-{each.metadata['batch']}" for each in good if "lineage" in each.metadata]
    return client.number_of(f"{PIPELINE}-*", {"ids": {"values": ids}}) > 0


def too_old(snapshots: Sequence[Snapshot], now: int, keep_days: int, keep_least: int) -> Iterator[Snapshot]:
    """Yield what may go: good ones after `keep_days`, but for the newest `keep_least`; others with a newer good one."""
    good = sorted((each for each in snapshots if each.is_good), key=lambda each: each.start)
    for each in snapshots:
        if each.is_good:
            if each.start < now - keep_days * _DAY_MS and each not in good[-keep_least:]:
                yield each
        elif each.state != "IN_PROGRESS" and good and each.start < good[-1].start:
            yield each


def look(repository: Repository, now: int, verified: Path) -> dict[str, Any]:
    """Return the `status` of the repository, and what the last verification kept in the file `verified`.

    Raises Unavailable, with the repository's place, if no backup is seen and the place cannot be used: Elasticsearch
    takes a folder that is not mounted for an empty repository.
    """
    told = status(repository.snapshots(), now) | {"verified": last_verified(verified)}
    if told["last_good"]:
        return told
    told["repository"] = where = repository.where()
    try:
        repository.check()
    except Unavailable as error:
        if FULL in str(error):  # so it is there
            return told
        raise Unavailable(f"no backup is seen in the repository {where}: {error}; is it mounted?") from None
    return told


def status(snapshots: Sequence[Snapshot], now: int) -> dict[str, Any]:
    """Return all backups, and the newest good one with the age of its data."""
    good = next((each for each in reversed(snapshots) if each.is_good), None)
    age = None if good is None else round((now - good.start) / 1000)
    return {
        "last_good": good and good.as_json(),
        "age_seconds": age,
        "backups": [each.as_json() for each in snapshots],
    }


def as_text(told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that show `status` to a person."""
    for each in told["backups"]:
        yield f"{each['name']}  {each['start']}  {each['state']:<11}  {each['indices']} indices  {each['seconds']} s"
    good = told["last_good"]
    if good:
        yield f"last good backup: {good['name']}, {told['age_seconds']} s ago"
    else:
        where = f" in the repository {told['repository']}" if "repository" in told else ""
        yield f"there is no good backup{where}; if there was one, look whether the right file system is mounted there"
