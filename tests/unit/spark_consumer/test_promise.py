# SPDX-License-Identifier: Apache-2.0
"""What somebody may change in Kafka and Elasticsearch, and that each such thing is named with its cure."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from login_common.settings import SettingsError
from login_consumer import promise
from login_consumer.documents import FAMILIES
from login_consumer.hops import Hop, HopFailed
from login_consumer.kafka_side import TopicSettings
from login_consumer.promise import (
    Deviates,
    Wanted,
    deviations,
    index_deviations,
    indices_to_come,
    privilege_deviations,
    promise_hops,
    template_deviations,
    topic_deviations,
)
from login_consumer.settings import Settings

TOPIC = {"cleanup.policy": "delete", "max.message.bytes": "1114112"}
HELD: dict[str, str | None] = {**TOPIC, "min.insync.replicas": "1", "segment.bytes": "1073741824"}
MAPPINGS = {
    "dynamic": "strict",
    "properties": {"event": {"properties": {"outcome": {"type": "keyword"}}}, "ranges": {"type": "object"}},
}
NEXT = "login-events-2026.04"


def template(family: str) -> dict[str, Any]:
    return {"index_patterns": [f"{family}-*"], "priority": 200, "template": {"settings": {}, "mappings": MAPPINGS}}


WANTED = {family: template(family) for family in FAMILIES}


def stored(**others: dict[str, Any]) -> list[dict[str, Any]]:
    """What Elasticsearch tells of the templates: ours, and others that take the place of one or stand beside it."""
    return [{"name": name, "index_template": copy.deepcopy(each)} for name, each in (WANTED | others).items()]


def test_a_topic_as_it_was_made_has_no_deviations() -> None:
    assert topic_deviations(TopicSettings(HELD, 1), TOPIC) == []
    assert topic_deviations(TopicSettings(HELD | {"min.insync.replicas": "2"}, 3), TOPIC) == []


@pytest.mark.parametrize(
    ("name", "value"), [("cleanup.policy", "compact"), ("max.message.bytes", "120000"), ("min.insync.replicas", "2")]
)
def test_each_changed_setting_of_the_topic_is_named_with_its_cure(name: str, value: str) -> None:
    (told,) = topic_deviations(TopicSettings(HELD | {name: value}, 2), TOPIC)
    assert f"{name} is {value}, wanted is " in told
    assert "run site.yml" in told


@pytest.mark.parametrize("period", ["month", "day"])
def test_the_indices_of_now_and_of_the_next_time_are_looked_at(period: Any) -> None:
    names = indices_to_come(1_774_915_200_000, period)  # 2026-03-31
    assert ("login-events-2026.04.01" if period == "day" else NEXT) in names
    assert "login-pipeline-2026.03" in names
    assert "login-pipeline-2026.04" in names
    assert len(names) == 2 * len(FAMILIES)


@pytest.mark.parametrize(
    "other",
    [
        {"index_patterns": ["other-*"], "priority": 500},
        {"index_patterns": ["*"], "priority": 100},
        {"index_patterns": ["login-*"]},  # without a priority it has the lowest
        {"index_patterns": ["login-events-2026.0?"], "priority": 500},  # no wildcard but the star
    ],
)
def test_templates_that_do_not_win_are_nobodys_business(other: dict[str, Any]) -> None:
    assert template_deviations(stored(other=other), NEXT, WANTED) == []


@pytest.mark.parametrize("pattern", ["login-*", "*", "login-events-*.04", NEXT])
def test_a_template_that_wins_over_ours_is_named(pattern: str) -> None:
    other = {"index_patterns": ["nothing", pattern], "priority": 500}
    (told,) = template_deviations(stored(theirs=other), NEXT, WANTED)
    assert "index template theirs wins for login-events-2026.04 over login-events; delete it" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.update(data_stream={}), "data_stream"),
        (lambda t: t.update(composed_of=["theirs"]), "composed_of"),
        (lambda t: t["template"].update(aliases={"logins": {}}), "aliases logins"),
        (lambda t: t["template"]["settings"].update({"index": {"default_pipeline": "p"}}), "default_pipeline is p"),
        (lambda t: t["template"]["settings"].update({"index.final_pipeline": "p"}), "final_pipeline is p"),
        (lambda t: t["template"]["mappings"].update(dynamic="true"), "dynamic is true, wanted is strict"),
        (lambda t: t["template"].pop("mappings"), "it has no field event.outcome, ranges"),
        (
            lambda t: t["template"]["mappings"]["properties"]["event"]["properties"].update(outcome={"type": "text"}),
            "event.outcome is text, wanted is keyword",
        ),
    ],
)
def test_a_change_of_our_own_template_is_named(change: Any, told: str) -> None:
    changed = copy.deepcopy(template("login-events"))
    change(changed)
    found = template_deviations(stored(**{"login-events": changed}), NEXT, WANTED)
    assert any(told in each for each in found), found
    assert all("run site.yml" in each for each in found)


def test_a_template_that_is_gone_is_named() -> None:
    assert "no index template is there" in template_deviations([], NEXT, WANTED)[0]


def index(**changes: Any) -> dict[str, Any]:
    return {"mappings": MAPPINGS, "settings": {"index": {"number_of_shards": "1"}}, "aliases": {}} | changes


def test_indices_as_they_were_made_have_no_deviations() -> None:
    there = {"login-events-2026.03": index(), "login-events-2026.04.01": index(), "login-pipeline-2026.03": index()}
    assert index_deviations(there, WANTED) == []


def test_what_is_wrong_with_an_index_is_named_by_index_and_field() -> None:
    dynamic = {"dynamic": "true", "properties": {"event": {"properties": {"outcome": {"type": "text"}}}}}
    there = {
        "login-events-2026.03": index(settings={"index": {"default_pipeline": "gone"}}),
        "login-events-2026.04": index(mappings=dynamic),
        "login-events-copy": index(),
    }
    told = "\n".join(index_deviations(there, WANTED))
    assert "index login-events-2026.03: default_pipeline is gone" in told
    assert "index login-events-2026.04: dynamic is true" in told
    assert "index login-events-2026.04: event.outcome is text, wanted is keyword" in told
    assert "index login-events-copy is not the consumer's" in told


def test_the_key_has_neither_less_nor_more_than_it_needs() -> None:
    needs = {"index": {"login-events-*": {"read": True, "create_doc": True}}}
    much = {"index": {"login-events-*": {"delete_index": False, "manage": False}}}
    assert privilege_deviations(needs, much) == []
    needs["index"]["login-events-*"]["read"] = False
    much["index"]["login-events-*"]["manage"] = True
    lacks, has = privilege_deviations(needs, much)
    assert lacks.startswith("it lacks read on login-events-*")
    assert has.startswith("it has manage on login-events-*")


def test_only_deviations_are_deviations() -> None:
    def deviates() -> str:
        raise Deviates("cleanup.policy is compact")

    def away() -> str:
        raise HopFailed("no answer")

    unanswered: list[str] = []
    hops = [Hop("a", deviates), Hop("b", away), Hop("c", lambda: "fine")]
    assert deviations(hops, unanswered.append) == ["a: cleanup.policy is compact"]
    assert unanswered == ["b: no answer"]


NEVER = [{"names": ["login-events-*"], "privileges": ["indices:admin/mapping/put"]}]


@pytest.fixture
def deployed(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a file of what is wanted, and services that have just that."""
    file = tmp_path / "promise.json"
    rights = [{"names": ["login-events-*"], "privileges": ["read"]}]
    file.write_text(json.dumps({"topic": TOPIC, "templates": WANTED, "privileges": rights, "never": NEVER}))

    class Client:
        indices = SimpleNamespace(
            get_index_template=lambda: SimpleNamespace(body={"index_templates": stored()}),
            get=lambda **_: SimpleNamespace(body={"login-events-2026.03": index()}),
        )

        class security:
            @staticmethod
            def has_privileges(index: list[dict[str, list[str]]]) -> Any:
                granted = index == rights
                return SimpleNamespace(
                    body={
                        "index": {
                            name: dict.fromkeys(each["privileges"], granted) for each in index for name in each["names"]
                        }
                    }
                )

    monkeypatch.setattr(promise, "Sink", lambda _: SimpleNamespace(ask=lambda question: question(Client())))
    monkeypatch.setattr(promise, "load_retention_settings", lambda _: settings)
    monkeypatch.setattr(promise, "topic_settings", lambda _: TopicSettings(HELD, 1))
    return settings.model_copy(update={"promise_file": file})


def test_a_deployment_as_it_was_made_passes_each_hop(deployed: Settings) -> None:
    hops = promise_hops(deployed)
    assert len(hops) == 4
    assert all(hop.test() for hop in hops)


def test_without_a_file_nothing_is_looked_for(settings: Settings) -> None:
    assert promise_hops(settings) == []


@pytest.mark.parametrize("content", [None, "{}", "no json"])
def test_a_file_that_cannot_be_read_is_told(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "promise.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"promise\.json .*run site\.yml"):
        Wanted.read(file)
