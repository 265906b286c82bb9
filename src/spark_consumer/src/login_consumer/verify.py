# SPDX-License-Identifier: Apache-2.0
"""login-consumer verify-backup: reads the newest backup whole, as a restore would, and keeps what was found.

A backup that nobody reads is only believed to be good: a disk that flips bits tells nothing until a restore. The trial
(trial.py) writes hidden copies of one index after the other, so the room for the largest one is looked at before.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from login_common.elastic import Client, Unavailable
from login_common.exposition import Family, Sample, exposition
from login_common.files import replace_file
from login_common.times import iso

from login_consumer.checkpoint import CheckpointError
from login_consumer.documents import FAMILIES
from login_consumer.settings import BackupSettings
from login_consumer.snapshots import Repository
from login_consumer.trial import damage


class Room(NamedTuple):
    """A data path of a node of Elasticsearch, in bytes."""

    node: str
    path: str
    available: int
    total: int


def verify(settings: BackupSettings, tell: Callable[[str], None]) -> dict[str, Any]:
    """Read each index of the newest good backup under another name, and return what is kept in `verified_file`.

    Raises CheckpointError if there is no good backup, or, after that was kept, if one cannot be read whole: the text
    names the indices and the other backups that share the damage. Raises Unavailable if it cannot be tried now, as
    without room on the disks.
    """
    began = time.monotonic()
    repository = Repository(settings)
    snapshots = repository.snapshots()
    snapshot = next((each for each in reversed(snapshots) if each.is_good), None)
    if snapshot is None:
        raise CheckpointError(f"there is no good backup to verify in the repository {repository.where()}")
    wanted = [name for name in snapshot.indices if name.startswith(FAMILIES)]
    sizes = repository.bytes_by_index(snapshot.name)
    largest = max(wanted, key=lambda name: sizes.get(name, 0), default=None)
    if largest is not None:
        needed = sizes.get(largest, 0)
        require_room(repository.sink.ask(_rooms), largest, needed, settings.verify_free_percent)
    tell(f"reads {len(wanted)} indices of {snapshot.name} under other names; nothing is replaced")
    found = damage(repository, snapshots, snapshot, wanted)
    told = {
        "at": iso(round(time.time() * 1000)),
        "snapshot": snapshot.name,
        "indices": len(wanted),
        "bytes": sum(sizes.get(name, 0) for name in wanted),
        "seconds": round(time.monotonic() - began, 1),
        "damaged": dict(found.faults) if found else {},
        "shared_with": found.sharing if found else [],
        "without_it": found.whole if found else [],
    }
    _keep(settings, told)
    if found:
        raise CheckpointError(f"{found.as_text()}. Back up into another folder or repository (docs/backup.md)")
    return told


def require_room(rooms: Sequence[Room], index: str, needed: int, percent: int) -> None:
    """Raise Unavailable unless one node can take `needed` bytes and keeps `percent` of its disk free."""
    if any(room.available - needed >= room.total * percent / 100 for room in rooms):
        return
    told = "; ".join(f"{room.node}: {room.path} has {room.available} of {room.total} bytes free" for room in rooms)
    raise Unavailable(
        f"the backup was not verified: a copy of {index} takes {needed} bytes, and after that {percent} % of the disk "
        f"of a node must be free. {told or 'No node tells its disks'}. Free space there, or lower "
        "backup_verify_free_percent"
    )


def last_verified(file: Path) -> dict[str, Any] | None:
    """Return what the last verification has kept, None before the first."""
    try:
        told: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return told


def as_text(told: dict[str, Any] | None) -> Iterator[str]:
    """Yield the lines that show the last verification to a person."""
    if told is None:
        yield "no backup was verified yet: systemctl start login-backup-verify"
        return
    what = f"{told['snapshot']} at {told['at']}, {told['indices']} indices, {told['bytes']} bytes"
    if not told["damaged"]:
        yield f"last verified: {what}; all can be read"
        return
    yield f"DAMAGED: {what}"
    yield from (f"  {index}: {why}" for index, why in told["damaged"].items())
    yield f"  may share the damage: {', '.join(told['shared_with']) or 'no other backup'}"
    yield f"  without it: {', '.join(told['without_it']) or 'none'}"


def _rooms(client: Client) -> list[Room]:
    told = client.nodes.stats(metric="fs", filter_path="nodes.*.name,nodes.*.roles,nodes.*.fs.data")
    return [
        Room(node["name"], disk["path"], disk["available_in_bytes"], disk["total_in_bytes"])
        for node in told.body.get("nodes", {}).values()
        if any(role.startswith("data") for role in node["roles"])
        for disk in node.get("fs", {}).get("data", ())
    ]


def _keep(settings: BackupSettings, told: dict[str, Any]) -> None:
    """Keep the result for `login-consumer backups`, and for Prometheus where its unit runs."""
    replace_file(settings.verified_file, json.dumps(told, indent=1))
    if settings.verified_metrics is not None:
        families = [
            Family(
                "login_backup_verified_timestamp_seconds",
                "gauge",
                "When a backup was read whole last, or found damaged.",
                [Sample(round(time.time()))],
            ),
            Family(
                "login_backup_damaged_indices",
                "gauge",
                "Indices of that backup that cannot be read.",
                [Sample(len(told["damaged"]))],
            ),
        ]
        replace_file(settings.verified_metrics, exposition(families))
