# SPDX-License-Identifier: Apache-2.0
"""Dead letters: which ones a command means, what it does and how it ends."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from letters import FIELDS
from login_consumer import dead
from login_consumer.cli import main
from login_consumer.dead_letters import (
    ANY,
    IS_CUT,
    IS_SENT,
    NOT_SENT,
    WHOLE,
    Letter,
    Listing,
    Plan,
    Selection,
    find,
    newest,
    plan,
    to_send,
)
from login_consumer.dead_view import plan_lines
from login_formats.reasons import Reason

SETTINGS = """
[kafka]
bootstrap_servers = ["kafka.example.org:9092"]
username = "consumer"
password = "secret"
ca_file = "/ca.pem"
[elasticsearch]
hosts = ["https://es.example.org:9200"]
ca_file = "/ca.pem"
api_key = "key"
"""


class Client:
    """Answers each search from a list and keeps what it was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers, self.asked = list(answers), []
        self.indices: Any = argparse.Namespace(refresh=lambda **_: None)

    def search(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return self.answers.pop(0)


class Sink:
    """Passes requests to a client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ask(self, request: Any) -> Any:
        return request(self._client)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that runs the command against a client, and gives its exit code."""
    path = tmp_path / "consumer.toml"
    path.write_text(SETTINGS)

    def command(client: Any, *arguments: str) -> int:
        monkeypatch.setattr(dead, "Sink", lambda _: Sink(client))
        return main(["--settings", str(path), "dead", *arguments])

    return command


def hits(*letters: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = [{"_index": "login-dead-letters-2026.03", "_id": f"id-{n}", "_source": s} for n, s in enumerate(letters)]
    return {"hits": {"hits": found}, **more}


def buckets(**counts: int) -> dict[str, Any]:
    return {"buckets": [{"key": key, "doc_count": count} for key, count in counts.items()]}


def test_a_selection_asks_for_all_that_is_given() -> None:
    assert Selection().query() == ANY
    assert not Selection()
    assert Selection(end=0)
    assert Selection(("a",), ("not_json",), 0, 1000).query(NOT_SENT, ANY) == {
        "bool": {
            "filter": [
                NOT_SENT,
                {"ids": {"values": ["a"]}},
                {"terms": {"reason": ["not_json"]}},
                {"range": {"@timestamp": {"gte": "1970-01-01T00:00:00.000Z", "lt": "1970-01-01T00:00:01.000Z"}}},
            ]
        }
    }


def test_newest_before_there_is_an_index() -> None:
    client: Any = Client(hits())
    assert newest(client, ANY, 5) == Listing({}, [], {})


def test_find() -> None:
    client: Any = Client(hits(FIELDS), hits())
    assert find(client, "x") == Letter("login-dead-letters-2026.03", "id-0", FIELDS)
    assert find(client, "x") is None


def test_plan_counts_what_is_skipped_and_refused() -> None:
    found = {
        "own": {
            "wanted": {"reasons": buckets(not_json=2, null_value=1)},
            "sent": {"doc_count": 4},
            "sending": {"doc_count": 5},
            "cut": {"doc_count": 7},
        },
        "foreign": {"topics": buckets(other=6)},
    }
    client: Any = Client(*[hits(aggregations=found)] * 2, hits())
    planned = plan(client, Selection(), "login-events", again=False)
    assert planned == Plan({"not_json": 2, "null_value": 1}, 4, 5, {"other": 6}, 7)
    assert planned.total == 3
    assert plan(client, Selection(), "login-events", again=True)[1:3] == (0, 0)
    assert client.asked[0]["aggs"]["own"]["aggs"]["wanted"]["filter"] == to_send(again=False)
    assert plan(client, Selection(), "login-events", again=False) == Plan({}, 0, 0, {})
    text = "\n".join(plan_lines(planned, "login-events"))
    assert "3 dead letters to replay" in text
    assert "4 skipped: sent before" in text
    assert "5 skipped: marked as sending" in text
    assert "7 skipped: their records were not kept" in text
    assert "6 refused: they come from topic other, but kafka.topic is login-events" in text


def test_list(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer = hits(FIELDS, aggregations={"reasons": buckets(not_json=30)})
    client = Client(answer, answer, answer)
    assert run(client, "list", "--reason", "not_json", "framed", "--reason", "binary", "--limit", "1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["total"], told["reasons"], [each["id"] for each in told["letters"]]) == (
        30,
        {"not_json": 30},
        ["id-0"],
    )
    assert client.asked[0]["query"]["bool"]["filter"] == [
        NOT_SENT,
        {"terms": {"reason": ["not_json", "framed", "binary"]}},
    ]
    assert run(client, "list", "--replayed") == 0
    assert run(client, "list", "--all") == 0
    assert [asked["query"] for asked in client.asked[1:]] == [{"bool": {"filter": [IS_SENT]}}, ANY]


@pytest.mark.parametrize("action", ["list", "replay"])
def test_an_unknown_reason_is_refused_with_the_codes(run: Any, capsys: pytest.CaptureFixture[str], action: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(Client(), action, "--reason", "nonsense")
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert all(str(reason) in told for reason in Reason)


def test_show(run: Any, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    stored = FIELDS | {"raw": "G1syShs=", "size": 5}
    assert run(Client(hits(stored)), "show", "x", "--raw") == 0
    assert capfdbinary.readouterr().out == b"\x1b[2J\x1b"
    assert run(Client(hits(stored)), "show", "x") == 0
    assert b"\x1b" not in capfdbinary.readouterr().out


def test_of_a_withheld_record_it_is_said_where_it_stands(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stored = FIELDS | {"withheld": "01ec2adc-5e", "size": 5}
    for options, stream in ((["--raw"], "err"), ([], "out")):
        assert run(Client(hits(stored)), "show", "x", *options) == 0
        told = capsys.readouterr()
        assert "pseudonyms are on; as long as Kafka has it, it stands at login-events/3/7" in getattr(told, stream)
        assert "(no value)" not in told.out, "that would be another thing"


def test_a_withheld_record_is_never_sent_as_one_without_a_value() -> None:
    for again in (True, False):
        assert IS_CUT in WHOLE["bool"]["must_not"] and {"exists": {"field": "withheld"}} in IS_CUT["bool"]["should"]
        assert to_send(again) == WHOLE or WHOLE in to_send(again)["bool"]["filter"]


def test_show_of_an_unknown_id(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Client(hits()), "show", "\x1b[2J") == 1
    told = capsys.readouterr().err
    assert "dead list --all" in told
    assert "\x1b" not in told


@pytest.mark.parametrize("arguments", [[], ["--dry-run"], ["--again"], ["--all", "--reason", "framed"], ["--all", "x"]])
def test_nothing_is_replayed_by_accident(run: Any, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(Client(), "replay", *arguments) == 2
    assert "say which letters to replay" in capsys.readouterr().err


def test_a_replay_without_an_account_names_the_setting(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Client(), "replay", "--all") == 2
    assert "[replay]" in capsys.readouterr().err


def test_a_replay_of_an_unknown_id_sends_nothing(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Client(hits(FIELDS)), "replay", "id-0", "id-9", "--dry-run") == 1
    told = capsys.readouterr().err
    assert "id-9;" in told and "id-0" not in told


def test_a_dry_run_needs_no_account_and_only_tells(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        "own": {
            "wanted": {"reasons": buckets(framed=2)},
            "sent": {"doc_count": 0},
            "sending": {"doc_count": 0},
            "cut": {"doc_count": 0},
        },
        "foreign": {"topics": buckets()},
    }
    assert run(Client(hits(aggregations=found)), "replay", "--reason", "framed", "--dry-run") == 0
    assert capsys.readouterr().out == "2 dead letters to replay to login-events\n        2  framed\n"


class Sender:
    """Stands for Kafka; nothing comes to it here."""

    def __init__(self, kafka: Any) -> None:
        assert kafka.username == "replay"

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("foreign", "code"), [(0, 0), (3, 1)])
def test_the_end_of_a_replay_tells_the_counts(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], foreign: int, code: int
) -> None:
    found = {
        "own": {
            "wanted": {"reasons": buckets(framed=2)},
            "sent": {"doc_count": 4},
            "sending": {"doc_count": 0},
            "cut": {"doc_count": 1},
        },
        "foreign": {"topics": buckets(other=foreign)},
    }
    monkeypatch.setenv("LOGIN_CONSUMER_REPLAY__USERNAME", "replay")
    monkeypatch.setenv("LOGIN_CONSUMER_REPLAY__PASSWORD", "secret")
    monkeypatch.setattr(dead, "ReplaySender", Sender)
    monkeypatch.setattr(dead, "scan", lambda sink, query: iter(()))
    assert run(Client(hits(aggregations=found)), "replay", "--all") == code
    assert capsys.readouterr().out.endswith(f"sent 0, skipped 5, failed {foreign}\n")
