# SPDX-License-Identifier: Apache-2.0
"""The pipeline's own producer: its service as it runs, with made-up logins, in some processes."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from job import STATE_DIR, Job
from login_common.settings import KafkaSettings
from login_producer.service import StopRequest, run
from login_producer.settings import ProducerSettings, SyntheticSettings


def send(job: Job) -> dict[str, float]:
    """Send `records` by `processes`; return when the first began and the last had its last acknowledgement.

    As fast as it can, or `rate` in a second by each.
    """
    many: int = job.more["processes"]
    share = job.more["records"] // many
    with ProcessPoolExecutor(many, multiprocessing.get_context("spawn")) as pool:
        times = list(pool.map(_send, [job] * many, [share] * many, range(many)))
    return {"began": min(began for began, _ in times), "ended": max(ended for _, ended in times)}


def _send(job: Job, records: int, seed: int) -> tuple[float, float]:
    kafka: dict[str, Any] = {name: getattr(job.kafka, name) for name in KafkaSettings.model_fields}
    with tempfile.TemporaryDirectory(dir=STATE_DIR) as folder:
        settings = ProducerSettings(
            kafka=KafkaSettings(**kafka),
            source=SyntheticSettings(rate=job.more.get("rate", 0), daily_curve=False, total=records, seed=seed),
            status_file=Path(folder, "status.json"),
            state_file=Path(folder, "counters.json"),
        )
        began = time.time()
        if not run(settings, StopRequest()):
            raise RuntimeError("the producer did not deliver all")
        return began, time.time()
