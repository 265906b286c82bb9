# SPDX-License-Identifier: Apache-2.0
"""What Spark is asked for a part of a batch: just these records, by a query of its own. Spark is a bare object."""

import json
from typing import Any
from unittest.mock import MagicMock

import pytest
from login_consumer import spark as spark_module
from login_consumer.settings import Settings
from login_consumer.spark import part_frame
from login_consumer.tries import Piece


def test_a_part_is_read_from_its_first_record_to_its_last(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_module, "worker_columns", lambda source: source)
    spark: Any = MagicMock()
    part_frame(spark, settings.kafka, (Piece(0, 10, 17), Piece(4, 0, 1)))
    spark.read.format.assert_called_once_with("kafka")
    options = spark.read.format.return_value.options.call_args.kwargs
    topic = settings.kafka.topic
    assert json.loads(options["assign"]) == {topic: [0, 4]}
    assert json.loads(options["startingOffsets"]) == {topic: {"0": 10, "4": 0}}
    assert json.loads(options["endingOffsets"]) == {topic: {"0": 17, "4": 1}}
    assert options["kafka.max.poll.records"] == "1"
    assert options["failOnDataLoss"] == "true"
    assert not options.keys() & {"subscribe", "maxOffsetsPerTrigger"}  # a query of batches refuses them
