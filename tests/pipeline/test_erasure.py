# SPDX-License-Identifier: Apache-2.0
"""playbooks/erase.yml takes a user out of a running pipeline; every record stays accounted for, and none comes back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from deployment import Deployment, Tunnel, elasticsearch_client
from elasticsearch import AuthorizationException, Elasticsearch
from elasticsearch.helpers import scan
from kafka import KafkaProducer
from pipeline import Pipeline
from playbook import ROOT, Run, run_playbook
from testinfra.host import Host

SECONDS = 30
KEY_FILE = "/etc/login-consumer/erase/elasticsearch_api_key"
LETTERS = "login-dead-letters-*"

Options = Callable[[str], dict[str, Any]]
Send = Callable[[], None]


@dataclass(frozen=True)
class People:
    """Who is erased (a password typed as a name), and somebody whose name holds theirs."""

    user: str
    other: str


@pytest.fixture(scope="module")
def people() -> People:
    user = f'it\'s "my" pässword {uuid.uuid4().hex[:12]}'
    return People(user, f"{user}-2")


@pytest.fixture(scope="module")
def send(deployment: Deployment, pipeline: Pipeline, kafka: Options, people: People) -> Send:
    """Return a function that sends 2 events and 2 broken records of each, with the same ids each time."""
    now = datetime.now(UTC).isoformat()
    values: list[bytes] = []
    for user in (people.user, f"{people.other}"):
        for number in range(2):
            event = {"event_id": f"{uuid.uuid4()}", "user_id": user, "timestamp": now, "outcome": "success"}
            values += [json.dumps(event | {"reason": f"of {user}"}).encode(), json.dumps(event)[: -number - 1].encode()]

    def send() -> None:
        producer = KafkaProducer(**kafka("producer"), acks="all")
        told = [producer.send(deployment.topic, value).get(timeout=SECONDS) for value in values]
        producer.close()
        ends: dict[int, int] = {}
        for each in told:
            ends[each.partition] = max(ends.get(each.partition, 0), each.offset + 1)
        pipeline.ledger.wait_for(ends)

    return send


def run(deployment: Deployment, people: People, *options: str) -> Run:
    names = json.dumps({"erase_users": [people.user]})
    return run_playbook(ROOT / "playbooks/erase.yml", deployment.inventory, "-e", names, *options)


def events_of(elastic: Elasticsearch, user: str) -> int:
    elastic.indices.refresh(index="login-events-*")
    return int(elastic.count(index="login-events-*", query={"term": {"user.id": user}})["count"])


def everything(elastic: Elasticsearch) -> Iterator[dict[str, Any]]:
    return scan(elastic, index="login-events-*,login-metrics-*,login-pipeline-*")


def letters(elastic: Elasticsearch, *, erased: bool) -> int:
    elastic.indices.refresh(index=LETTERS)
    query = {"exists": {"field": "erased"}}
    return int(elastic.count(index=LETTERS, query=query if erased else {"bool": {"must_not": query}})["count"])


def test_without_a_word_it_only_says(
    deployment: Deployment, elastic: Elasticsearch, people: People, send: Send
) -> None:
    send()
    told = run(deployment, people)
    assert told.returncode == 0 and told.changed == 0, told.output
    assert "events 2 name the user (user.id 2)" in told.text and "dead letters 2 of" in told.text, told.output
    assert "still holds 4 of these records" in told.text and "nothing was changed" in told.text, told.output
    assert people.user not in told.output
    assert (events_of(elastic, people.user), events_of(elastic, people.other)) == (2, 2)


def test_the_command_alone_has_no_key_to_erase(host: Host, elastic: Elasticsearch, people: People) -> None:
    told = host.run("printf %%s %s | login-consumer erase --yes --user -", people.user)
    assert told.rc == 2 and "playbooks/erase.yml" in told.stderr, told.stdout + told.stderr
    assert events_of(elastic, people.user) == 2


def test_it_takes_the_user_out_and_the_accounts_balance(
    deployment: Deployment, pipeline: Pipeline, elastic: Elasticsearch, people: People, send: Send
) -> None:
    process = pipeline.property("login-consumer", "MainPID")
    kept = letters(elastic, erased=False)
    told = run(deployment, people, "-e", "confirm=yes")
    assert told.returncode == 0, told.output
    assert "events 2 erased (user.id 2)" in told.text and people.user not in told.output, told.output
    assert pipeline.property("login-consumer", "MainPID") == process
    assert letters(elastic, erased=True) == 2 and letters(elastic, erased=False) >= kept - 2
    send()  # once more: the events meet what is left of the first ones
    assert (events_of(elastic, people.user), events_of(elastic, people.other)) == (0, 2)
    found = json.dumps([each["_source"] for each in everything(elastic)], ensure_ascii=False)
    without = found.replace(json.dumps(people.other, ensure_ascii=False)[1:-1], "")
    assert json.dumps(people.user, ensure_ascii=False)[1:-1] not in without
    assert pipeline.audit()["balanced"]
    with pipeline.still():
        pipeline.systemctl("stop", "login-consumer")
        pipeline.host.check_output("login-consumer rebuild")
    assert pipeline.audit()["balanced"]


def test_its_key_is_gone_afterwards(host: Host, elastic: Elasticsearch) -> None:
    assert not host.file(KEY_FILE).exists
    keys = elastic.security.get_api_key(name="login-erase")["api_keys"]
    assert keys and all(each["invalidated"] for each in keys)


def test_an_erased_letter_is_not_sent_again(host: Host, elastic: Elasticsearch) -> None:
    hit = elastic.search(index=LETTERS, query={"exists": {"field": "erased"}}, size=1)["hits"]["hits"][0]
    assert "raw" not in hit["_source"] and "erased at" in host.check_output(f"login-consumer dead show {hit['_id']}")
    assert "0 dead letters to replay" in host.check_output(f"login-consumer dead replay --dry-run {hit['_id']}")


def test_a_second_time_only_what_came_since_is_erased(
    deployment: Deployment, elastic: Elasticsearch, people: People
) -> None:
    """The broken records of the repeat are new dead letters."""
    told = run(deployment, people, "-e", "confirm=yes")
    assert told.returncode == 0 and "events 0 erased" in told.text and letters(elastic, erased=True) == 4, told.output
    told = run(deployment, people, "-e", "confirm=yes")
    assert told.returncode == 0 and "dead letters 0 of" in told.text, told.output


@pytest.fixture(scope="module")
def as_erasure(deployment: Deployment, tunnel: Tunnel, elastic: Elasticsearch) -> Iterator[Elasticsearch]:
    variables = yaml.safe_load((ROOT / "roles/spark_consumer/vars/main.yml").read_text())
    roles = variables["__spark_consumer_erase_role_descriptors"]
    key = elastic.security.create_api_key(name="erasure-test", expiration="1h", role_descriptors=roles)
    yield elasticsearch_client(deployment, tunnel, api_key=key["encoded"])
    elastic.security.invalidate_api_key(ids=[key["id"]])


# Harmless even where it is allowed: what is written or deleted is not there.
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/login-events-1970.01", None),
        ("PUT", "/login-events-1970.01", None),
        ("PUT", "/login-events-1970.01/_doc/1", {"a": 1}),
        ("POST", "/login-events-1970.01/_delete_by_query", {"query": {"match_all": {}}}),
        ("PUT", "/login-metrics-1970.01/_doc/1", {"a": 1}),
        ("PUT", "/login-pipeline-1970.01/_doc/1", {"a": 1}),
        ("GET", "/login-pipeline-1970.01/_search", None),
        ("GET", "/.security/_search", None),
        ("POST", "/_security/api_key", {"name": "stranger"}),
        ("PUT", "/_cluster/settings", {"persistent": {"action.destructive_requires_name": False}}),
    ],
)
def test_its_key_does_only_its_job(method: str, path: str, body: Any, as_erasure: Elasticsearch) -> None:
    headers = {"accept": "application/json", "content-type": "application/json"}
    with pytest.raises(AuthorizationException):
        as_erasure.perform_request(method, path, headers=headers, body=body)
