# SPDX-License-Identifier: Apache-2.0
"""The Elasticsearch client, and what its errors mean to an operator.

Who uses this module requires elasticsearch and orjson: they are no needs of login-common, as the producer has no
use for them.
"""

import re
import ssl
from collections.abc import Sequence
from typing import Any

from elastic_transport import ConnectionError as NoConnection
from elastic_transport import ConnectionTimeout, ObjectApiResponse, TlsError, TransportError
from elasticsearch import ApiError, Elasticsearch, OrjsonSerializer

from login_common.settings import ElasticsearchSettings, SettingsError

Query = dict[str, Any]
"""A query, or a part of one, as Elasticsearch takes it."""

FAILURES = (ApiError, TransportError)

# Item and request statuses that pass by themselves.
BUSY = frozenset({429, 502, 503, 504})

RED_CURE = (
    "GET /_cluster/allocation/explain tells why; bring its node or disk back, or restore the index (docs/backup.md)"
)
"""What helps if a shard is on no node."""

_MOST_INDICES = 10_000
# As Elasticsearch lists the shards that a search misses: [[index][0], [index][1]]
_MISSING_SHARD = re.compile(r"\[([^\[\]]+)\]\[\d+\]")


class Client(Elasticsearch):
    """A client that takes whole answers only: while shards recover, a part of the documents looks like all of them."""

    without: Sequence[str] = ()
    """Indices that searches and refreshes leave out, so that the others are told whole."""

    def search(self, **options: Any) -> ObjectApiResponse[Any]:
        """Search, or be told 503 while a shard is missing. An index that is not there has no documents."""
        if "index" in options:  # a point in time has the indices that it was opened for
            options["index"] = self._left(options["index"])
        # The time limit of the nodes is for people's queries; ours is the one of the connection.
        whole: dict[str, Any] = {"allow_partial_search_results": False, "allow_no_indices": True, "timeout": "-1"}
        return super().search(**whole | options)

    def refresh(self, index: str | Sequence[str]) -> None:
        """Make all documents searchable. Elasticsearch would wait a minute for each red index."""
        self.indices.refresh(index=self._left(index), allow_no_indices=True)

    def _left(self, index: str | Sequence[str]) -> str | Sequence[str]:
        if not self.without:
            return index
        patterns = [index] if isinstance(index, str) else list(index)
        out = [f"-{name}" for name in self.without if any(name.startswith(each.rstrip("*")) for each in patterns)]
        return [*patterns, *out]

    def number_of(self, index: str, query: Query) -> int:
        """Return the number of documents; Elasticsearch's own count would leave out those of missing shards."""
        return int(self.search(index=index, query=query, size=0, track_total_hits=True)["hits"]["total"]["value"])


def by_index(client: Client, index: str, query: Query, aggs: Query | None = None) -> dict[str, dict[str, Any]]:
    """Return by the name of each index with such documents their number, `doc_count`, and what `aggs` tell of them.

    Raises the client's own errors.
    """
    indices: Query = {"terms": {"field": "_index", "size": _MOST_INDICES}} | ({"aggs": aggs} if aggs else {})
    answer = client.search(index=index, query=query, size=0, aggs={"indices": indices})
    # without an index there are no aggregations
    buckets = answer.get("aggregations", {}).get("indices", {}).get("buckets", ())
    return {each["key"]: each for each in buckets}


class Unavailable(Exception):
    """Elasticsearch does not take a request now; the text says why and what helps. Nothing is lost."""


def connect(settings: ElasticsearchSettings) -> Client:
    """Return a client that never repeats a request by itself: whoever asks knows better what to repeat.

    Raises SettingsError if the API key or the CA file cannot be used: the client itself would tell it as a fault of the
    connection.
    """
    key = settings.secret()
    if not key.isascii():  # no header could hold it
        raise SettingsError("the API key holds signs that no key has; check elasticsearch.api_key_file")
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(
            f"{settings.ca_file}: the CA file cannot be used: {reason}; check elasticsearch.ca_file"
        ) from None
    return Client(
        list(settings.hosts),
        api_key=key,
        ssl_context=context,
        request_timeout=settings.request_timeout,
        max_retries=0,
        retry_on_timeout=False,
        serializer=OrjsonSerializer(),
    )


def cause(error: Exception) -> str:
    """Return one line that says what is wrong with Elasticsearch and what to do about it."""
    # the transport's own str() leaves the cause out
    text = error.message if isinstance(error, TransportError) else str(error)
    if isinstance(error, ApiError):
        return status_cause(error.meta.status, *error_of(error))
    if isinstance(error, TlsError):
        return f"TLS with Elasticsearch failed: {text}; check ca_file and the names in the certificate"
    if isinstance(error, ConnectionTimeout):
        return f"Elasticsearch did not answer in time: {text}; is it overloaded, does a firewall drop packets?"
    if isinstance(error, NoConnection) and any(
        sign in text for sign in ("Name or service not known", "name resolution", "No address", "NameResolutionError")
    ):
        return f"the name of Elasticsearch's host does not resolve: {text}; check elasticsearch.hosts and DNS"
    if isinstance(error, NoConnection) and "refused" in text:
        return "Elasticsearch refuses the connection; is it running, and is elasticsearch.hosts right?"
    return f"Elasticsearch cannot be reached: {text}"


def error_of(error: ApiError) -> tuple[str, str]:
    """Return Elasticsearch's error type and reason; empty where a proxy or an older node gives none.

    Of a search the reason is that of the first index that fails: "all shards failed" names neither it nor its field.
    """
    return error_in(error.body.get("error") if isinstance(error.body, dict) else None)


def error_in(details: Any) -> tuple[str, str]:
    """Return the same of `error` in an answer to one of several searches."""
    if not isinstance(details, dict):
        return "", str(details or "")
    kind, reason = str(details.get("type") or ""), str(details.get("reason") or "")
    failed = [each for each in details.get("failed_shards") or () if each.get("index")]
    if not failed:
        return kind, reason
    indices = sorted({each["index"] for each in failed})
    deeper = failed[0].get("reason") or {}
    return str(deeper.get("type") or kind), f"index {', '.join(indices)}: {deeper.get('reason') or reason}"


def status_cause(status: int, kind: str, reason: str) -> str:
    """Return one line for an HTTP status with Elasticsearch's error type and reason."""
    said = f"{kind}: {reason}" if kind else reason
    if "cluster_block" in kind and "disk usage" in reason:
        return f"Elasticsearch's disk is nearly full, so it blocks writes ({said}); free space on its host"
    if "cluster_block" in kind or "index_closed" in kind:
        return f"Elasticsearch blocks writes ({said}); remove the index's block, or open it"
    if status == 401:
        # so it answers valid keys, too, while several nodes elect a master
        return (
            "Elasticsearch refuses the API key (401); if that lasts longer than a node's restart, check "
            "elasticsearch.api_key_file, or make a new key"
        )
    if status == 403:
        return f"the API key lacks a privilege (403, {said}); it needs those of the documented role on login-*"
    if status == 429:
        return f"Elasticsearch is overloaded (429, {said}); it passes when less is asked of it"
    if status in BUSY and (red := sorted(set(_MISSING_SHARD.findall(reason)) if "missing shards" in reason else ())):
        return f"index {', '.join(red)} is red: a shard of it is on no node that is there ({status}). {RED_CURE}"
    if status in BUSY:
        return f"Elasticsearch is not ready ({status}, {said}); see its log if this lasts"
    return f"Elasticsearch answered {status}: {said}"
