# SPDX-License-Identifier: Apache-2.0
"""Asks Elasticsearch, and takes only whole answers: half of the numbers would look like all of them.

What cannot be read is left out by whole indices, and told.
"""

from typing import Any, NamedTuple

from login_common.elastic import FAILURES, Unavailable, cause, connect, status_cause
from login_common.readable import unreadable

from login_report.numbers import Answers
from login_report.queries import PATTERNS, Span, lines, privileges, searches
from login_report.settings import Settings


class Told(NamedTuple):
    """The answers by the name of their search, and the indices that were left out, each with why and what helps."""

    answers: Answers
    unreadable: dict[str, str]


def ask(settings: Settings, span: Span) -> Told:
    """Return what Elasticsearch tells of `span`. Raises Unavailable, SettingsError."""
    asked = searches(span)
    client = connect(settings.elasticsearch)
    try:
        _allowed(client.security.has_privileges(index=privileges())["index"])
        without = unreadable(client, PATTERNS)
        told = client.msearch(searches=lines(asked, without))["responses"]
    except FAILURES as error:
        raise Unavailable(cause(error)) from None
    finally:
        client.close()
    for answer in told:
        _whole(answer)
    return Told(dict(zip(asked, told, strict=True)), without)


def _allowed(privileges: dict[str, dict[str, bool]]) -> None:
    """Raise Unavailable unless the API key has them all."""
    refused = [name for name, may in privileges.items() if not all(may.values())]
    if refused:
        raise Unavailable(
            f"the API key may not read {', '.join(refused)}; make one with the index privileges read and "
            "view_index_metadata on these"
        )


def _whole(answer: dict[str, Any]) -> None:
    """Raise Unavailable unless all of a search's data was looked at."""
    if "error" in answer:
        error = answer["error"]
        # of a search that failed on its shards, what failed there says more
        deeper = next((each["reason"] for each in error.get("root_cause", []) if each.get("reason")), error["reason"])
        raise Unavailable(status_cause(answer["status"], error["type"], str(deeper)))
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise Unavailable("Elasticsearch could not look at all its data; see its log and the cluster's health")
