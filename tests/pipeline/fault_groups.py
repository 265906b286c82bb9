# SPDX-License-Identifier: Apache-2.0
"""Which faults there are, and which of them share an audit.

A fault after which windows are counted anew comes first in its group: it would mend the harm of one before it.
"""

from __future__ import annotations

from deployment import Deployment
from faults import (
    Fault,
    another_zone,
    api_key_expired,
    both_away,
    checkpoint_lost,
    checkpoint_of_a_backup,
    consumer_restarted,
    disk_full,
    driver_killed,
    elasticsearch_away,
    elasticsearch_killed,
    index_closed,
    index_read_only,
    jvm_killed,
    kafka_away,
    kafka_killed,
    newest_commit_lost,
    newest_offsets_truncated,
    pipeline_drops,
    pipeline_gone,
    producer_starts_before_kafka,
    worker_killed,
)
from history_faults import (
    kafka_end_lost_and_refilled,
    merged_batch_lost,
    newest_batch_lost,
    rebuild_killed,
    restore_killed,
    settings_changed_between_tries,
)
from input_faults import hostile_records, odd_files
from people_faults import (
    all_ended,
    all_hung_up,
    all_interrupted,
    consumer_files_of_root,
    elasticsearch_files_of_root,
    kafka_files_of_root,
    producer_files_of_root,
    template_wins,
    topic_settings_changed,
)

GROUPS: dict[str, tuple[Fault, ...]] = {
    "consumer": (
        checkpoint_lost,
        driver_killed,
        worker_killed,
        newest_commit_lost,
    ),
    "services": (
        checkpoint_of_a_backup,
        elasticsearch_killed,
        both_away,
        producer_starts_before_kafka,
    ),
    "refusals": (
        index_read_only,
        index_closed,
        pipeline_gone,
        pipeline_drops,
        api_key_expired,
    ),
}
# These wait for --long: each fault has a near relative above.
MORE_GROUPS: dict[str, tuple[Fault, ...]] = {
    "consumer": (
        newest_offsets_truncated,
        jvm_killed,
        consumer_restarted,
        another_zone,
    ),
    "services": (
        kafka_killed,
        kafka_away,
        elasticsearch_away,
        disk_full,
    ),
}
# These wait for --long as well, with an account of their own (test_rare_faults.py): histories in which several things
# must come together, and what people and senders do.
RARE_GROUPS: dict[str, tuple[Fault, ...]] = {
    "batches": (
        merged_batch_lost,
        newest_batch_lost,
        settings_changed_between_tries,
    ),
    "input": (
        hostile_records,
        odd_files,
        template_wins,
    ),
    "signals": (
        all_hung_up,
        all_interrupted,
        all_ended,
    ),
    "runs": (
        topic_settings_changed,
        kafka_files_of_root,
        elasticsearch_files_of_root,
        consumer_files_of_root,
        producer_files_of_root,
    ),
    "rebuild": (rebuild_killed,),
    "restore": (restore_killed,),
    "kafka": (kafka_end_lost_and_refilled,),
}
FAULTS = tuple(fault for groups in (GROUPS, MORE_GROUPS, RARE_GROUPS) for group in groups.values() for fault in group)
NEEDS_BACKUPS = frozenset({restore_killed})


def possible(deployment: Deployment) -> tuple[Fault, ...]:
    """Return the faults that a deployment can have."""
    return tuple(fault for fault in FAULTS if deployment.backup_dir or fault not in NEEDS_BACKUPS)
