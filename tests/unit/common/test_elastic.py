# SPDX-License-Identifier: Apache-2.0
"""What is told about Elasticsearch's errors."""

import pytest
from elastic_errors import FULL_DISK, api_error
from elastic_transport import ConnectionError
from login_common.elastic import cause, status_cause


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionError("[Errno 111] Connection refused"), "refuses the connection"),
        (ConnectionError("[Errno -2] Name or service not known"), "does not resolve"),
        (api_error(503, "", "shards"), "not ready"),
        (api_error(401), "api_key_file"),
    ],
)
def test_cause_names_fault_and_remedy(error: Exception, text: str) -> None:
    assert text in cause(error)


def test_a_full_disk_is_not_told_as_too_many_requests() -> None:
    assert "disk" in status_cause(429, "cluster_block_exception", FULL_DISK)
    assert "overloaded" in status_cause(429, "es_rejected_execution_exception", "queue full")
