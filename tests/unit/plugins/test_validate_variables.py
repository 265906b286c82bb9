# SPDX-License-Identifier: Apache-2.0
"""Settings that no role knows, or that are of another type, are told all at once, each with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.template import trust_as_template
from preflight_tasks import NAME, Host, Preflight

TASK = "Refuse unknown and ill-typed settings"


def told(**settings: Any) -> list[str]:
    """Return what is said of these settings, each fault by itself."""
    refusals = Preflight(Host(settings)).do(TASK).refusals
    if not refusals:
        return []
    (text,) = refusals
    head, *faults = text.split(" - ")
    assert f"{NAME}: settings are wrong, nothing was changed." in head
    return faults


# Settings, and the beginning of what is said of each
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all at once": (
        {"kafka_heap_md": 512, "kibana_wxqvzz": 1, "kafka_heap_mb": "plenty", "spark_consumer_period": "week"},
        [
            "kafka_heap_mb: argument 'kafka_heap_mb' is of type str and we were unable to convert to int",
            "kafka_heap_md is not a setting of role kafka: did you mean kafka_heap_mb?",
            "kibana_wxqvzz is not a setting of role kibana: roles/kibana/meta/argument_specs.yml lists its settings",
            "spark_consumer_period: value of spark_consumer_period must be one of: month, day, got: week",
        ],
    ),
    # and not of role spark, whose name it begins with as well
    "the role with the longest name": (
        {"spark_consumer_periode": "day"},
        ["spark_consumer_periode is not a setting of role spark_consumer: did you mean spark_consumer_period?"],
    ),
    "a number with a unit": (
        {"pki_renew_before_days": "+30d"},
        ["pki_renew_before_days: argument 'pki_renew_before_days' is of type str and we were unable to convert to int"],
    ),
    "a choice inside a list": (
        {"kafka_process_roles": ["broker", "controler"]},
        ["kafka_process_roles: value of kafka_process_roles must be one or more of: broker, controller. Got no match"],
    ),
    "a list that is none": (
        {"pipeline_kafka_clients": {"name": "filebeat"}},
        ["pipeline_kafka_clients: argument 'pipeline_kafka_clients' is of type dict and we were unable to convert"],
    ),
    "a mapping inside a list": (
        {"kafka_extra_listeners": [{"name": "OUTSIDE", "port": "many", "advertised": "a:1"}]},
        ["kafka_extra_listeners: argument 'port' is of type str found in 'kafka_extra_listeners'. and we were unable"],
    ),
    "a mapping without what it needs": (
        {"kafka_extra_listeners": [{"name": "OUTSIDE", "port": 7000}]},
        ["kafka_extra_listeners: missing required arguments: advertised found in kafka_extra_listeners"],
    ),
    "a word that is neither yes nor no": (
        {"pipeline_metrics": "maybe"},
        ["pipeline_metrics: argument 'pipeline_metrics' is of type str and we were unable to convert to bool"],
    ),
    "a template that gives another type": (
        {"kafka_heap_mb": trust_as_template("{{ 'p' ~ 'lenty' }}")},
        ["kafka_heap_mb: argument 'kafka_heap_mb' is of type str and we were unable to convert to int"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_said_of_wrong_settings(case: str) -> None:
    settings, words = WRONG[case]
    faults = told(**settings)
    assert len(faults) == len(words), faults
    for fault, word in zip(faults, words, strict=True):
        assert fault.startswith(word)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"kafka_heap_mb": "512", "spark_consumer_period": "day", "pipeline_metrics": "yes"},
        {"kafka_heap_mb": trust_as_template("{{ 2 * 256 }}")},
        {"kafka_process_roles": ["broker"], "kafka_extra_listeners": [{"name": "A", "port": 7, "advertised": "a:1"}]},
        # of no role of this project
        {"company_kafka": 1, "kafkas": 1},
    ],
    ids=["none", "texts", "template", "lists", "others"],
)
def test_settings_that_are_right(settings: dict[str, Any]) -> None:
    assert told(**settings) == []


def test_a_secret_is_not_repeated() -> None:
    (fault,) = told(pipeline_given_secrets=["not to be shown"])
    assert fault.startswith("pipeline_given_secrets: ") and "not to be shown" not in fault
