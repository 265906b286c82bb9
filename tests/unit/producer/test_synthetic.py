# SPDX-License-Identifier: Apache-2.0
"""The synthetic source: reproducible, within the contract, and like real logins."""

import ipaddress
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from login_producer.settings import SyntheticSettings
from login_producer.sources.synthetic import events as events_of
from login_producer.sources.synthetic import live_events, seed_events

ANCHOR = datetime(2026, 3, 1, tzinfo=UTC)
DOCUMENTATION = [
    ipaddress.ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def decoded_live(count: int, seed: int = 1) -> list[dict[str, Any]]:
    return [json.loads(event.value) for event in islice(live_events(seed, 500, lambda: 1_772_359_200_007), count)]


def without_id(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if name != "event_id"} for event in events]


def test_live_stream_repeats_but_for_its_ids() -> None:
    first, second = decoded_live(3000), decoded_live(3000)
    assert without_id(first) == without_id(second)
    assert without_id(first) != without_id(decoded_live(3000, seed=2))
    ids = {event["event_id"] for event in first + second}
    assert len(ids) == 6000


def test_live_time_comes_from_the_clock() -> None:
    times = iter((1_772_359_199_999, 1_772_359_200_000, 1_772_359_260_050))
    events = [json.loads(event.value) for event in islice(live_events(1, 5, lambda: next(times)), 3)]
    assert [event["timestamp"] for event in events] == [
        "2026-03-01T09:59:59.999Z",
        "2026-03-01T10:00:00.000Z",
        "2026-03-01T10:01:00.050Z",
    ]


def test_event_contract() -> None:
    always = {"event_id", "user_id", "timestamp", "browser", "country", "outcome", "source_ip", "user_agent"}
    for event in decoded_live(5000):
        failed = event["outcome"] == "failure"
        assert set(event) == (always | {"reason"} if failed else always)
        assert event["outcome"] in ("success", "failure")
        address = ipaddress.ip_address(event["source_ip"])
        assert any(address in block for block in DOCUMENTATION)


def test_key_is_the_user() -> None:
    for event in islice(live_events(1, 500), 1000):
        assert event.key.decode() == json.loads(event.value)["user_id"]
        assert event.event_id == json.loads(event.value)["event_id"]


def test_users_have_habits_and_attackers_try_many() -> None:
    events = decoded_live(60_000)
    homes: dict[str, Counter[str]] = {}
    for event in events:
        if event["outcome"] == "success":
            homes.setdefault(event["user_id"], Counter())[event["country"]] += 1
    shares = [count.most_common(1)[0][1] / count.total() for count in homes.values()]
    assert sum(shares) / len(shares) > 0.9
    failures = Counter(event["source_ip"] for event in events if event["source_ip"].startswith("203.0.113."))
    attacker, attempts = failures.most_common(1)[0]
    assert attempts >= 20
    assert len({event["user_id"] for event in events if event["source_ip"] == attacker}) > 10
    share = sum(event["outcome"] == "failure" for event in events) / len(events)
    assert 0.05 < share < 0.25


def test_seed_profile() -> None:
    settings = SyntheticSettings(profile="seed", anchor=ANCHOR)
    events = [json.loads(event.value) for event in islice(events_of(settings), settings.limit)]
    times = [datetime.fromisoformat(event["timestamp"]) for event in events]
    assert len(events) == 2000
    assert len({event["event_id"] for event in events}) == 2000
    assert len({event["user_id"] for event in events}) <= 500
    assert {event["country"] for event in events} == {"US", "GB", "DE", "FR", "IN", "KR"}
    assert {event["browser"] for event in events} == {"Chrome", "Firefox", "Safari", "Edge"}
    assert ANCHOR - timedelta(days=365) <= min(times) < max(times) < ANCHOR
    assert times != sorted(times)
    assert len({time.month for time in times}) == 12


def test_seed_events_are_the_same_for_the_same_anchor() -> None:
    first = list(islice(seed_events(7, 500, ANCHOR), 500))
    assert first == list(islice(seed_events(7, 500, ANCHOR), 500))
    ids = {event.event_id for event in first}
    others = (
        seed_events(8, 500, ANCHOR),
        seed_events(7, 400, ANCHOR),
        seed_events(7, 500, ANCHOR + timedelta(days=1)),
    )
    for other in others:
        assert ids.isdisjoint(event.event_id for event in islice(other, 500))
