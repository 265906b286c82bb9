# SPDX-License-Identifier: Apache-2.0
"""Which indices are told to be unreadable; what an audit makes of it: tests/unit/spark_consumer/exactness."""

from types import SimpleNamespace
from typing import Any

import pytest
from login_common import readable

RED = {"status": 503, "error": {"type": "search_phase_execution_exception", "reason": "all shards failed"}}
BUSY = {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "queue full"}}
GONE = {"status": 404, "error": {"type": "index_not_found_exception", "reason": "no such index"}}
FINE = {"status": 200}


class Client:
    """Indices with what Elasticsearch answers to one look after the other; None: closed."""

    def __init__(self, **answers: list[Any]) -> None:
        self._answers, self.looks = answers, 0
        self.indices = SimpleNamespace(resolve_index=self._resolve)

    def _resolve(self, name: list[str], expand_wildcards: str) -> Any:
        assert (name, expand_wildcards) == (["*"], "open,closed")
        states = {each: "open" if answers[0] else "closed" for each, answers in self._answers.items()}
        return {"indices": [{"name": each, "attributes": [state]} for each, state in states.items()]}

    def msearch(self, searches: list[Any]) -> Any:
        self.looks += 1
        names = [header["index"] for header in searches[::2]]
        assert all(header["allow_partial_search_results"] is False for header in searches[::2])
        answers = [self._answers[name] for name in names]
        return {"responses": [each.pop(0) if len(each) > 1 else each[0] for each in answers]}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readable, "_PASSES_S", 0.05)
    monkeypatch.setattr(readable, "_STEP_S", 0.01)


def told(client: Client) -> dict[str, str]:
    return readable.indices(client, ["*"])  # type: ignore[arg-type]


def test_each_index_is_told_by_itself() -> None:
    client = Client(a=[FINE], b=[None], c=[RED], d=[GONE])
    found = told(client)
    assert list(found) == ["a", "b", "c"] and found["a"] == ""
    assert found["b"] == "closed: POST /b/_open opens it" and found["c"].startswith("red: GET /_cluster/allocation")
    assert list(readable.unreadable(client, ["*"])) == ["b", "c"]  # type: ignore[arg-type]


def test_a_closed_index_is_not_waited_for() -> None:
    client = Client(a=[FINE], b=[None])
    assert told(client)["b"] and client.looks == 1


@pytest.mark.parametrize("state", [RED, BUSY])
def test_an_index_in_the_making_is_looked_at_again(state: Any) -> None:
    client = Client(a=[state, state, FINE])
    assert told(client) == {"a": ""} and client.looks == 3


def test_without_an_index_nothing_is_asked() -> None:
    client = Client()
    assert told(client) == {} and client.looks == 0
