# SPDX-License-Identifier: Apache-2.0
"""What a person does to a topic that has lost records."""

from __future__ import annotations

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from waiting import wait_until

PERMIT = ("allow_data_loss = false", "allow_data_loss = true")
"""The line of the consumer's settings that lets it go on without lost records, and what it is then."""


def make_anew(admin: KafkaAdminClient, topic: str, partitions: int) -> None:
    """Delete a topic and create it with the settings that it had."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    settings = {name: told["value"] for name, told in admin.describe_configs([resource])["topic"][topic].items()}
    admin.delete_topics([topic])
    wait_until(lambda: topic not in admin.list_topics(), "the topic is gone")
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings)])
