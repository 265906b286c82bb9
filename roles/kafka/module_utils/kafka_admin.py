# SPDX-License-Identifier: Apache-2.0
"""What the modules of this role have in common: the connection by the broker's own certificate."""

from __future__ import annotations

import contextlib
import time
from typing import Any

with contextlib.suppress(ImportError):  # the modules say so
    from kafka import KafkaAdminClient, errors

ACCESS: dict[str, Any] = {
    "bootstrap_servers": {"type": "list", "elements": "str", "required": True},
    "ca_file": {"type": "path", "required": True},
    "cert_file": {"type": "path", "required": True},
    "key_file": {"type": "path", "required": True},
}
"""The options that say how to reach the brokers' mutual TLS listener."""

WAIT_STEP_S = 1.0  # between two attempts


def connect(params: dict[str, Any], seconds: float, brokers: int = 1) -> Any:
    """Return an admin client once so many brokers have joined. Raises TimeoutError, whose text ends with the cause."""
    end = time.monotonic() + seconds
    cause = "no attempt was made"
    while True:
        try:
            client = KafkaAdminClient(
                bootstrap_servers=params["bootstrap_servers"],
                security_protocol="SSL",
                ssl_cafile=params["ca_file"],
                ssl_certfile=params["cert_file"],
                ssl_keyfile=params["key_file"],
                bootstrap_timeout_ms=5000,
            )
            joined = len(client.describe_cluster()["brokers"])
            if joined >= brokers:
                return client
            client.close()
            cause = f"{joined} of {brokers} brokers have joined"
        except (errors.KafkaError, OSError) as error:
            cause = f"{type(error).__name__}: {error}"
        if time.monotonic() >= end:
            servers = ", ".join(params["bootstrap_servers"])
            raise TimeoutError(f"Kafka did not answer at {servers} within {seconds} s: {cause}")
        time.sleep(WAIT_STEP_S)
