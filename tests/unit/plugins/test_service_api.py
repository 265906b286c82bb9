# SPDX-License-Identifier: Apache-2.0
"""Which of several nodes is asked."""

import io
from urllib.error import HTTPError, URLError

import pytest
from ansible.module_utils import service_api
from ansible.module_utils.service_api import Cluster, Refused

A, B = "https://a:9200", "https://b:9200"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the first node refuse connections, and b answer; return what is asked for."""
    urls: list[str] = []

    def open_url(url: str, method: str, **_: object) -> io.StringIO:
        urls.append(f"{method} {url}")
        if url.startswith(A):
            raise URLError(ConnectionRefusedError())
        return io.StringIO("{}")

    monkeypatch.setattr(service_api, "open_url", open_url)
    return urls


def cluster(*urls: str) -> Cluster:
    return Cluster({"url": ",".join(urls), "ca_file": "", "username": "u", "password": "p"})


def test_a_node_that_is_away_is_passed_over_and_asked_last_from_then_on(asked: list[str]) -> None:
    told = cluster(A, B)
    assert told.call("GET", "/x") == {}
    assert told.call("PUT", "/y", {}) == {}
    assert asked == [f"GET {A}/x", f"GET {B}/x", f"PUT {B}/y"]


def test_a_request_that_was_never_sent_goes_to_another_node(asked: list[str]) -> None:
    cluster(A, B).call("PUT", "/y", {})
    assert asked == [f"PUT {A}/y", f"PUT {B}/y"]


def test_a_change_that_may_have_been_made_is_not_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def open_url(url: str, **_: object) -> None:
        asked.append(url)
        raise TimeoutError

    monkeypatch.setattr(service_api, "open_url", open_url)
    with pytest.raises(Refused):
        cluster(A, B).call("PUT", "/y", {})
    assert asked == [f"{A}/y"]
    with pytest.raises(Refused, match=f"{B}, {A}/y|{A}, {B}/y"):
        cluster(A, B).call("GET", "/y")
    assert len(asked) == 3


def test_an_answer_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def open_url(url: str, **_: object) -> None:
        asked.append(url)
        raise HTTPError(url, 403, "", {}, io.BytesIO(b"no"))  # type: ignore[arg-type]

    monkeypatch.setattr(service_api, "open_url", open_url)
    with pytest.raises(Refused, match="403"):
        cluster(A, B).call("GET", "/y")
    assert len(asked) == 1


def test_a_proxy_of_the_host_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, object] = {}

    def open_url(url: str, **options: object) -> io.StringIO:
        told.update(options)
        return io.StringIO("{}")

    monkeypatch.setattr(service_api, "open_url", open_url)
    cluster(A).call("GET", "/x")
    assert told["use_proxy"] is False
