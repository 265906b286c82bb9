# SPDX-License-Identifier: Apache-2.0
"""Snapshots of the four index families in a repository of Elasticsearch, and the position that each one stands for."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from elasticsearch import ApiError
from login_common.elastic import FAILURES, Client, Unavailable, cause
from login_common.times import iso

from login_consumer.counts import OffsetRange
from login_consumer.documents import FAMILIES
from login_consumer.progress import Progress
from login_consumer.settings import BackupSettings
from login_consumer.sink import Sink

_MADE_BY = "login-consumer"
_NAME = re.compile(r"login-[0-9]{8}t[0-9]{6}z")
_NAME_TIME = "login-%Y%m%dt%H%M%Sz"
KIBANA_INDICES = ".kibana*"
"""What Kibana keeps, where it is no feature of Elasticsearch."""
_MOST_METADATA = 1000  # bytes; Elasticsearch takes less than 1024
_DAY_S = 86_400
FULL = "the disk of the repository"
"""How the word on a full disk begins."""
_UNREADABLE = frozenset({404, 500})
"""What Elasticsearch answers to a restore whose metadata are missing or damaged."""


@dataclass(frozen=True)
class Snapshot:
    """A snapshot in the repository. Times in milliseconds since 1970."""

    name: str
    state: str
    start: int
    end: int
    indices: tuple[str, ...]
    metadata: dict[str, Any]
    features: tuple[str, ...] = ()
    """The features whose state is in it, such as kibana."""
    failures: tuple[str, ...] = ()

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """Return what Elasticsearch tells of a snapshot."""
        failures = [f"{each['index']}: {each['reason']}" for each in told.get("failures", ())]
        if told.get("reason"):
            failures.insert(0, told["reason"])
        return cls(
            name=told["snapshot"],
            state=told["state"],
            start=told["start_time_in_millis"],
            end=told.get("end_time_in_millis", 0),
            indices=tuple(told.get("indices", ())),
            metadata=told.get("metadata") or {},
            features=tuple(each["feature_name"] for each in told.get("feature_states", ())),
            failures=tuple(failures),
        )

    @property
    def is_ours(self) -> bool:
        """Whether login-consumer has made it; others are none of its business."""
        return bool(_NAME.fullmatch(self.name)) and self.metadata.get("made_by") == _MADE_BY

    @property
    def kibana_indices(self) -> list[str]:
        """Those of its indices that KIBANA_INDICES names."""
        return [] if self.features else [name for name in self.indices if name.startswith(KIBANA_INDICES[:-1])]

    @property
    def is_good(self) -> bool:
        """Whether it holds all of each index."""
        return self.state == "SUCCESS"

    def as_json(self) -> dict[str, Any]:
        """Return what a person or a monitor wants to know."""
        times = {"start": iso(self.start), "seconds": round(max(0, self.end - self.start) / 1000, 1)}
        return {"name": self.name, "state": self.state, **times, "indices": len(self.indices)}


def name_of(moment: int) -> str:
    """Return the name of a snapshot that begins at `moment`."""
    return datetime.fromtimestamp(moment / 1000, UTC).strftime(_NAME_TIME)


class Position:
    """The newest account from before a snapshot, as the snapshot's metadata keep it."""

    @staticmethod
    def metadata(topic: str, progress: Progress | None) -> dict[str, Any]:
        """Return the metadata of a snapshot that begins now."""
        told: dict[str, Any] = {"made_by": _MADE_BY, "topic": topic, "sequence": -1}
        if progress is None:
            return told
        told |= {"lineage": progress.lineage, "batch": progress.batch, "sequence": progress.sequence}
        whole = told | {
            "topic_id": progress.topic_id,
            "shape": progress.shape,
            "offsets": {str(partition): offset for partition, offset in progress.offsets.items()},
        }
        # of a topic with very many partitions the account alone keeps the offsets
        return whole if len(json.dumps(whole)) <= _MOST_METADATA else told

    @staticmethod
    def progress(metadata: dict[str, Any]) -> Progress | None:
        """Return the account that the metadata tell of, without what it has read; None if they tell too little."""
        if "offsets" not in metadata:
            return None
        ranges = {int(partition): OffsetRange(each, each) for partition, each in metadata["offsets"].items()}
        lineage, batch, sequence = metadata["lineage"], metadata["batch"], metadata["sequence"]
        return Progress(lineage, batch, sequence, metadata["topic_id"], ranges, metadata["shape"], {})


class Repository:
    """The snapshots of one repository. Methods raise Unavailable with Elasticsearch's reason."""

    def __init__(self, settings: BackupSettings) -> None:
        self._name = settings.repository
        self.sink = Sink(settings.elasticsearch)

    def check(self) -> None:
        """Let all nodes write to the repository."""
        self._ask(lambda client: client.snapshot.verify_repository(name=self._name))

    def where(self) -> str:
        """Return the repository's name and its place, as far as Elasticsearch tells one."""
        told = self._ask(lambda client: client.snapshot.get_repository(name=self._name))
        settings = told.body.get(self._name, {}).get("settings", {})
        place = next((settings[key] for key in ("location", "bucket", "container", "url") if key in settings), "")
        return f"{self._name} ({place})" if place else self._name

    def snapshots(self) -> list[Snapshot]:
        """Return those of login-consumer, the oldest first."""
        told = self._ask(
            lambda client: client.snapshot.get(repository=self._name, snapshot="login-*", ignore_unavailable=True)
        )
        found = [Snapshot.of(each) for each in told["snapshots"]]
        return sorted((each for each in found if each.is_ours), key=lambda each: each.start)

    def make(self, name: str, metadata: dict[str, Any], kibana: bool) -> Snapshot:
        """Make a snapshot, with `kibana` also of what Kibana keeps; return when it is done, well or not."""
        known = self._ask(lambda client: client.features.get_features())["features"] if kibana else ()
        is_feature = any(each["name"] == "kibana" for each in known)
        names = [f"{family}-*" for family in FAMILIES] + ([KIBANA_INDICES] if kibana and not is_feature else [])
        told = self._once(
            lambda client: client.snapshot.create(
                repository=self._name,
                snapshot=name,
                indices=names,
                ignore_unavailable=True,
                include_global_state=False,
                feature_states=["kibana" if is_feature else "none"],
                metadata=metadata,
                partial=False,
                wait_for_completion=True,
            )
        )
        return Snapshot.of(told["snapshot"])

    def bytes_of(self, name: str) -> tuple[int, int]:
        """Return how many bytes the snapshot has added to the repository, and how many it refers to."""
        told = self._ask(lambda client: client.snapshot.status(repository=self._name, snapshot=name))
        stats = told["snapshots"][0]["stats"]
        return stats["incremental"]["size_in_bytes"], stats["total"]["size_in_bytes"]

    def bytes_by_index(self, name: str) -> dict[str, int]:
        """Return how many bytes the snapshot has of each index."""
        told = self._ask(lambda client: client.snapshot.status(repository=self._name, snapshot=name))
        indices = told["snapshots"][0]["indices"]
        return {index: each["stats"]["total"]["size_in_bytes"] for index, each in indices.items()}

    def delete(self, names: Sequence[str]) -> None:
        """Delete snapshots; files that others refer to stay."""
        if names:
            self._once(lambda client: client.snapshot.delete(repository=self._name, snapshot=",".join(names)))

    def restore(self, snapshot: Snapshot, indices: Sequence[str], features: Sequence[str]) -> None:
        """Bring back `indices` of a snapshot, which must not be there, and the state of `features`.

        Raises Unavailable if a shard fails.
        """
        told = self._once(
            lambda client: client.snapshot.restore(
                repository=self._name,
                snapshot=snapshot.name,
                # an empty list would be all of them
                indices=list(indices) or ["-*"],
                include_global_state=False,
                feature_states=list(features) or ["none"],
                wait_for_completion=True,
            )
        )
        shards = told["snapshot"]["shards"]
        if shards["failed"]:
            raise Unavailable(
                f"{shards['failed']} of {shards['total']} shards were not restored; GET /_cluster/allocation/explain "
                "tells why. The snapshot stays; restore it again, or another one"
            )

    def restore_copy(self, snapshot: Snapshot, index: str, copy: str, settings: dict[str, Any]) -> str:
        """Begin to restore an index under the name `copy`, which must not be there; does not wait for its shards.

        Returns why its metadata or those of the snapshot cannot be read, or nothing. Raises Unavailable.
        """
        try:
            self.sink.client().options(request_timeout=_DAY_S).snapshot.restore(
                repository=self._name,
                snapshot=snapshot.name,
                indices=[index],
                rename_pattern=".+",
                rename_replacement=copy,
                index_settings=settings,
                include_global_state=False,
                include_aliases=False,
                feature_states=["none"],
                wait_for_completion=False,
            )
        except FAILURES as error:
            told = self.explained(cause(error), str(getattr(error, "body", "")))
            if isinstance(error, ApiError) and error.meta.status in _UNREADABLE:
                return told
            raise Unavailable(told) from None
        return ""

    def explained(self, told: str, details: str = "") -> str:
        """Return what Elasticsearch has told, after what it means for this repository if that is known."""
        hints = {
            "No space left on device": f"{FULL} {self._name} is full",
            "repository_missing_exception": f"the repository {self._name} is not registered: run site.yml, or, if you "
            "named one of your own with backup_repository, register it",
            "repository_verification_exception": f"not every node of Elasticsearch can write to the repository "
            f"{self._name}: its folder must be there, writable, and, with several nodes, one shared file system",
        }
        return next((f"{hint} ({told})" for sign, hint in hints.items() if sign in told + details), told)

    def _once(self, request: Callable[[Client], Any]) -> Any:
        """Return the answer to what takes long and must not be asked a second time."""
        try:
            return request(self.sink.client().options(request_timeout=_DAY_S))
        except FAILURES as error:
            raise Unavailable(self.explained(cause(error), str(getattr(error, "body", "")))) from None

    def _ask(self, request: Callable[[Client], Any]) -> Any:
        try:
            return self.sink.ask(request)
        except Unavailable as error:
            raise Unavailable(self.explained(str(error), str(getattr(error.__cause__, "body", "")))) from None
