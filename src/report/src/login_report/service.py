# SPDX-License-Identifier: Apache-2.0
"""Asks Elasticsearch, and takes only whole answers: half of the numbers would look like all of them."""

from typing import Any

from login_common.elastic import FAILURES, Unavailable, cause, connect, status_cause

from login_report.numbers import Answers
from login_report.queries import Span, lines, privileges, searches
from login_report.settings import Settings


def ask(settings: Settings, span: Span) -> Answers:
    """Return Elasticsearch's answers to the searches for `span`, by name. Raises Unavailable, SettingsError."""
    asked = searches(span)
    client = connect(settings.elasticsearch)
    try:
        allowed = client.security.has_privileges(index=privileges())["index"]
        told = client.msearch(searches=lines(asked))["responses"]
    except FAILURES as error:
        raise Unavailable(cause(error)) from None
    finally:
        client.close()
    refused = [name for name, may in allowed.items() if not may["read"]]
    if refused:
        raise Unavailable(
            f"the API key may not read {', '.join(refused)}; make one with the index privilege read on these"
        )
    for answer in told:
        _whole(answer)
    return dict(zip(asked, told, strict=True))


def _whole(answer: dict[str, Any]) -> None:
    """Raise Unavailable unless all of a search's data was looked at."""
    if "error" in answer:
        error = answer["error"]
        # of a search that failed on its shards, what failed there says more
        deeper = next((each["reason"] for each in error.get("root_cause", []) if each.get("reason")), error["reason"])
        raise Unavailable(status_cause(answer["status"], error["type"], str(deeper)))
    if answer["timed_out"] or answer["_shards"]["failed"]:
        raise Unavailable("Elasticsearch could not look at all its data; see its log and the cluster's health")
