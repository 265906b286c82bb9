# SPDX-License-Identifier: Apache-2.0
"""Errors as the Elasticsearch client raises them."""

from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError, AuthenticationException

FULL_DISK = (
    "index [login-events-2026.03] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, "
    "index has read-only-allow-delete block];"
)


def meta(status: int) -> ApiResponseMeta:
    """An answer with this HTTP status, without its body."""
    return ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("https", "es.example.org", 9200))


def api_error(status: int, kind: str = "", reason: str = "") -> ApiError:
    """What the client raises for an answer with this status."""
    error = AuthenticationException if status == 401 else ApiError
    return error(kind, meta(status), {"error": {"type": kind, "reason": reason}})
