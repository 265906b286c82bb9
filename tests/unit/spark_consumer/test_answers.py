# SPDX-License-Identifier: Apache-2.0
"""What each item of a bulk answer means. The answers are Elasticsearch 8.19's own."""

from typing import Any

import pytest
from elastic_errors import FULL_DISK
from login_consumer.answers import CREATED, index_of, read_items

IMMENSE = 'Document contains at least one immense term in field="user.id" (whose UTF8 encoding is longer than 32766)'


def item(status: int, kind: str = "", reason: str = "", action: str = "create", result: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {"status": status}
    if result:
        fields["result"] = result
    if kind:
        fields["error"] = {"type": kind, "reason": reason}
    return {action: fields}


def bulk(*items: dict[str, Any]) -> dict[str, Any]:
    return {"errors": True, "items": list(items)}


def test_no_errors_means_all_new() -> None:
    items = [item(201, result="created")] * 3
    assert read_items({"errors": False, "items": items}, 3) == [CREATED] * 3


@pytest.mark.parametrize(
    "answer", [{}, {"errors": True}, {"errors": False}, bulk(item(201)), bulk(item(201), item(201), item(201))]
)
def test_an_answer_with_other_items_than_asked_is_an_error(answer: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="to 2 actions"):
        read_items(answer, 2)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (item(201), "taken"),
        (item(200), ""),
        (item(200, result="noop"), ""),
        (item(200, action="index", result="noop"), ""),
        (item(200, action="index", result="updated"), "taken"),
        (item(200, action="update", result="noop"), "taken"),
        (item(200, action="update", result="updated"), "taken"),
        (item(409, "version_conflict_engine_exception"), "exists passes"),
        (item(400, "document_parsing_exception"), "refused"),
        (item(400, "strict_dynamic_mapping_exception"), "refused"),
        (item(400, "mapper_parsing_exception"), "refused"),
        (item(400, "illegal_argument_exception", IMMENSE), "refused"),
        (item(413), "refused"),
        (item(400, "illegal_argument_exception", "pipeline with id [gone] does not exist"), ""),
        (item(400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded"), ""),
        (item(400, "a_type_that_nobody_knows_yet"), ""),
        (item(400), ""),
        (item(400, "index_closed_exception"), ""),
        (item(400, "validation_exception", "this action would add [2] shards"), ""),
        (item(403, "cluster_block_exception"), ""),
        (item(403, "security_exception"), ""),
        (item(404, "index_not_found_exception"), ""),
        (item(429, "es_rejected_execution_exception"), "passes"),
        (item(429, "cluster_block_exception", FULL_DISK), ""),
        (item(500, "null_pointer_exception"), ""),
        (item(503, "unavailable_shards_exception"), "passes"),
    ],
)
def test_verdict_on_an_item(answer: dict[str, Any], verdict: str) -> None:
    (read,) = read_items(bulk(answer), 1)
    told = [name for name in ("taken", "exists", "refused", "passes") if getattr(read, name)]
    assert " ".join(told) == verdict


def test_the_deeper_reason_is_told() -> None:
    answer = item(400, "document_parsing_exception", "failed to parse field [source.ip]")
    answer["create"]["error"]["caused_by"] = {"reason": "'x' is not an IP string literal."}
    (read,) = read_items(bulk(answer), 1)
    assert read.reason == "failed to parse field [source.ip]: 'x' is not an IP string literal."


def test_the_index_of_a_line_is_known() -> None:
    assert index_of(b'{"create":{"_index":"login-events-2026.03","_id":"a"}}\n{}\n') == "login-events-2026.03"
