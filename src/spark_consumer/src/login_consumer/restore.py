# SPDX-License-Identifier: Apache-2.0
"""login-consumer restore: the indices as a snapshot has them, and a consumer that goes on exactly from there.

What Kafka still holds after the snapshot's position is read again, and ends in the same documents. So the one question
before anything is deleted is the consumer's own at a start: can it go on after that account?
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from login_common.elastic import Client, Query, Unavailable
from login_common.times import iso

from login_consumer import checkpoint
from login_consumer.checkpoint import Checkpoint, CheckpointError
from login_consumer.documents import FAMILIES, PIPELINE
from login_consumer.kafka_side import topic_state
from login_consumer.periods import Index
from login_consumer.plan import TopicState, decide
from login_consumer.progress import last_progress
from login_consumer.settings import BackupSettings, Settings
from login_consumer.snapshots import KIBANA_INDICES, Position, Repository, Snapshot
from login_consumer.trial import require_readable

NEWEST = "newest"


@dataclass(frozen=True)
class Restored:
    """What was done. `to_read` is how many records of Kafka come after the position, None if that is not known."""

    snapshot: Snapshot
    to_read: int | None


def restore(
    settings: BackupSettings, consumer: Settings, name: str, kibana: bool, tell: Callable[[str], None]
) -> Restored:
    """Replace the indices by those of the snapshot `name` (NEWEST: the newest good one). May be repeated.
    Until it is done, the consumer does not start.

    With `kibana` its own state as well.

    Raises CheckpointError, with nothing changed, if the consumer runs, if there is no such snapshot, if an index of it
    cannot be read, or if it could not go on from there without a loss that kafka.allow_data_loss does not permit.
    Raises Unavailable, HopFailed.
    """
    with checkpoint.locked(consumer.checkpoint_dir):
        repository = Repository(settings)
        snapshots = repository.snapshots()
        snapshot = chosen(snapshots, name)
        if snapshot.metadata["topic"] != consumer.kafka.topic:
            raise CheckpointError(
                f"snapshot {snapshot.name} is of topic {snapshot.metadata['topic']}, and kafka.topic is "
                f"{consumer.kafka.topic}: restore it into a deployment of that topic"
            )
        if kibana and not (snapshot.features or snapshot.kibana_indices):
            raise CheckpointError(f"nothing was changed: snapshot {snapshot.name} holds nothing of Kibana")
        tell(f"restores {snapshot.name}, the state of {iso(snapshot.start)}; users erased since then come back with it")
        to_read = what_follows(consumer, snapshot, topic_state(consumer.kafka))
        there = repository.sink.ask(lambda client: _indices(client, [f"{family}-*" for family in FAMILIES]))
        wanted = _wanted(snapshot, there, kibana)
        require_readable(repository, snapshots, snapshot, wanted, tell)
        # Restored accounts tell of batches whose events are not there until they are cut: nobody may go on after those.
        with checkpoint.unfinished(consumer.checkpoint_dir, "restore"):
            _replace_indices(repository, snapshot, there, wanted, kibana, tell)
            gone = repository.sink.ask(lambda client: _cut_accounts(client, snapshot))
            tell(f"{gone} accounts of batches that the backup does not hold whole were removed")
            _check_position(repository, snapshot)
            aside = checkpoint.move_aside(consumer.checkpoint_dir)
            if aside:
                tell(f"the checkpoint was moved to {aside}")
        return Restored(snapshot, to_read)


def chosen(snapshots: Sequence[Snapshot], name: str) -> Snapshot:
    """Return the snapshot of that name, or the newest good one. Raises CheckpointError."""
    good = [each for each in snapshots if each.is_good]
    if name == NEWEST and good:
        return good[-1]
    found = next((each for each in snapshots if each.name == name), None)
    if found and found.is_good:
        return found
    known = ", ".join(each.name for each in good) or "none"
    what = f"snapshot {name} is {found.state}" if found else f"there is no backup {name}"
    raise CheckpointError(f"{what}, so nothing was changed. Good ones in the repository: {known}")


def what_follows(consumer: Settings, snapshot: Snapshot, kafka: TopicState) -> int | None:
    """Return how many records Kafka holds after the snapshot's position, None if that is not known.

    Raises CheckpointError if the consumer could not go on after it.
    """
    progress = Position.progress(snapshot.metadata)
    if progress is None and snapshot.metadata["sequence"] >= 0:
        return None  # the account is in the snapshot alone; the consumer asks the same at its start
    try:
        start = decide(consumer, Checkpoint(), progress, kafka).start
    except CheckpointError as refused:
        raise CheckpointError(
            f"nothing was changed. After the snapshot {snapshot.name} of {iso(snapshot.start)} no consumer can go on: "
            f"{refused}. What Elasticsearch holds of that now would be gone as well"
        ) from None
    return sum(max(0, end - start[partition]) for partition, end in kafka.ends.items())


def _wanted(snapshot: Snapshot, there: Sequence[str], kibana: bool) -> list[str]:
    """Return which indices of the snapshot are to come back."""
    # copies, as a person may name them, come back where they are gone
    ours = [name for name in snapshot.indices if Index.of(name) or (name.startswith(FAMILIES) and name not in there)]
    return ours + (snapshot.kibana_indices if kibana else [])


def _replace_indices(
    repository: Repository,
    snapshot: Snapshot,
    there: Sequence[str],
    wanted: Sequence[str],
    kibana: bool,
    tell: Callable[[str], None],
) -> None:
    ours = [name for name in there if Index.of(name)]
    if kibana and snapshot.kibana_indices:
        ours += repository.sink.ask(lambda client: _indices(client, [KIBANA_INDICES]))
    if ours:
        tell(f"deletes {len(ours)} indices")
        repository.sink.ask(lambda client: client.indices.delete(index=ours, ignore_unavailable=True))
    repository.restore(snapshot, wanted, snapshot.features if kibana else ())
    tell(f"{len(wanted)} indices are back" + (", and what Kibana keeps" if kibana else ""))


def _indices(client: Client, patterns: Sequence[str]) -> list[str]:
    told = client.indices.resolve_index(name=list(patterns), expand_wildcards="open,closed,hidden")
    return [each["name"] for each in told["indices"]]


def _cut_accounts(client: Client, snapshot: Snapshot) -> int:
    newer: Query = {
        "bool": {
            "filter": [
                {"term": {"topic": snapshot.metadata["topic"]}},
                {"range": {"sequence": {"gt": snapshot.metadata["sequence"]}}},
            ]
        }
    }
    told = client.delete_by_query(
        index=f"{PIPELINE}-*", query=newer, refresh=True, conflicts="proceed", allow_no_indices=True
    )
    return int(told["deleted"])


def _check_position(repository: Repository, snapshot: Snapshot) -> None:
    """Raise Unavailable unless the newest account is the one that the snapshot was made after."""
    progress = repository.sink.ask(lambda client: last_progress(client, snapshot.metadata["topic"]))
    found = progress.sequence if progress else -1
    if found != snapshot.metadata["sequence"]:
        raise Unavailable(
            f"the newest account restored has the sequence {found}, and the snapshot was made after "
            f"{snapshot.metadata['sequence']}: it is damaged, restore another one"
        )
